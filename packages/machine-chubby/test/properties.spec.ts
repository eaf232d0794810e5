import { epoch } from '@conclave/interface'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CommandReply, LockMode } from '../src/index.ts'
import { bodyOf, pieces } from './bodies.ts'
import { Cell, copyOf } from './cell.ts'

const paths = ['/ls/cell/a', '/ls/cell/b'] as const
const delays = [0, 40, 100] as const
const reign = epoch(1n)

interface Member {
  readonly who: string
  readonly mode: LockMode
  readonly delay: number
}

/** A lock as one would explain it: who has it, who stands in line, and until when nobody gets it. */
class NaiveLock {
  holders: Member[] = []
  line: Member[] = []
  until = 0
  token = 0
}

/** All locks of a cell, with no care for speed. A handle is `session.handle`; each has one path for its whole life. */
class Model {
  readonly locks = new Map<string, NaiveLock>()
  readonly open = new Map<string, { readonly path: string; readonly delay: number }>()
  readonly granted: string[] = []
  token = 0
  time = 0

  lockOf(path: string): NaiveLock {
    const lock = this.locks.get(path) ?? new NaiveLock()
    this.locks.set(path, lock)
    return lock
  }

  #serve(lock: NaiveLock, asking?: string): void {
    for (;;) {
      const [first] = lock.line
      const fits = lock.holders.length === 0 || (first?.mode === 'shared' && lock.holders[0]?.mode === 'shared')
      if (first === undefined || !fits || this.time < lock.until) return
      if (lock.holders.length === 0) lock.token = ++this.token
      lock.holders.push(first)
      lock.line.shift()
      if (first.who !== asking) this.granted.push(`${first.who} granted ${first.mode} ${lock.token}`)
    }
  }

  acquire(who: string, mode: LockMode, queue: boolean): string {
    const handle = this.open.get(who)
    if (handle === undefined) return 'no-handle'
    const lock = this.lockOf(handle.path)
    const has = [...lock.holders, ...lock.line].find((member) => member.who === who)
    if (has !== undefined && has.mode !== mode) return 'lock-in-use'
    const isDelayed = this.time < lock.until
    if (has === undefined) {
      lock.line.push({ who, mode, delay: handle.delay })
      this.#serve(lock, who)
    }
    if (lock.holders.some((member) => member.who === who)) return `${mode} ${lock.token}`
    const place = lock.holders.length + lock.line.findIndex((member) => member.who === who)
    if (queue || has !== undefined) return `behind ${place}`
    lock.line.pop()
    return isDelayed ? 'delayed' : 'busy'
  }

  leave(who: string, failed: boolean): 'lock' | 'place' | 'nothing' {
    const handle = this.open.get(who)
    if (handle === undefined) return 'nothing'
    const lock = this.lockOf(handle.path)
    const held = lock.holders.find((member) => member.who === who)
    const waits = lock.line.some((member) => member.who === who)
    lock.holders = lock.holders.filter((member) => member !== held)
    lock.line = lock.line.filter((member) => member.who !== who)
    if (held !== undefined && failed && held.delay > 0) lock.until = Math.max(lock.until, this.time + held.delay)
    if (held !== undefined || waits) this.#serve(lock)
    return held !== undefined ? 'lock' : waits ? 'place' : 'nothing'
  }

  end(session: bigint, failed: boolean): void {
    const own = [...this.open.keys()].filter((who) => who.startsWith(`${session}.`))
    const waits = (who: string) => [...this.locks.values()].some(({ line }) => line.some((each) => each.who === who))
    for (const who of own) if (waits(who)) this.leave(who, false)
    for (const who of own) this.close(who, failed)
  }

  close(who: string, failed: boolean): void {
    this.leave(who, failed)
    this.open.delete(who)
  }

  lift(): void {
    for (const lock of [...this.locks.values()].sort((a, b) => a.until - b.until)) this.#serve(lock)
  }
}

