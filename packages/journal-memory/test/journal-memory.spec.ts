import {
  type DiskState,
  type Journal,
  JournalFailed,
  type JournalOp,
  type Position,
  type Slot,
  type SnapshotId,
} from '@conclave/interface'
import { expect, test } from 'vitest'
import { memoryJournal } from '../src/index.ts'

const quiet = { disk: (): void => {} }
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const put = (slot: number, ...bytes: Uint8Array[]): JournalOp => ({ type: 'put', slot: slot as Slot, bytes })
const write = (journal: Journal, ...ops: JournalOp[]): Promise<void> =>
  new Promise((resolve, reject) => journal.write(ops, (error) => (error === undefined ? resolve() : reject(error))))
async function* body(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts
}
const id = (name: string): SnapshotId => name as SnapshotId

test('gives back what was written, after a close and after a crash', async () => {
  const journal = memoryJournal()
  expect(await journal.open(quiet)).toEqual({ entries: [] })
  await write(journal, { type: 'meta', bytes: text('term 1') }, put(1, text('a'), text('b')), put(2), put(5, text('e')))
  await write(journal, { type: 'truncateFrom', slot: 5 as Slot })
  await journal.close()
  const next = journal.reopen()
  const state = await next.open(quiet)
  expect(state).toEqual({
    meta: text('term 1'),
    entries: [
      { slot: 1, bytes: text('ab') },
      { slot: 2, bytes: new Uint8Array() },
    ],
  })
})

test('what is held back is not done, and a crash loses it', async () => {
  const journal = memoryJournal()
  await journal.open(quiet)
  const order: number[] = []
  journal.write([put(1, text('a'))], () => order.push(1))
  expect(order).toEqual([])
  await write(journal, put(2, text('b')))
  expect(order).toEqual([1])
  journal.faults.hold = true
  journal.write([put(3, text('c'))], () => order.push(3))
  await Promise.resolve()
  expect(order).toEqual([1])
  const next = journal.reopen()
  expect((await next.open(quiet)).entries.map((entry) => entry.slot)).toEqual([1, 2])
  journal.release()
  await Promise.resolve()
  expect(order).toEqual([1])
})

test('released, it goes on; writes that arrive meanwhile share one sync', async () => {
  const journal = memoryJournal({ faults: { hold: true } })
  await journal.open(quiet)
  const all = [1, 2, 3, 4].map((n) => write(journal, put(n, text('x'))))
  await Promise.resolve()
  journal.release()
  await Promise.all(all)
  expect(journal.stats().syncs).toBe(2)
})

test('a failed sync is terminal', async () => {
  const journal = memoryJournal()
  await journal.open(quiet)
  journal.faults.failSync = true
  const all = await Promise.allSettled([write(journal, put(1, text('x'))), write(journal, put(2, text('y')))])
  journal.faults.failSync = false
  expect(all.map((result) => result.status)).toEqual(['rejected', 'rejected'])
  await expect(write(journal, put(3, text('z')))).rejects.toThrow(JournalFailed)
  await journal.close()
  expect((await journal.reopen().open(quiet)).entries).toEqual([])
})

test('snapshots are staged, named, read, replaced; what nothing names is gone after a reopening', async () => {
  const journal = memoryJournal()
  const states: DiskState[] = []
  await journal.open({ disk: (state) => states.push(state) })
  const signal = new AbortController().signal
  expect(() =>
    journal.write([{ type: 'snapshot', id: id('one'), position: 1 as Position, header: text('h') }], () => {}),
  ).toThrow(/before its body is staged/)
  await journal.stage(id('one'), body(text('st'), text('ate')), signal)
  await journal.stage(id('spare'), body(text('x')), signal)
  await expect(journal.stage(id('none'), body(text('x')), AbortSignal.abort())).rejects.toThrow()
  await write(
    journal,
    put(1, text('a')),
    put(2, text('b')),
    { type: 'snapshot', id: id('one'), position: 1 as Position, header: text('h') },
    { type: 'compactTo', slot: 1 as Slot },
  )
  expect(() => journal.write([put(1, text('a'))], () => {})).toThrow(/was compacted/)
  journal.disk('slow')
  expect(states).toEqual(['slow'])
  const next = journal.reopen()
  const state = await next.open(quiet)
  expect([state.snapshot?.id, state.entries.map((entry) => entry.slot)]).toEqual(['one', [2]])
  const parts: Uint8Array[] = []
  for await (const part of next.readSnapshot(id('one'))) parts.push(part)
  expect(Buffer.concat(parts).toString()).toBe('state')
  await expect(next.readSnapshot(id('spare'))[Symbol.asyncIterator]().next()).rejects.toThrow(JournalFailed)
})

test('one owner at a time; close waits for the flight and fails what waits', async () => {
  const journal = memoryJournal()
  await journal.open(quiet)
  const all = Promise.allSettled([write(journal, put(1, text('x'))), write(journal, put(2, text('y')))])
  await journal.close()
  await journal.close()
  expect((await all).map((result) => result.status)).toEqual(['fulfilled', 'rejected'])
})
