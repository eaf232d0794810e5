import assert from 'node:assert/strict'
import { CorruptJournal, DataDirectoryInUse, type DiskState } from '@conclave/interface'
import { rejects, Signal, turns, within } from '../patience.ts'
import type { SuiteTest } from '../suite.ts'
import { bodyOf, bytes, meta, named, type Place, put, stage, write } from './access.ts'
import { type Body, onPlace } from './contents.ts'
import { describeState } from './model.ts'
import type { JournalStore, JournalSubject } from './subject.ts'

/** Skipped, with the reason, if the store lacks one of its means. */
const needing = (
  subject: JournalSubject,
  store: JournalStore,
  means: keyof JournalStore,
  name: string,
  body: Body,
): SuiteTest => {
  const test = onPlace(subject, name, body)
  return store[means] === undefined ? { ...test, skipped: `the store of this subject offers no \`${means}\`` } : test
}

/** Many writes at once; what each was told, in the order in which they were told. */
const burst = (place: Place, journal: Awaited<ReturnType<Place['open']>>['journal'], count: number) => {
  const told: { write: number; error: Error | undefined }[] = []
  const signal = new Signal()
  for (let at = 0; at < count; at++) {
    let returned = false
    journal.write([put(at + 1, `entry ${at + 1}`)], (error) => {
      assert.ok(returned, 'done was called before write had returned')
      told.push({ write: at, error })
      signal.check()
    })
    returned = true
  }
  return { told, all: () => signal.until('every done', () => told.length >= count), place }
}

const ascending = (told: readonly { readonly write: number }[]): void =>
  assert.deepEqual(
    told.map((one) => one.write),
    told.map((_, at) => at),
    'done is called in the order of the writes, once each',
  )

/** Durability, order, failure, ownership, the end. */
export const order = (subject: JournalSubject, store: JournalStore): readonly SuiteTest[] => [
  onPlace(
    subject,
    'write: done is called once each, in the order of the writes, never before write has returned',
    async (place) => {
      const { journal } = await place.open()
      const { told, all } = burst(place, journal, 200)
      await all()
      await turns()
      assert.equal(told.length, 200)
      ascending(told)
      assert.ok(told.every(({ error }) => error === undefined))
      assert.equal((await place.reopened()).entries.length, 200)
    },
  ),
  onPlace(subject, 'write: writes are collected while one is in flight (group commit)', async (place) => {
    const { journal } = await place.open()
    const before = journal.stats().syncs
    await burst(place, journal, 200).all()
    const syncs = journal.stats().syncs - before
    assert.ok(syncs < 100, `200 writes at once took ${syncs} syncs`)
  }),
  needing(subject, store, 'hold', 'write: nothing is acknowledged before it is durable', async (place) => {
    const { journal } = await place.open()
    place.store.hold?.begin()
    const { told, all } = burst(place, journal, 20)
    await turns(10)
    assert.equal(told.length, 0, 'a write was told as done although its sync has not ended')
    place.store.hold?.end()
    await all()
    ascending(told)
  }),
  needing(subject, store, 'failing', 'done(error) is terminal: every later write fails as well', async (place) => {
    const { journal } = await place.open()
    await write(journal, put(1, 'before'))
    place.store.failing?.begin()
    await rejects(() => write(journal, put(2, 'fails')), 'a write whose sync failed was told as done')
    await rejects(() => write(journal, put(3, 'after')), 'a write after a failed one was told as done')
    place.store.failing?.end()
    const { journal: next, state } = await place.open()
    assert.equal(state.entries[0]?.slot, 1, 'what was acknowledged before the failure is lost')
    await write(next, put(4, 'opened anew, it works'))
  }),
  needing(
    subject,
    store,
    'full',
    'disk full: writes wait, none is lost, none is acknowledged before it is durable; it goes on when there is room',
    async (place) => {
      const states: DiskState[] = []
      const signal = new Signal()
      const { journal } = await place.open({
        disk: (state) => {
          states.push(state)
          signal.check()
        },
      })
      place.store.full?.begin()
      const { told, all } = burst(place, journal, 400)
      await signal.until('the news that the disk is full', () => states.includes('full'))
      assert.ok(told.every(({ error }) => error === undefined) && told.length < 400)
      place.store.full?.end()
      await all()
      ascending(told)
      assert.ok(
        told.every(({ error }) => error === undefined),
        'a write failed because the disk was full for a while',
      )
      await signal.until('the news that the disk is well', () => states.at(-1) === 'ok')
      assert.equal((await place.reopened()).entries.length, 400)
    },
  ),
  onPlace(
    subject,
    'close: waits for the write in flight; writes that are still waiting fail; what was acknowledged is there',
    async (place) => {
      const { journal } = await place.open()
      const { told, all } = burst(place, journal, 50)
      await within('close', journal.close())
      await all()
      ascending(told)
      const failed = told.findIndex(({ error }) => error !== undefined)
      const done = failed < 0 ? told.length : failed
      assert.ok(
        told.slice(done).every(({ error }) => error !== undefined),
        'a write was done after one that failed',
      )
      const { entries } = await place.reopened()
      assert.ok(entries.length >= done, `${done} writes were acknowledged, ${entries.length} are there`)
      assert.deepEqual(
        entries.map(({ slot }) => Number(slot)),
        entries.map((_, at) => at + 1),
      )
    },
  ),
  onPlace(subject, 'close: safe to call twice; a write afterwards fails', async (place) => {
    const { journal } = await place.open()
    await write(journal, put(1, 'a'))
    await within('close', Promise.all([journal.close(), journal.close()]))
    await within('close', journal.close())
    await rejects(() => write(journal, put(2, 'late')), 'a closed journal told a write as done')
    assert.equal((await place.reopened()).entries.length, 1)
  }),
  needing(
    subject,
    store,
    'rival',
    'open: DataDirectoryInUse while another owns the place, which is not disturbed',
    async (place) => {
      const { journal } = await place.open()
      await write(journal, put(1, 'a'))
      const rival = place.store.rival?.()
      await rejects(async () => rival?.open({ disk: () => {} }), DataDirectoryInUse)
      await rival?.close()
      await write(journal, put(2, 'b'))
      assert.equal((await place.reopened()).entries.length, 2)
    },
  ),
  needing(subject, store, 'corrupt', 'open: CorruptJournal on damage that is no torn tail', async (place) => {
    const { journal } = await place.open()
    await write(journal, put(1, 'this will be damaged'))
    for (let at = 2; at < 10; at++) await write(journal, put(at, `entry ${at}`), meta(`${at}`))
    await journal.close()
    await place.store.corrupt?.(bytes('this will be damaged'))
    await rejects(() => place.reopened(), CorruptJournal)
  }),
  needing(
    subject,
    store,
    'corrupt',
    'readSnapshot: CorruptJournal if its checksum does not hold, before the last chunk is handed over',
    async (place) => {
      const { journal } = await place.open()
      const end = bytes('the end of the body')
      const body = Buffer.concat([new Uint8Array(600_000).fill(1), end])
      await stage(journal, 'body', body)
      await write(journal, named('body', 1))
      await journal.close()
      await place.store.corrupt?.(end)
      const { journal: next, state } = await place.open()
      assert.equal(describeState(state), 'snapshot body at 1, header 686561646572')
      await rejects(() => bodyOf(next, 'body'), CorruptJournal)
    },
  ),
]
