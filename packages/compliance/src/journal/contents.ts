import assert from 'node:assert/strict'
import type { JournalOp, SnapshotId } from '@conclave/interface'
import { sameBytes } from '../draw.ts'
import { rejects, turns, within } from '../patience.ts'
import type { SuiteTest } from '../suite.ts'
import { bodyOf, bytes, chunksOf, compactTo, meta, named, Place, put, stage, truncateFrom, write } from './access.ts'
import { describeState, JournalModel } from './model.ts'
import type { JournalSubject } from './subject.ts'

export type Body = (place: Place) => Promise<void>

/** A test on a place of its own. `needs`: why it is skipped if the store cannot do this. */
export const onPlace = (subject: JournalSubject, name: string, body: Body): SuiteTest => ({
  name,
  run: async () => {
    await using place = await Place.of(subject)
    await body(place)
  },
})

const found = async (place: Place, ...groups: (readonly JournalOp[])[]): Promise<void> => {
  const { journal } = await place.open()
  const model = new JournalModel()
  for (const ops of groups) {
    await write(journal, ...ops)
    model.apply(ops)
  }
  assert.equal(describeState(await place.reopened()), model.described)
}

const kib = (count: number): Uint8Array => new Uint8Array(count * 1024).map((_, at) => (at * 7 + (at >> 8)) % 251)

/** What is written is what the next open finds. */
export const contents = (subject: JournalSubject): readonly SuiteTest[] => [
  onPlace(subject, 'open: a new place holds no meta, no snapshot and no entries', async (place) => {
    assert.deepEqual(await place.reopened(), { entries: [] })
    assert.deepEqual(await place.reopened(), { entries: [] })
  }),
  onPlace(subject, 'meta: replaces the one atomic record', (place) =>
    found(place, [meta('term 1')], [meta('')], [meta('term 2')]),
  ),
  onPlace(subject, 'meta: 64 KiB are taken', (place) => found(place, [meta(kib(64))])),
  onPlace(subject, 'put: sets a slot, its chunks together', (place) =>
    found(place, [put(1, 'a', 'b', '', 'c'), put(2, ''), put(3)], [put(4, kib(300))], [put(5, 'small again')]),
  ),
  onPlace(subject, 'put: replaces what the slot held', (place) =>
    found(place, [put(1, 'a'), put(2, 'b'), put(2, 'c')], [put(1, 'd')]),
  ),
  onPlace(subject, 'put: gaps are allowed, and entries come back ascending', (place) =>
    found(place, [put(70, 'a'), put(3, 'b')], [put(2_000_000_000_000, 'far'), put(12, 'c')], [put(1, 'd')]),
  ),
  onPlace(subject, 'truncateFrom: forgets every slot from there up, and what is set afterwards is there', (place) =>
    found(
      place,
      [put(1, 'a'), put(2, 'b'), put(9, 'c')],
      [truncateFrom(2)],
      [put(2, 'd')],
      [put(3, 'e'), truncateFrom(3), put(4, 'f')],
      [truncateFrom(50)],
    ),
  ),
  onPlace(subject, 'compactTo: forgets every slot up to and including it', async (place) => {
    const { journal } = await place.open()
    await write(journal, put(1, 'a'), put(2, 'b'), put(3, 'c'), put(7, 'd'))
    await stage(journal, 'body', 'state at 3')
    await write(journal, named('body', 3), compactTo(2), meta('kept'))
    await write(journal, put(8, 'e'), compactTo(3))
    const { journal: next, state } = await place.open()
    assert.equal(describeState(state), 'meta 6b657074; snapshot body at 3, header 686561646572; 7=64; 8=65')
    assert.equal(Buffer.from(await bodyOf(next, 'body')).toString(), 'state at 3')
  }),
  onPlace(subject, 'write: the operations of a group are applied in order', (place) =>
    found(place, [put(1, 'a'), truncateFrom(1), put(1, 'b'), put(2, 'c'), truncateFrom(2), meta('x'), meta('y')]),
  ),
  onPlace(
    subject,
    'open: the engine owns what it returns: changing it changes nothing in the journal',
    async (place) => {
      const { journal } = await place.open()
      await write(journal, meta('meta'), put(1, 'entry'))
      const first = await place.reopened()
      first.meta?.fill(0)
      for (const entry of first.entries) entry.bytes.fill(0)
      assert.equal(describeState(await place.reopened()), 'meta 6d657461; 1=656e747279')
    },
  ),
  onPlace(subject, 'write: the bytes are the caller’s again when it is done', async (place) => {
    const { journal } = await place.open()
    const mine = bytes('entry')
    await write(journal, put(1, mine), meta(mine))
    mine.fill(0)
    await write(journal, put(2, 'later'))
    assert.equal(describeState(await place.reopened()), 'meta 656e747279; 1=656e747279; 2=6c61746572')
  }),
  onPlace(
    subject,
    'a write that breaks its bounds is refused, and nothing of it is there afterwards',
    async (place) => {
      const { journal: first } = await place.open()
      await write(first, put(1, 'a'), put(5, 'b'))
      await stage(first, 'body', 'state')
      await write(first, named('body', 5), compactTo(5))
      const wrong = [[put(0, 'no slot')], [meta(kib(65))], [put(5, 'compacted')], [put(6, 'x'), named('nowhere', 6)]]
      for (const ops of wrong) {
        // A refusal may be terminal: each has a journal of its own.
        const { journal } = await place.open()
        await rejects(async () => write(journal, ...ops), `${JSON.stringify(ops[0]).slice(0, 60)} was taken`)
        assert.equal(describeState(await place.reopened()), 'snapshot body at 5, header 686561646572')
      }
    },
  ),
  onPlace(subject, 'stats: bytes, groups and syncs since open are told', async (place) => {
    const { journal } = await place.open()
    const before = journal.stats()
    await write(journal, put(1, kib(20)))
    await write(journal, put(2, 'b'))
    const after = journal.stats()
    assert.ok(after.groups >= before.groups + 2, `two groups were written, told are ${after.groups - before.groups}`)
    assert.ok(after.bytes >= 20 * 1024, `20 KiB were written, told are ${after.bytes} bytes`)
    assert.ok(after.syncs >= before.syncs, 'syncs went down')
  }),
]

