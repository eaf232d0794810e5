import { epoch } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { encodeSequencer, type Grant } from '../src/index.ts'
import { Cell, copyOf } from './cell.ts'

const path = '/ls/cell/lock'
const shared = { lock: { mode: 'shared', queue: true } } as const

const cellOf = (...sessions: bigint[]): Cell => {
  const cell = new Cell()
  cell.reign(1n)
  cell.events()
  cell.sessions(...sessions)
  return cell
}

describe('a lock', () => {
  test('is granted at once if it is free, and then to those in line, first come, first served', () => {
    const cell = cellOf(1n, 2n, 3n)
    expect(cell.lock(1n, 1, path)).toBe('exclusive 1')
    expect(cell.lock(2n, 1, path)).toBe('behind 1')
    expect(cell.lock(3n, 1, path)).toBe('behind 2')
    cell.events()
    cell.close(1n, 1)
    expect(cell.events()).toEqual(['2.1 granted exclusive 2'])
    cell.close(2n, 1)
    expect(cell.events()).toEqual(['3.1 granted exclusive 3'])
  })

  test('whoever does not want to wait is told that it is busy, and stands in no line', () => {
    const cell = cellOf(1n, 2n, 3n)
    cell.lock(1n, 1, path)
    expect(cell.lock(2n, 1, path, { lock: { mode: 'exclusive', queue: false } })).toBe('busy')
    expect(cell.lock(3n, 1, path)).toBe('behind 1')
    cell.close(1n, 1)
    expect(cell.events()).toContain('3.1 granted exclusive 2')
  })

  test('readers share it and its token; one that comes after a waiting writer waits behind it', () => {
    const cell = cellOf(1n, 2n, 3n, 4n)
    expect(cell.lock(1n, 1, path, shared)).toBe('shared 1')
    expect(cell.lock(2n, 1, path, shared)).toBe('shared 1')
    expect(cell.lock(3n, 1, path)).toBe('behind 2')
    expect(cell.lock(4n, 1, path, shared)).toBe('behind 3')
    cell.close(1n, 1)
    expect(cell.events().filter((event) => event.includes('granted'))).toEqual([])
    cell.close(2n, 1)
    expect(cell.events()).toEqual(['3.1 granted exclusive 2'])
    cell.close(3n, 1)
    expect(cell.events()).toEqual(['4.1 granted shared 3'])
  })

  test('all readers at the head of the line get it together', () => {
    const cell = cellOf(1n, 2n, 3n, 4n)
    cell.lock(1n, 1, path)
    cell.lock(2n, 1, path, shared)
    cell.lock(3n, 1, path, shared)
    cell.lock(4n, 1, path)
    cell.events()
    cell.close(1n, 1)
    expect(cell.events()).toEqual(['2.1 granted shared 2', '3.1 granted shared 2'])
  })

  test('a place in line can be left; the reply to a release says what there was', () => {
    const cell = cellOf(1n, 2n, 3n)
    cell.lock(1n, 1, path)
    cell.lock(2n, 1, path)
    cell.lock(3n, 1, path)
    expect(cell.apply({ type: 'release', session: 2n, handle: 1 })).toMatchObject({ had: 'place' })
    expect(cell.apply({ type: 'release', session: 1n, handle: 1 })).toMatchObject({ had: 'lock' })
    expect(cell.apply({ type: 'release', session: 1n, handle: 1 })).toMatchObject({ had: 'nothing' })
    expect(cell.events()).toContain('3.1 granted exclusive 2')
    expect(cell.apply({ type: 'acquire', session: 1n, handle: 1, mode: 'exclusive', queue: true })).toMatchObject({
      lock: { state: 'queued', position: 1 },
    })
  })

  test('asked for again by whoever has it, it is the same; in another mode it is refused', () => {
    const cell = cellOf(1n)
    cell.lock(1n, 1, path)
    const again = { type: 'acquire', session: 1n, handle: 1, queue: true } as const
    expect(cell.apply({ ...again, mode: 'exclusive' })).toMatchObject({ lock: { state: 'held', token: 1n } })
    expect(cell.apply({ ...again, mode: 'shared' })).toMatchObject({ problem: 'lock-in-use' })
  })

  test('needs a handle that may write', () => {
    const cell = cellOf(1n)
    const access = { read: true, write: false, changeAcl: false }
    expect(cell.lock(1n, 1, path, { access })).toBe('denied')
    cell.open(1n, 2, path, { access })
    expect(cell.apply({ type: 'acquire', session: 1n, handle: 2, mode: 'shared', queue: true })).toMatchObject({
      problem: 'denied',
    })
  })

  test('its token never falls, though the file is deleted and made anew', () => {
    const cell = cellOf(1n)
    expect(cell.lock(1n, 1, path)).toBe('exclusive 1')
    expect(cell.apply({ type: 'delete', session: 1n, handle: 1 })).toMatchObject({ status: 'deleted' })
    expect(cell.lock(1n, 2, path)).toBe('exclusive 2')
    expect(cell.lock(1n, 3, '/ls/cell/other')).toBe('exclusive 3')
  })

  test('a restored cell goes on above what the old one may have granted', () => {
    const cell = cellOf(1n)
    cell.apply({ type: 'raiseToken', session: 1n, above: 1000n })
    expect(cell.apply({ type: 'raiseToken', session: 1n, above: 7n })).toMatchObject({ token: 1000n })
    expect(cell.lock(1n, 1, path)).toBe('exclusive 1001')
  })

  test('a node whose lock is held by another is not deleted from under it', () => {
    const cell = cellOf(1n, 2n, 3n)
    cell.lock(1n, 1, path)
    cell.open(2n, 1, path)
    expect(cell.apply({ type: 'delete', session: 2n, handle: 1 })).toMatchObject({ problem: 'lock-in-use' })
  })
})

