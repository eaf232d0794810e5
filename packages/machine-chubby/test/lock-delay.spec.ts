import { epoch } from '@conclave/interface'
import { expect, test } from 'vitest'
import { encodeCommand, encodeSequencer, type Grant } from '../src/index.ts'
import { Cell, copyOf } from './cell.ts'

const reign = epoch(1n)
const [a, b] = ['/ls/cell/a', '/ls/cell/b']
const shared = { mode: 'shared', queue: true } as const

const cellOf = (...sessions: bigint[]): Cell => {
  const cell = new Cell()
  cell.reign(reign)
  cell.sessions(...sessions)
  cell.events()
  return cell
}

test('locks whose delays are over are passed on in one order, also by a machine that was restored', async () => {
  const cell = cellOf(1n, 2n, 3n)
  cell.lock(1n, 1, a, { lockDelay: 100 })
  cell.lock(2n, 1, b, { lockDelay: 100 })
  for (const [handle, path] of [a, b].entries()) cell.lock(3n, handle, path)
  // The delay of the node that was made last begins first.
  for (const session of [2n, 1n]) cell.apply({ type: 'expire', session, epoch: reign })
  const copy = await copyOf(cell.machine)
  cell.time = 100
  const { context } = cell
  for (const machine of [cell.machine, copy]) machine.apply(encodeCommand({ type: 'lift', epoch: reign }), context)
  expect(cell.ask({ type: 'stat', path: a })).toMatchObject({ stat: { lock: { mode: 'exclusive' } } })
  expect(copy.hash()).toBe(cell.machine.hash())
})

test('a delay that ends earlier is lifted earlier', () => {
  const cell = cellOf(1n, 2n, 3n)
  cell.lock(1n, 1, a, { lockDelay: 200 })
  cell.lock(2n, 1, b, { lockDelay: 100 })
  cell.lock(3n, 1, a)
  cell.lock(3n, 2, b)
  for (const session of [1n, 2n]) cell.apply({ type: 'expire', session, epoch: reign })
  expect(cell.view.nextLift()).toBe(100)
  cell.time = 150
  cell.events()
  cell.apply({ type: 'lift', epoch: reign })
  expect(cell.events()).toEqual(['3.2 granted exclusive 3'])
  expect(cell.view.nextLift()).toBe(50)
})

test('nobody joins those who share a lock while it is under a delay, and none ends the delay', () => {
  const cell = cellOf(1n, 2n, 3n, 4n)
  cell.lock(1n, 1, a, { lock: shared, lockDelay: 500 })
  cell.lock(2n, 1, a, { lock: shared })
  cell.apply({ type: 'expire', session: 1n, epoch: reign })
  expect(cell.lock(3n, 1, a, { lock: { mode: 'shared', queue: false } })).toBe('delayed')
  expect(cell.lock(3n, 2, a, { lock: shared })).toBe('behind 1')
  cell.close(2n, 1)
  expect(cell.lock(4n, 1, a, { lock: { mode: 'exclusive', queue: false } })).toBe('delayed')
  expect(cell.ask({ type: 'stat', path: a })).toMatchObject({ stat: { lock: { mode: 'free', delay: 500 } } })
  cell.time = 500
  cell.events()
  cell.apply({ type: 'lift', epoch: reign })
  expect(cell.events()).toEqual(['3.2 granted shared 2'])
})

test('the longest delay of those who held it together counts', () => {
  const cell = cellOf(1n, 2n)
  cell.lock(1n, 1, a, { lock: shared, lockDelay: 500 })
  cell.lock(2n, 1, a, { lock: shared, lockDelay: 100 })
  for (const session of [1n, 2n]) cell.apply({ type: 'expire', session, epoch: reign })
  expect(cell.ask({ type: 'stat', path: a })).toMatchObject({ stat: { lock: { delay: 500 } } })
})

test('who only waited leaves no delay', () => {
  const cell = cellOf(1n, 2n)
  cell.lock(1n, 1, a)
  cell.lock(2n, 1, a, { lockDelay: 500 })
  cell.apply({ type: 'expire', session: 2n, epoch: reign })
  cell.close(1n, 1)
  expect(cell.ask({ type: 'stat', path: a })).toMatchObject({ stat: { lock: { mode: 'free', delay: 0 } } })
})

test('what a session held does not pass to another handle of its own when it ends', () => {
  const cell = cellOf(1n, 2n)
  cell.lock(1n, 1, a)
  cell.lock(1n, 2, a)
  cell.lock(2n, 1, a)
  cell.events()
  cell.apply({ type: 'expire', session: 1n, epoch: reign })
  expect(cell.events()).toEqual(['2.1 granted exclusive 2'])
})

test('a delay above the limit is malformed', () => {
  expect(cellOf(1n).open(1n, 1, a, { lockDelay: 60_001 })).toMatchObject({ problem: 'malformed' })
})

test('a sequencer of a node that was made anew is stale, though path and mode are the same', () => {
  const cell = cellOf(1n, 2n)
  const reply = cell.open(1n, 1, a, { lock: { mode: 'exclusive', queue: true } })
  const grant = reply.status === 'opened' && reply.lock?.state === 'held' ? reply.lock : undefined
  const sequencer = encodeSequencer({ ...(grant as Grant), path: a })
  cell.open(2n, 1, b)
  cell.apply({ type: 'setSequencer', session: 2n, handle: 1, sequencer })
  cell.apply({ type: 'delete', session: 1n, handle: 1 })
  cell.lock(1n, 2, a)
  expect(cell.ask({ type: 'checkSequencer', sequencer })).toMatchObject({ valid: false })
  const onHandle = { session: 2n, handle: 1 }
  expect([
    cell.apply({ type: 'acquire', mode: 'exclusive', queue: true, ...onHandle }),
    cell.apply({ type: 'setAcl', acl: { read: '', write: '', changeAcl: '' }, ...onHandle }),
    cell.apply({ type: 'delete', ...onHandle }),
  ]).toEqual(Array(3).fill({ status: 'refused', problem: 'stale-sequencer' }))
  expect(cell.apply({ type: 'release', ...onHandle })).toMatchObject({ had: 'nothing' })
})

test('bytes that are no sequencer are malformed', () => {
  const cell = cellOf(1n)
  cell.open(1n, 1, a)
  const sequencer = Uint8Array.of(9)
  const set = { type: 'setSequencer', session: 1n, handle: 1, sequencer } as const
  expect(cell.apply(set)).toMatchObject({ problem: 'malformed' })
  expect(cell.ask({ type: 'checkSequencer', sequencer })).toMatchObject({ problem: 'malformed' })
})

test('many who wait to share a lock get it together', () => {
  const cell = new Cell()
  const readers = Array.from({ length: 3000 }, (_, at) => BigInt(at + 2))
  cell.sessions(1n, ...readers)
  cell.lock(1n, 1, a)
  for (const reader of readers) cell.lock(reader, 1, a, { lock: shared, subscriptions: ['acquired'] })
  cell.events()
  cell.close(1n, 1)
  expect(cell.events()).toEqual(readers.map((reader) => `${reader}.1 granted shared 2`))
})
