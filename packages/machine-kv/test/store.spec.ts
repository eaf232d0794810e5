import { seededRandom } from '@conclave/interface'
import { expect, test } from 'vitest'
import {
  decodeCountReply,
  decodeEvents,
  decodeInfoReply,
  decodeListReply,
  decodeWriteReply,
  encodeBound,
  encodeDelete,
  encodeKey,
  encodePut,
  encodeQuery,
  encodeWatch,
  keyInterval,
  kvMachine,
  maxKeyBytes,
  maxValueBytes,
  prefixInterval,
} from '../src/index.ts'
import { bodyOf, context, Model, pieces, text } from './model.ts'

const none = encodeBound('')
const put = (key: string, value = '', ifRevision?: bigint) => encodePut(encodeKey(key), text.encode(value), ifRevision)

test('thousands of keys come and go in any order, and the index stays right', () => {
  const random = seededRandom(7)
  const machine = kvMachine()
  const model = new Model()
  for (let i = 0; i < 30_000; i++) {
    const key = `key-${Math.floor(random.next() * 6_000)}`
    // Mostly puts at first, then mostly deletions: leaves split, then shrink.
    if (random.next() < (i < 15_000 ? 0.9 : 0.2)) {
      machine.apply(put(key, `${i}`), context)
      model.put(key, `${i}`)
    } else {
      machine.apply(encodeDelete(encodeKey(key)), context)
      model.delete(key)
    }
    if (i % 5_000 !== 0) continue
    const page = decodeListReply(
      machine.query(encodeQuery({ type: 'list', from: none, to: none, limit: 65_536, keysOnly: true })),
    )
    expect(page.entries.map((entry) => entry.key)).toEqual(model.sorted().map(([sorted]) => sorted))
    const interval = { from: encodeKey('key-2'), to: encodeKey('key-4') }
    const count = decodeCountReply(machine.query(encodeQuery({ type: 'count', ...interval })))
    expect(count.count).toBe(model.sorted().filter(([sorted]) => sorted >= 'key-2' && sorted < 'key-4').length)
  }
  expect(decodeInfoReply(machine.query(encodeQuery({ type: 'info' }))).keys).toBe(model.entries.size)
})

test('ascending keys fill leaves in order', () => {
  const machine = kvMachine()
  const keys = Array.from({ length: 5_000 }, (_, i) => `k${String(i).padStart(6, '0')}`)
  for (const key of keys) machine.apply(put(key), context)
  const page = decodeListReply(
    machine.query(encodeQuery({ type: 'list', from: none, to: none, limit: 65_536, keysOnly: true })),
  )
  expect(page.entries.map((entry) => entry.key)).toEqual(keys)
})

test('compare-and-swap: one of two writers that saw the same revision wins', () => {
  const machine = kvMachine()
  expect(decodeWriteReply(machine.apply(put('k', 'a', 0n), context))).toEqual({
    status: 'done',
    revision: 1n,
    previous: 0n,
  })
  expect(decodeWriteReply(machine.apply(put('k', 'b', 0n), context))).toEqual({ status: 'mismatch', current: 1n })
  expect(decodeWriteReply(machine.apply(put('k', 'b', 1n), context))).toEqual({
    status: 'done',
    revision: 2n,
    previous: 1n,
  })
  expect(decodeWriteReply(machine.apply(put('k', 'c', 1n), context))).toEqual({ status: 'mismatch', current: 2n })
  const gone = decodeWriteReply(machine.apply(encodeDelete(encodeKey('k'), 2n), context))
  expect(gone).toEqual({ status: 'done', revision: 3n, previous: 2n })
  // Nothing there, nothing done, no revision.
  const again = decodeWriteReply(machine.apply(encodeDelete(encodeKey('k')), context))
  expect(again).toEqual({ status: 'done', revision: 3n, previous: 0n })
})