describe('a session that ends', () => {
  const delay = { lockDelay: 500 }

  test('in good order passes its locks on at once', () => {
    const cell = cellOf(1n, 2n)
    cell.lock(1n, 1, path, delay)
    cell.lock(2n, 1, path)
    cell.events()
    cell.apply({ type: 'endSession', session: 1n })
    expect(cell.events()).toEqual(['2.1 granted exclusive 2'])
  })

  test('by expiry keeps others out for the lock-delay, in log time', () => {
    const cell = cellOf(1n, 2n, 3n)
    cell.lock(1n, 1, path, delay)
    cell.lock(2n, 1, path)
    cell.events()
    cell.time = 100
    cell.apply({ type: 'expire', session: 1n, epoch: epoch(1n) })
    expect(cell.events()).toEqual([])
    expect(cell.view.nextLift()).toBe(500)
    expect(cell.lock(3n, 1, path, { lock: { mode: 'exclusive', queue: false } })).toBe('delayed')
    cell.time = 599
    cell.apply({ type: 'lift', epoch: epoch(1n) })
    expect(cell.events()).toEqual([])
    cell.time = 600
    cell.apply({ type: 'lift', epoch: epoch(1n) })
    expect(cell.events()).toEqual(['2.1 granted exclusive 2'])
    expect(cell.view.nextLift()).toBeUndefined()
  })

  test('after the delay whoever asks gets it, also without a lift', () => {
    const cell = cellOf(1n, 2n)
    cell.lock(1n, 1, path, delay)
    cell.apply({ type: 'expire', session: 1n, epoch: epoch(1n) })
    cell.time = 500
    expect(cell.lock(2n, 1, path)).toBe('exclusive 2')
  })

  test('under another reign than its own an expiry has no effect, nor has a lift', () => {
    const cell = cellOf(1n, 2n)
    cell.lock(1n, 1, path)
    cell.lock(2n, 1, path)
    cell.reign(2n)
    cell.events()
    expect(cell.apply({ type: 'expire', session: 1n, epoch: epoch(1n) })).toMatchObject({ problem: 'other-reign' })
    expect(cell.apply({ type: 'lift', epoch: epoch(1n) })).toMatchObject({ problem: 'other-reign' })
    expect(cell.events()).toEqual([])
    expect(cell.view.session(1n)).toBeDefined()
    cell.apply({ type: 'expire', session: 1n, epoch: epoch(2n) })
    expect(cell.view.session(1n)).toBeUndefined()
    expect(cell.events()).toEqual(['2.1 granted exclusive 2'])
  })

  test('leaves every line that it stood in', () => {
    const cell = cellOf(1n, 2n, 3n)
    cell.lock(1n, 1, path)
    cell.lock(2n, 1, path)
    cell.lock(3n, 1, path)
    cell.apply({ type: 'expire', session: 2n, epoch: epoch(1n) })
    cell.events()
    cell.close(1n, 1)
    expect(cell.events()).toEqual(['3.1 granted exclusive 2'])
  })

  test('is refused afterwards, and never quietly begun again', () => {
    const cell = cellOf(1n)
    cell.apply({ type: 'endSession', session: 1n })
    expect(cell.lock(1n, 1, path)).toBe('no-session')
    expect(cell.apply({ type: 'endSession', session: 1n })).toMatchObject({ status: 'done' })
    expect(cell.apply({ type: 'expire', session: 1n, epoch: epoch(1n) })).toMatchObject({ problem: 'no-session' })
  })
})