const session = fc.constantFrom(1n, 2n, 3n, 4n)
const handle = fc.constantFrom(1, 2, 3)
const mode = fc.constantFrom<LockMode>('exclusive', 'exclusive', 'shared')
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('open' as const),
      session,
      handle,
      path: fc.constantFrom(...paths),
      delay: fc.constantFrom(...delays),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('acquire' as const), session, handle, mode, queue: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('release' as const), session, handle }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('close' as const), session, handle }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('endSession' as const), session }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('expire' as const), session }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('pass' as const), time: fc.constantFrom(10, 50, 100) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('lift' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const wordsOf = (reply: CommandReply): string => {
  if (reply.status === 'refused') return reply.problem === 'no-session' ? 'no-handle' : reply.problem
  if (reply.status !== 'lock') return reply.status
  const { lock } = reply
  if (lock.state === 'held') return `${lock.mode} ${lock.token}`
  return lock.state === 'queued' ? `behind ${lock.position}` : lock.delayed ? 'delayed' : 'busy'
}

/** Does it to both, and compares what is answered. */
const take = (cell: Cell, model: Model, step: Step): void => {
  switch (step.type) {
    case 'open': {
      const who = `${step.session}.${step.handle}`
      cell.sessions(step.session)
      cell.open(step.session, step.handle, step.path, { lockDelay: step.delay })
      model.lockOf(step.path)
      if (!model.open.has(who)) model.open.set(who, step)
      return
    }
    case 'acquire': {
      const answer = wordsOf(cell.apply(step))
      expect(answer).toBe(model.acquire(`${step.session}.${step.handle}`, step.mode, step.queue))
      return
    }
    case 'release': {
      const reply = cell.apply(step)
      if (reply.status === 'released') expect(reply.had).toBe(model.leave(`${step.session}.${step.handle}`, false))
      else expect(model.open.has(`${step.session}.${step.handle}`)).toBe(false)
      return
    }
    case 'close':
      cell.apply(step)
      model.close(`${step.session}.${step.handle}`, false)
      return
    case 'endSession':
      cell.apply(step)
      model.end(step.session, false)
      return
    case 'expire':
      cell.apply({ ...step, epoch: reign })
      model.end(step.session, true)
      return
    case 'pass':
      cell.time += step.time
      model.time = cell.time
      return
    case 'lift':
      cell.apply({ type: 'lift', epoch: reign })
      model.lift()
      return
  }
}

const stateOf = (cell: Cell): unknown => {
  const answer = cell.ask({ type: 'locks', prefix: '/ls', after: '', limit: 100 })
  if (answer.status !== 'locks') return answer
  return answer.locks.map(({ path, holders, waiters, token, delay }) => {
    const line = waiters.map(({ session, mode }) => `${session} ${mode}`)
    return {
      path,
      holders: holders.map(({ session }) => `${session}`),
      line,
      delay,
      ...(holders.length > 0 && { token }),
    }
  })
}

const modelState = ({ locks, time }: Model): unknown =>
  [...locks]
    .map(([path, { holders, line, until, token }]) => ({
      path,
      holders: holders.map(({ who }) => who.split('.')[0]),
      line: line.map(({ who, mode }) => `${who.split('.')[0]} ${mode}`),
      delay: Math.max(0, until - time),
      ...(holders.length > 0 && { token: BigInt(token) }),
    }))
    .filter(({ holders, line, delay }) => holders.length > 0 || line.length > 0 || delay > 0)
    .sort((a, b) => (a.path < b.path ? -1 : 1))

test('locks are granted, queued, delayed and told as a naive model says, also across a restore', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 120, size: 'max' }), fc.nat(120), async (steps, moved) => {
      const cell = new Cell()
      const model = new Model()
      cell.reign(reign)
      cell.events()
      for (const [at, step] of steps.entries()) {
        if (at === moved) await cell.machine.restore(pieces(await bodyOf(cell.machine), 100))
        take(cell, model, step)
        expect(cell.events()).toEqual(model.granted.splice(0))
      }
      // Log time goes on with what is applied.
      cell.sessions(99n)
      expect(stateOf(cell)).toEqual(modelState(model))
      expect((await copyOf(cell.machine)).hash()).toBe(cell.machine.hash())
    }),
    { numRuns: 1000 },
  )
})