const id = (text: string): SnapshotId => text as SnapshotId

/** Bodies of snapshots. */
export const bodies = (subject: JournalSubject): readonly SuiteTest[] => [
  onPlace(
    subject,
    'stage, snapshot, readSnapshot: a named body is read back whole, now and after every open',
    async (place) => {
      const { journal } = await place.open()
      const body = kib(700)
      await stage(
        journal,
        'big',
        body.subarray(0, 100),
        body.subarray(100, 500_000),
        new Uint8Array(),
        body.subarray(500_000),
      )
      assert.ok(sameBytes(await bodyOf(journal, 'big'), body), 'a staged body is read back differently')
      await write(journal, named('big', 9, ''))
      assert.ok(sameBytes(await bodyOf(journal, 'big'), body), 'a named body is read back differently')
      for (let times = 0; times < 2; times++) {
        const { journal: next, state } = await place.open()
        assert.deepEqual([state.snapshot?.id, state.snapshot?.position], ['big', 9])
        assert.ok(sameBytes(await bodyOf(next, 'big'), body), 'after an open the body is read back differently')
      }
    },
  ),
  onPlace(subject, 'stage: not named, it is no snapshot, and the next open deletes it', async (place) => {
    const { journal } = await place.open()
    await stage(journal, 'one', 'body')
    const { journal: next, state } = await place.open()
    assert.equal(state.snapshot, undefined)
    await rejects(() => bodyOf(next, 'one'))
    await stage(next, 'one', 'the id is free again')
  }),
  onPlace(subject, 'stage: an empty body is a body', async (place) => {
    const { journal } = await place.open()
    await stage(journal, 'empty')
    await write(journal, named('empty', 1))
    const { journal: next } = await place.open()
    assert.equal((await bodyOf(next, 'empty')).length, 0)
  }),
  onPlace(
    subject,
    'stage: on an error of the body it rejects, the partial body is removed, and writes go on',
    async (place) => {
      const { journal } = await place.open()
      const broken = async function* (): AsyncGenerator<Uint8Array> {
        yield kib(300)
        await write(journal, put(1, 'meanwhile'))
        throw new Error('the sender is gone')
      }
      await rejects(
        () => within('stage', journal.stage(id('one'), broken(), new AbortController().signal)),
        /the sender is gone/,
      )
      await rejects(() => bodyOf(journal, 'one'))
      await write(journal, put(2, 'afterwards'))
      await rejects(async () => write(journal, named('one', 1)), 'a body that was never staged was named')
      assert.equal((await place.reopened()).entries.length, 2)
    },
  ),
  onPlace(subject, 'stage: when the signal fires it rejects, and the partial body is removed', async (place) => {
    const { journal } = await place.open()
    const giveUp = new AbortController()
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      yield kib(1)
      giveUp.abort(new Error('nobody wants it'))
      yield kib(1)
      await turns()
      yield kib(1)
    }
    await rejects(() => within('stage', journal.stage(id('one'), slow(), giveUp.signal)))
    await rejects(() => bodyOf(journal, 'one'))
    await rejects(() => journal.stage(id('two'), chunksOf('late'), giveUp.signal))
    await write(journal, put(1, 'afterwards'))
  }),
  onPlace(subject, 'discard: removes a staged body, and is harmless if there is none', async (place) => {
    const { journal } = await place.open()
    await stage(journal, 'one', 'body')
    await journal.discard(id('one'))
    await journal.discard(id('one'))
    await journal.discard(id('never'))
    await rejects(() => bodyOf(journal, 'one'))
    await rejects(async () => write(journal, named('one', 1)), 'a discarded body was named')
  }),
  onPlace(subject, 'snapshot: the old body goes after the write that names the next', async (place) => {
    const { journal } = await place.open()
    await stage(journal, 'old', 'old state')
    await write(journal, named('old', 1))
    await stage(journal, 'new', 'new state')
    assert.equal(Buffer.from(await bodyOf(journal, 'old')).toString(), 'old state')
    await write(journal, named('new', 2))
    const { journal: next, state } = await place.open()
    assert.equal(state.snapshot?.id, 'new')
    assert.equal(Buffer.from(await bodyOf(next, 'new')).toString(), 'new state')
    await rejects(() => bodyOf(next, 'old'))
  }),
  onPlace(
    subject,
    'readSnapshot: the body stays readable while a reader is open, though another is named',
    async (place) => {
      const { journal } = await place.open()
      const body = kib(900)
      await stage(journal, 'old', body)
      await write(journal, named('old', 1))
      const chunks: Uint8Array[] = []
      for await (const chunk of journal.readSnapshot(id('old'))) {
        chunks.push(new Uint8Array(chunk))
        if (chunks.length !== 1) continue
        await stage(journal, 'new', 'new state')
        await write(journal, named('new', 2))
        await turns()
      }
      assert.ok(sameBytes(Buffer.concat(chunks), body), 'the old body was cut off under its reader')
    },
  ),
  onPlace(subject, 'readSnapshot: a body that is not there is an error, not an empty body', async (place) => {
    const { journal } = await place.open()
    await rejects(() => bodyOf(journal, 'nowhere'))
  }),
]