describe('a sequencer', () => {
  const grantOf = (cell: Cell): Grant => {
    const reply = cell.open(1n, 1, path, { lock: { mode: 'exclusive', queue: true } })
    if (reply.status !== 'opened' || reply.lock?.state !== 'held') throw new Error('it was free')
    return reply.lock
  }
  const valid = (cell: Cell, grant: Grant): unknown =>
    cell.ask({ type: 'checkSequencer', sequencer: encodeSequencer({ ...grant, path }) })

  test('is valid as long as its lock is held', () => {
    const cell = cellOf(1n, 2n)
    const grant = grantOf(cell)
    expect(valid(cell, grant)).toMatchObject({ valid: true })
    expect(valid(cell, { ...grant, mode: 'shared' })).toMatchObject({ valid: false })
    expect(valid(cell, { ...grant, token: 7n })).toMatchObject({ valid: false })
    cell.close(1n, 1)
    expect(valid(cell, grant)).toMatchObject({ valid: false })
    cell.lock(2n, 1, path)
    expect(valid(cell, grant)).toMatchObject({ valid: false })
    expect(cell.ask({ type: 'checkSequencer', sequencer: new Uint8Array(3) })).toMatchObject({ problem: 'malformed' })
  })

  test('that is set on a handle lets nothing pass there once its lock has gone', () => {
    const cell = cellOf(1n, 2n)
    const sequencer = encodeSequencer({ ...grantOf(cell), path })
    cell.open(2n, 1, '/ls/cell/guarded')
    const write = { type: 'write', session: 2n, handle: 1, contents: Uint8Array.of(1) } as const
    expect(cell.apply({ type: 'setSequencer', session: 2n, handle: 1, sequencer })).toMatchObject({ status: 'done' })
    expect(cell.apply(write)).toMatchObject({ status: 'written' })
    cell.close(1n, 1)
    expect(cell.apply(write)).toMatchObject({ problem: 'stale-sequencer' })
    expect(cell.apply({ type: 'setSequencer', session: 2n, handle: 1, sequencer })).toMatchObject({
      problem: 'stale-sequencer',
    })
    expect(cell.apply({ type: 'setSequencer', session: 2n, handle: 1, sequencer: Uint8Array.of(9) })).toMatchObject({
      problem: 'malformed',
    })
  })
})

test('a snapshot holds it all: holders, lines, delays, tokens, sequencers', async () => {
  const cell = cellOf(1n, 2n, 3n)
  cell.lock(1n, 1, path, { lockDelay: 400 })
  cell.lock(2n, 1, path)
  cell.lock(3n, 1, '/ls/cell/b', { ...shared, ephemeral: true, subscriptions: ['contents', 'conflicting'] })
  cell.apply({ type: 'write', session: 3n, handle: 1, contents: new Uint8Array(200_000).fill(3) })
  cell.apply({ type: 'setAcl', session: 3n, handle: 1, acl: { read: 'r', write: '', changeAcl: 'c' } })
  cell.apply({ type: 'expire', session: 1n, epoch: epoch(1n) })
  const copy = await copyOf(cell.machine)
  expect(copy.hash()).toBe(cell.machine.hash())
  for (const machine of [cell.machine, copy]) machine.view.takeEvents()
  cell.time = 1000
  const { context } = cell
  const lift = (await import('../src/index.ts')).encodeCommand({ type: 'lift', epoch: epoch(1n) })
  for (const machine of [cell.machine, copy]) {
    machine.apply(lift, context)
    expect(machine.view.takeEvents()).toMatchObject([{ session: 2n, event: { type: 'granted', token: 3n } }])
  }
  expect(copy.hash()).toBe(cell.machine.hash())
})