test('a page stays within its bound, and the pages together hold everything', () => {
  const machine = kvMachine()
  const value = new Uint8Array(300_000)
  for (let i = 0; i < 10; i++) machine.apply(encodePut(encodeKey(`k${i}`), value), context)
  machine.apply(encodePut(encodeKey('k5'), new Uint8Array(maxValueBytes)), context)
  const seen: string[] = []
  for (let next: Uint8Array | undefined = none; next !== undefined; ) {
    const reply = machine.query(encodeQuery({ type: 'list', from: next, to: none, limit: 100, keysOnly: false }))
    expect(reply.length).toBeLessThanOrEqual(maxValueBytes + 64 * 1024)
    const page = decodeListReply(reply)
    seen.push(...page.entries.map((entry) => entry.key))
    next = page.next
  }
  expect(seen).toEqual(['k0', 'k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8', 'k9'])
})

test('a watch of one key tells its writes only, and how far it has come', () => {
  const machine = kvMachine()
  machine.apply(put('a', '1'), context)
  const feed = machine.watch?.(encodeWatch({ ...keyInterval(encodeKey('a')), fromRevision: 0n, keysOnly: false }))
  const poll = () => {
    const bytes = feed?.poll(1_000_000)
    return bytes === undefined ? undefined : decodeEvents(bytes)
  }
  // From now on: where that is, is told at once.
  expect(poll()).toEqual({ type: 'events', revision: 1n, events: [] })
  expect(poll()).toBeUndefined()
  machine.apply(put('ab', 'x'), context)
  machine.apply(put('a\0', 'x'), context)
  expect(poll()).toBeUndefined()
  machine.apply(put('a', '2'), context)
  machine.apply(encodeDelete(encodeKey('a')), context)
  expect(poll()).toMatchObject({
    revision: 5n,
    events: [
      { type: 'put', key: 'a', revision: 4n, createRevision: 1n, version: 2 },
      { type: 'delete', key: 'a', revision: 5n },
    ],
  })
  // A watcher of a quiet key learns now and then that it need not look back so far.
  for (let i = 0; i < 5_000; i++) machine.apply(put('other'), context)
  expect(poll()).toEqual({ type: 'events', revision: 5_005n, events: [] })
})

test('a watch waits for a revision that this replica has not reached, and survives a restore', async () => {
  const [ahead, behind] = [kvMachine(), kvMachine()]
  for (let i = 1; i <= 5; i++) ahead.apply(put(`k${i}`), context)
  const feed = behind.watch?.(encodeWatch({ ...prefixInterval(none), fromRevision: 4n, keysOnly: true }))
  expect(decodeEvents(feed?.poll(1000) ?? none)).toEqual({ type: 'events', revision: 3n, events: [] })
  behind.apply(put('k1'), context)
  expect(feed?.poll(1000)).toBeUndefined()
  await behind.restore(pieces(await bodyOf(ahead), 10))
  expect(decodeEvents(feed?.poll(1000) ?? none)).toMatchObject({ revision: 5n, events: [{ key: 'k4' }, { key: 'k5' }] })
})

test('a watch that falls behind the history is told so once', () => {
  const machine = kvMachine({ history: { events: 10, bytes: 1_000_000 } })
  const feed = machine.watch?.(encodeWatch({ ...prefixInterval(none), fromRevision: 1n, keysOnly: true }))
  for (let i = 1; i <= 15; i++) machine.apply(put(`k${i}`), context)
  expect(decodeEvents(feed?.poll(1000) ?? none)).toEqual({ type: 'compacted', oldest: 6n })
  expect(feed?.poll(1000)).toBeUndefined()
  machine.apply(put('k'), context)
  expect(feed?.poll(1000)).toBeUndefined()
})

test('bounds are checked where a key or value enters', () => {
  expect(() => encodeKey('')).toThrow(RangeError)
  expect(() => encodeKey('é'.repeat(513))).toThrow(/1024 bytes/)
  expect(() => encodeKey('\ud800')).toThrow(/surrogate/)
  expect(() => encodePut(encodeKey('k'), new Uint8Array(maxValueBytes + 1))).toThrow(RangeError)
  expect(() => put('k', 'v', 2n ** 53n)).toThrow(RangeError)
  expect(encodeKey('é'.repeat(512))).toHaveLength(maxKeyBytes)
})

test('the prefix that has no end is open', () => {
  expect(prefixInterval(Uint8Array.of(1, 0xff, 0xff))).toEqual({
    from: Uint8Array.of(1, 0xff, 0xff),
    to: Uint8Array.of(2),
  })
  expect(prefixInterval(Uint8Array.of(0xff)).to).toHaveLength(0)
})
