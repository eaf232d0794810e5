import { epoch, type Monotonic, type ServiceInput } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import {
  type CallReply,
  type ChubbyCall,
  type ChubbyCommand,
  decodeCallReply,
  decodeCommand,
  encodeCall,
  encodeCommand,
  sessionService,
} from '../src/index.ts'
import { Cell, opening } from './cell.ts'

/** A leader by hand: what it lets in is applied at once, unless it is held back. */
class Leader {
  readonly cell = new Cell()
  readonly #service = sessionService(this.cell.view)
  readonly answers = new Map<number, CallReply | 'not-leader'>()
  readonly proposed: ChubbyCommand[] = []
  /** Rounds that it asked for, and nobody has answered. */
  readonly rounds: number[] = []
  readonly #waiting = new Map<number, ChubbyCommand>()
  readonly refused: number[] = []
  #calls = 0
  #admissions = 0
  now = 0
  /** What becomes of commands that are let in. */
  log: 'applies' | 'refuses' | 'waits' = 'applies'
  /** Let in, and waiting for `apply`. */
  admitted: number[] = []

  constructor() {
    this.cell.reign(1n)
    this.step({ type: 'reigns', epoch: epoch(1n) })
  }

  step(input: ServiceInput): void {
    this.#service.step(input, this.now as Monotonic)
    const { answers, admitted, confirm, propose } = this.#service.drain()
    if (confirm !== undefined) this.rounds.push(confirm)
    for (const answer of answers)
      this.answers.set(answer.call, 'reply' in answer ? decodeCallReply(answer.reply) : 'not-leader')
    for (const bytes of propose) this.proposed.push(decodeCommand(bytes))
    for (const { admission, refused } of admitted) {
      if (refused !== undefined) this.refused.push(admission)
      else if (this.log === 'refuses') this.step({ type: 'settled', admission, outcome: 'refused' })
      else if (this.log === 'waits') this.admitted.push(admission)
      else this.#apply(admission)
    }
  }

  /** What waits. */
  apply(): void {
    for (const admission of this.admitted.splice(0)) this.#apply(admission)
  }

  #apply(admission: number): void {
    const command = this.#waiting.get(admission)
    this.#waiting.delete(admission)
    if (command === undefined) return
    this.cell.apply(command)
    this.step({ type: 'settled', admission, outcome: 'applied' })
    this.step({ type: 'applied' })
  }

  /** @returns its number, and whether it was let in at once. */
  command(command: ChubbyCommand, principal = `p${'session' in command ? command.session : ''}`): boolean {
    const admission = ++this.#admissions
    this.#waiting.set(admission, command)
    this.step({ type: 'admit', admission, principal, command: encodeCommand(command) })
    return !this.#waiting.has(admission)
  }

  ask(call: ChubbyCall, principal = `p${'session' in call ? call.session : ''}`): number {
    this.step({ type: 'ask', call: ++this.#calls, principal, request: encodeCall(call) })
    return this.#calls
  }

  keepAlive(session: bigint, acked = 0, reign = 1n): number {
    return this.ask({ type: 'keepAlive', session, epoch: epoch(reign), acked })
  }

  /** Time passes in ticks. */
  pass(millis: number): void {
    for (const end = this.now + millis; this.now < end; ) {
      this.now += 50
      this.step({ type: 'tick' })
    }
  }

  confirm(reigns = true): void {
    for (const round of this.rounds.splice(0)) this.step({ type: 'confirmed', round, reigns })
  }

  session(id: bigint): void {
    this.command({ type: 'createSession', session: id, principal: `p${id}`, lease: 1000 })
  }

  /** A file that this session caches. */
  cached(session: bigint, path: string): void {
    const call = this.ask({ type: 'read', session, path })
    this.confirm()
    expect(this.answers.get(call)).toMatchObject({ type: 'file', cacheable: true })
  }

  open(session: bigint, path: string): void {
    this.cell.open(session, 1, path)
    this.step({ type: 'applied' })
  }
}

/** Session 2 has a file open, which session 1 caches. */
const withCacher = (): Leader => {
  const leader = new Leader()
  leader.session(1n)
  leader.session(2n)
  leader.open(2n, '/ls/cell/f')
  leader.cached(1n, '/ls/cell/f')
  return leader
}

const write = (session: bigint): ChubbyCommand => ({ type: 'write', session, handle: 1, contents: Uint8Array.of(1) })

describe('a KeepAlive', () => {
  test('is held until a third of the lease is over, and answered once a round has confirmed the reign', () => {
    const leader = new Leader()
    leader.session(1n)
    const call = leader.keepAlive(1n)
    leader.pass(300)
    expect(leader.rounds).toEqual([])
    leader.pass(150)
    expect(leader.answers.has(call)).toBe(false)
    expect(leader.rounds).toHaveLength(1)
    leader.now += 30
    leader.confirm()
    const reply = leader.answers.get(call)
    // From the arrival to the start of the round, not to its end: the lease counts from there.
    expect(reply).toMatchObject({ type: 'alive', lease: 1000, notices: [] })
    expect(reply).toMatchObject({ heldFor: expect.toSatisfy((held: number) => held >= 300 && held <= 450) })
  })

  test('is answered by no leader that a quorum does not confirm', () => {
    const leader = new Leader()
    leader.session(1n)
    const call = leader.keepAlive(1n)
    leader.pass(700)
    leader.confirm(false)
    // Not at once: a node that cannot ask now would ask without end.
    expect(leader.rounds).toEqual([])
    leader.pass(200)
    expect(leader.answers.has(call)).toBe(false)
    // It goes on asking.
    expect(leader.rounds.length).toBeGreaterThan(0)
    leader.step({ type: 'deposed' })
    leader.confirm()
    expect(leader.answers.has(call)).toBe(false)
  })

  test('brings a notice at once, which extends nothing', () => {
    const leader = new Leader()
    leader.session(1n)
    leader.session(2n)
    leader.cell.lock(1n, 1, '/ls/cell/lock')
    leader.cell.lock(2n, 1, '/ls/cell/lock')
    const call = leader.keepAlive(2n)
    leader.cell.close(1n, 1)
    leader.step({ type: 'applied' })
    expect(leader.answers.get(call)).toMatchObject({
      type: 'alive',
      lease: 0,
      notices: [{ serial: 1, notice: { type: 'granted', handle: 1, token: 2n } }],
    })
  })

  test('of a session that is not there is refused by a confirmed leader only', () => {
    const leader = new Leader()
    const call = leader.keepAlive(9n)
    expect(leader.answers.has(call)).toBe(false)
    leader.confirm()
    expect(leader.answers.get(call)).toMatchObject({ type: 'refused', problem: 'no-session' })
  })
})

describe('a session', () => {
  test('whose lease is over is expired through the log, under the epoch that saw it', () => {
    const leader = new Leader()
    leader.session(1n)
    // It was heard of, and then no more.
    leader.step({ type: 'withdrawn', call: leader.keepAlive(1n) })
    leader.pass(950)
    expect(leader.proposed).toEqual([])
    leader.pass(100)
    expect(leader.proposed).toEqual([{ type: 'expire', session: 1n, epoch: epoch(1n) }])
    leader.pass(5000)
    expect(leader.proposed).toHaveLength(1)
  })

  test('is not expired because the leader itself was stopped', () => {
    const leader = new Leader()
    leader.session(1n)
    leader.now += 60_000
    leader.step({ type: 'tick' })
    expect(leader.proposed).toEqual([])
  })

  test('has a whole lease anew under another reign, and is told of the fail-over', () => {
    const leader = new Leader()
    leader.session(1n)
    leader.pass(900)
    leader.step({ type: 'deposed' })
    leader.cell.reign(2n)
    leader.step({ type: 'reigns', epoch: epoch(2n) })
    leader.pass(900)
    expect(leader.proposed).toEqual([])
    const call = leader.keepAlive(1n, 7, 1n)
    leader.confirm()
    expect(leader.answers.get(call)).toMatchObject({ epoch: epoch(2n), notices: [{ notice: { type: 'failedOver' } }] })
    leader.pass(2000)
    expect(leader.proposed).toEqual([{ type: 'expire', session: 1n, epoch: epoch(2n) }])
  })

  test('is spoken for by its own client alone, and its end only by the leader', () => {
    const leader = new Leader()
    leader.session(1n)
    leader.command({ type: 'endSession', session: 1n }, 'somebody else')
    leader.command({ type: 'expire', session: 1n, epoch: epoch(1n) })
    leader.command({ type: 'lift', epoch: epoch(1n) })
    expect(leader.refused).toHaveLength(3)
    expect(leader.cell.view.session(1n)).toBeDefined()
  })
})

describe('a write', () => {
  test('waits until whoever caches the file has acknowledged that it dropped it', () => {
    const leader = withCacher()
    const call = leader.keepAlive(1n)
    expect(leader.command(write(2n))).toBe(false)
    expect(leader.answers.get(call)).toMatchObject({ notices: [{ serial: 1, notice: { type: 'invalidate' } }] })
    // Meanwhile nobody caches it.
    const read = leader.ask({ type: 'read', session: 2n, path: '/ls/cell/f' })
    leader.confirm()
    expect(leader.answers.get(read)).toMatchObject({ cacheable: false, file: { contentGeneration: 1n } })
    leader.keepAlive(1n, 1)
    expect(leader.cell.view.file('/ls/cell/f', '')).toMatchObject({ contentGeneration: 2n })
    leader.cached(1n, '/ls/cell/f')
  })

  test('waits for a dead cacher until its lease is over', () => {
    const leader = withCacher()
    expect(leader.command(write(2n))).toBe(false)
    for (let round = 0; round < 3; round++) {
      leader.keepAlive(2n)
      leader.pass(300)
      leader.confirm()
      expect(leader.cell.view.file('/ls/cell/f', '')).toMatchObject({ contentGeneration: 1n })
    }
    leader.pass(200)
    expect(leader.cell.view.file('/ls/cell/f', '')).toMatchObject({ contentGeneration: 2n })
  })

  test('after a fail-over waits for every session, since any may cache anything', () => {
    const leader = new Leader()
    leader.session(1n)
    leader.session(2n)
    leader.open(2n, '/ls/cell/f')
    leader.step({ type: 'deposed' })
    leader.cell.reign(2n)
    leader.step({ type: 'reigns', epoch: epoch(2n) })
    expect(leader.command(write(2n))).toBe(false)
    leader.keepAlive(1n, 1, 2n)
    expect(leader.cell.view.file('/ls/cell/f', '')).toMatchObject({ contentGeneration: 1n })
    leader.keepAlive(2n, 1, 2n)
    expect(leader.cell.view.file('/ls/cell/f', '')).toMatchObject({ contentGeneration: 2n })
  })

  test('holds up no lock', () => {
    const leader = withCacher()
    expect(leader.command(write(2n))).toBe(false)
    leader.cell.open(2n, 2, '/ls/cell/lock')
    expect(leader.command({ type: 'acquire', session: 2n, handle: 2, mode: 'exclusive', queue: true })).toBe(true)
  })
})

test('two sessions that end while each waits for the other do not wait for ever', () => {
  const leader = new Leader()
  leader.session(1n)
  leader.session(2n)
  leader.open(1n, '/ls/cell/a')
  leader.open(2n, '/ls/cell/b')
  leader.cached(1n, '/ls/cell/b')
  leader.cached(2n, '/ls/cell/a')
  expect(leader.command(write(1n))).toBe(false)
  expect(leader.command(write(2n))).toBe(false)
  leader.pass(1100)
  expect(leader.cell.view.file('/ls/cell/a', '')).toMatchObject({ contentGeneration: 2n })
  expect(leader.cell.view.file('/ls/cell/b', '')).toMatchObject({ contentGeneration: 2n })
  expect(leader.proposed.map(({ type }) => type)).toEqual(['expire', 'expire'])
})

test('a lock-delay that somebody waits for is lifted when it is over', () => {
  const leader = new Leader()
  leader.session(1n)
  leader.session(2n)
  leader.cell.lock(1n, 1, '/ls/cell/lock', { lockDelay: 200 })
  leader.cell.lock(2n, 1, '/ls/cell/lock')
  leader.cell.apply({ type: 'expire', session: 1n, epoch: epoch(1n) })
  leader.step({ type: 'applied' })
  leader.pass(150)
  expect(leader.proposed).toEqual([])
  leader.pass(100)
  expect(leader.proposed).toEqual([{ type: 'lift', epoch: epoch(1n) }])
})

test('a lock-delay is lifted although other machines have commands applied all the time', () => {
  const leader = new Leader()
  leader.session(1n)
  leader.session(2n)
  leader.cell.lock(1n, 1, '/ls/cell/lock', { lockDelay: 200 })
  leader.cell.lock(2n, 1, '/ls/cell/lock')
  leader.cell.apply({ type: 'expire', session: 1n, epoch: epoch(1n) })
  for (let at = 0; at < 10; at++) {
    // What is applied is none of the lock service's: its log time stands still.
    leader.step({ type: 'applied' })
    leader.pass(50)
  }
  expect(leader.proposed.at(0)).toEqual({ type: 'lift', epoch: epoch(1n) })
})

test('a session whose lease is over is expired although commands of its own stand before that', () => {
  const leader = new Leader()
  leader.session(1n)
  leader.log = 'waits'
  leader.command({ type: 'raiseToken', session: 1n, above: 5n })
  leader.command({ type: 'raiseToken', session: 1n, above: 6n })
  leader.pass(1100)
  leader.apply()
  leader.apply()
  expect(leader.proposed).toEqual([{ type: 'expire', session: 1n, epoch: epoch(1n) }])
})

describe('a session that is ended from elsewhere', () => {
  test('is not told of a longer lease, since its locks have passed on', () => {
    const leader = new Leader()
    leader.session(1n)
    const held = leader.keepAlive(1n)
    leader.pass(300)
    leader.command({ type: 'endSession', session: 1n })
    leader.pass(100)
    leader.confirm()
    expect(leader.answers.get(held)).toMatchObject({ type: 'refused', problem: 'no-session' })
  })

  test('and is not after all, drops what it caches, for which it was no longer asked', () => {
    const leader = withCacher()
    leader.log = 'refuses'
    leader.command({ type: 'endSession', session: 1n })
    leader.log = 'applies'
    expect(leader.command(write(2n))).toBe(false)
    const call = leader.keepAlive(1n)
    expect(leader.answers.get(call)).toMatchObject({ notices: [{ notice: { type: 'invalidate', path: '' } }] })
    leader.keepAlive(1n, 1)
    expect(leader.cell.view.file('/ls/cell/f', '')).toMatchObject({ contentGeneration: 2n })
  })

  test('and is not after all, and whose lease is over by then, gets no other and is expired', () => {
    const leader = new Leader()
    leader.session(1n)
    leader.log = 'waits'
    leader.command({ type: 'endSession', session: 1n })
    leader.command({ type: 'raiseToken', session: 1n, above: 5n })
    leader.pass(1100)
    const [end = 0] = leader.admitted.splice(0)
    leader.step({ type: 'settled', admission: end, outcome: 'refused' })
    const call = leader.keepAlive(1n)
    leader.pass(100)
    leader.confirm()
    expect(leader.answers.get(call) ?? { lease: 0 }).toMatchObject({ lease: 0 })
    // What it had asked for comes first, and holds up nothing for ever.
    leader.apply()
    expect(leader.proposed).toEqual([{ type: 'expire', session: 1n, epoch: epoch(1n) }])
  })
})

test('a client that never acknowledges holds up writes for little more than a lease', () => {
  const leader = withCacher()
  expect(leader.command(write(2n))).toBe(false)
  for (let at = 0; at < 100; at++) {
    leader.keepAlive(1n)
    leader.keepAlive(2n)
    leader.pass(50)
    leader.confirm()
  }
  expect(leader.cell.view.file('/ls/cell/f', '')).toMatchObject({ contentGeneration: 2n })
  expect(leader.proposed).toEqual([{ type: 'expire', session: 1n, epoch: epoch(1n) }])
})

test('a command for a session that does not exist yet is not let in behind its creation', () => {
  const leader = new Leader()
  leader.log = 'waits'
  leader.session(1n)
  leader.command({ type: 'close', session: 1n, handle: 1 }, 'somebody else')
  expect(leader.admitted).toEqual([1])
  leader.log = 'applies'
  leader.apply()
  expect(leader.refused).toEqual([2])
})

test('a creation that waited waits for whoever caches that there is no directory on the way, if it went meanwhile', () => {
  const leader = new Leader()
  leader.session(1n)
  leader.session(2n)
  leader.cell.open(2n, 1, '/ls/cell/d', { kind: 'directory' })
  leader.cached(1n, '/ls/cell/d/f')
  expect(leader.command({ ...opening, session: 2n, handle: 2, path: '/ls/cell/d/f' })).toBe(false)
  expect(leader.command({ type: 'delete', session: 2n, handle: 1 })).toBe(true)
  leader.cached(1n, '/ls/cell/d')
  leader.keepAlive(1n, 1)
  expect(leader.cell.view.file('/ls/cell/d', '')).toBeUndefined()
  leader.keepAlive(1n, 2)
  expect(leader.cell.view.file('/ls/cell/d', '')).toBe('is-a-directory')
})

test('a list of those who may is made once everybody has dropped what they cache, once', () => {
  const leader = new Leader()
  leader.session(1n)
  leader.session(2n)
  expect(leader.command({ ...opening, session: 2n, handle: 1, path: '/ls/cell/acl/x' })).toBe(false)
  leader.keepAlive(1n, 1)
  expect(leader.cell.view.file('/ls/cell/acl/x', '')).toBeUndefined()
  leader.keepAlive(2n, 1)
  expect(leader.cell.view.file('/ls/cell/acl/x', '')).toMatchObject({ contentGeneration: 1n })
})

test('a list of those who may that is made while a session is expired does not wait for that one, nor that for the list', () => {
  const leader = new Leader()
  for (const id of [1n, 2n, 3n]) leader.session(id)
  leader.cell.open(1n, 1, '/ls/cell/e', { ephemeral: true })
  leader.step({ type: 'applied' })
  leader.cached(3n, '/ls/cell/e')
  // It is heard of once.
  leader.step({ type: 'withdrawn', call: leader.keepAlive(1n) })
  for (let at = 0; at < 22; at++) {
    leader.keepAlive(2n)
    leader.keepAlive(3n)
    leader.pass(50)
    leader.confirm()
  }
  // The expiry waits for who caches what goes with the session.
  expect(leader.proposed).toEqual([])
  expect(leader.command({ ...opening, session: 2n, handle: 1, path: '/ls/cell/acl/x' })).toBe(false)
  leader.keepAlive(2n, 1)
  leader.keepAlive(3n, 2)
  expect(leader.proposed).toEqual([{ type: 'expire', session: 1n, epoch: epoch(1n) }])
  expect(leader.cell.view.file('/ls/cell/acl/x', '')).toMatchObject({ contentGeneration: 1n })
})

test('a late command of whoever creates a session again is let in: it is refused by the state, not as invalid', () => {
  const leader = new Leader()
  leader.log = 'waits'
  leader.session(1n)
  leader.command({ type: 'close', session: 1n, handle: 1 })
  expect(leader.admitted).toEqual([1, 2])
  expect(leader.refused).toEqual([])
})

describe('what is made anew', () => {
  test('behind a change of anything waits for who caches that it is not there', () => {
    const leader = new Leader()
    for (const id of [1n, 2n, 3n]) leader.session(id)
    leader.cell.open(1n, 1, '/ls/cell/acl/x', { ephemeral: true })
    leader.cell.open(1n, 2, '/ls/cell/e', { ephemeral: true })
    leader.step({ type: 'applied' })
    leader.log = 'waits'
    // A list goes with the session, so that this may change what anybody may read; e goes too.
    leader.command({ type: 'endSession', session: 1n })
    leader.command({ ...opening, session: 2n, handle: 1, path: '/ls/cell/e' })
    const [end = 0, open = 0] = leader.admitted.splice(0)
    leader.admitted = [end]
    leader.apply()
    const read = leader.ask({ type: 'read', session: 3n, path: '/ls/cell/e' })
    leader.confirm()
    leader.admitted = [open]
    leader.apply()
    expect(leader.cell.view.file('/ls/cell/e', '')).toMatchObject({ contentGeneration: 1n })
    expect(leader.answers.get(read)).toMatchObject({ type: 'file', cacheable: false })
  })
})

describe('the end of a session', () => {
  test('that stands behind its creation waits for what was opened meanwhile', () => {
    const leader = new Leader()
    leader.session(2n)
    leader.log = 'waits'
    leader.session(1n)
    leader.command({ ...opening, session: 1n, handle: 1, path: '/ls/cell/e', ephemeral: true })
    leader.command({ type: 'endSession', session: 1n })
    const [create = 0, open = 0] = leader.admitted.splice(0)
    leader.admitted = [create]
    leader.apply()
    expect(leader.admitted).toEqual([])
    leader.admitted = [open]
    leader.log = 'applies'
    leader.apply()
    expect(leader.cell.view.session(1n)).toBeUndefined()
  })

  test('does not keep it from being told what others wait for', () => {
    const leader = new Leader()
    for (const id of [1n, 2n]) {
      leader.session(id)
      leader.open(id, '/ls/cell/f')
    }
    leader.cached(1n, '/ls/cell/f')
    leader.keepAlive(1n)
    leader.keepAlive(2n)
    // Both wait for a round that extends their leases.
    leader.pass(400)
    expect(leader.rounds).toHaveLength(1)
    // It waits for its own acknowledgement, the end for that, and the other write for both.
    expect(leader.command(write(1n))).toBe(false)
    expect(leader.command({ type: 'endSession', session: 1n })).toBe(false)
    leader.confirm()
    expect(leader.command(write(2n))).toBe(false)
    for (let at = 0; at < 10; at++) {
      leader.keepAlive(2n)
      leader.pass(300)
      leader.confirm()
    }
    expect(leader.cell.view.file('/ls/cell/f', '')).toMatchObject({ contentGeneration: 3n })
  })

  test('lets what waited for its caches go at once', () => {
    const leader = withCacher()
    expect(leader.command(write(2n))).toBe(false)
    leader.log = 'waits'
    leader.command({ type: 'endSession', session: 1n })
    expect(leader.admitted).toHaveLength(2)
  })

  test('is held up by no stranger who pretends to create it', () => {
    const leader = new Leader()
    leader.session(1n)
    leader.log = 'waits'
    for (let at = 0; at < 100; at++)
      leader.command({ type: 'createSession', session: 1n, principal: 'evil', lease: 1000 }, 'evil')
    leader.command({ type: 'endSession', session: 1n })
    leader.apply()
    expect(leader.cell.view.session(1n)).toBeUndefined()
    expect(leader.refused).toHaveLength(100)
  })
})

describe('a session that is ended and created again', () => {
  test('belongs to who created it, with a whole lease', () => {
    const leader = new Leader()
    leader.session(1n)
    leader.step({ type: 'withdrawn', call: leader.keepAlive(1n) })
    leader.pass(900)
    leader.command({ type: 'endSession', session: 1n })
    leader.command({ type: 'createSession', session: 1n, principal: 'other', lease: 1000 }, 'other')
    leader.command({ type: 'raiseToken', session: 1n, above: 77n }, 'p1')
    leader.command({ type: 'raiseToken', session: 1n, above: 78n }, 'other')
    expect(leader.cell.ask({ type: 'info' })).toMatchObject({ token: 78n })
    expect(leader.refused).toEqual([4])
    leader.pass(150)
    expect(leader.proposed).toEqual([])
  })

  test('has no command of the one before it wait for ever', () => {
    const leader = new Leader()
    leader.session(1n)
    leader.open(1n, '/ls/cell/f')
    leader.step({ type: 'withdrawn', call: leader.keepAlive(1n) })
    leader.pass(1100)
    const release: ChubbyCommand = { type: 'release', session: 1n, handle: 1 }
    leader.log = 'waits'
    leader.session(1n)
    for (let at = 0; at < 3; at++) leader.command(release)
    leader.cell.apply(leader.proposed[0] as ChubbyCommand)
    leader.step({ type: 'applied' })
    leader.log = 'applies'
    leader.apply()
    for (let at = 0; at < 10; at++) {
      leader.keepAlive(1n)
      leader.pass(50)
      leader.confirm()
    }
    expect(leader.cell.view.session(1n)).toBeDefined()
    expect(leader.command(release)).toBe(true)
  })
})

test('a client that is told more than is kept, and acknowledges all of it slowly, holds up no write for ever', () => {
  const leader = new Leader()
  for (const id of [1n, 2n, 3n]) leader.session(id)
  leader.cell.open(2n, 1, '/ls/cell/f')
  leader.cell.open(3n, 1, '/ls/cell/l')
  for (let handle = 1; handle <= 1100; handle++)
    leader.cell.open(1n, handle, '/ls/cell/l', { subscriptions: ['acquired'] })
  leader.step({ type: 'applied' })
  /** More than a thousand notices for session 1. */
  const flood = (): void => {
    leader.command({ type: 'acquire', session: 3n, handle: 1, mode: 'exclusive', queue: false })
    leader.command({ type: 'release', session: 3n, handle: 1 })
  }
  const lastOf = (call: number): number => {
    const reply = leader.answers.get(call)
    return typeof reply === 'object' && reply.type === 'alive' ? (reply.notices.at(-1)?.serial ?? 0) : 0
  }
  flood()
  leader.command(write(2n))
  for (let round = 0, acked = 0; round < 4; round++) {
    const call = leader.keepAlive(1n, acked)
    const told = lastOf(call)
    for (let half = 0; half < 2; half++) {
      leader.keepAlive(2n)
      leader.keepAlive(3n)
      leader.pass(250)
      leader.confirm()
      flood()
    }
    acked = Math.max(acked, told, lastOf(call))
  }
  expect(leader.proposed).toEqual([])
  expect(leader.cell.view.file('/ls/cell/f', '')).toMatchObject({ contentGeneration: 2n })
})

describe('what a session that was ended has left behind, and whose id another takes', () => {
  /** The end of session 1 waits for a command that is in the log; `more` waits for the end, and has its turn now that it is over. */
  const ended = (leader: Leader, ...more: ChubbyCommand[]): void => {
    leader.open(1n, '/ls/cell/g')
    leader.log = 'waits'
    leader.command({ type: 'acquire', session: 1n, handle: 1, mode: 'exclusive', queue: false })
    leader.command({ type: 'endSession', session: 1n })
    for (const command of more) leader.command(command)
    leader.apply()
    leader.apply()
    expect(leader.cell.view.session(1n)).toBeUndefined()
  }
  const create: ChubbyCommand = { type: 'createSession', session: 1n, principal: 'other', lease: 1000 }

  test('is not let in behind the creation, once what stood before it is settled', () => {
    const leader = new Leader()
    leader.session(1n)
    const release: ChubbyCommand = { type: 'release', session: 1n, handle: 1 }
    ended(leader, release, release)
    leader.command(create, 'other')
    leader.apply()
    leader.apply()
    expect(leader.refused).toEqual([5])
  })

  test('is not let in for the other, once who caches has dropped it', () => {
    const leader = new Leader()
    leader.session(1n)
    leader.session(2n)
    leader.cached(2n, '/ls/cell/f')
    ended(leader, { ...opening, session: 1n, handle: 2, path: '/ls/cell/f' })
    leader.command(create, 'other')
    leader.apply()
    leader.keepAlive(2n, 1)
    leader.apply()
    expect(leader.refused).toEqual([5])
    expect(leader.cell.ask({ type: 'session', session: 1n, after: 0 })).toMatchObject({ handles: [] })
  })
})
