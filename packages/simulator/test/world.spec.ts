import {
  type Decided,
  decodeBatch,
  encodeBatch,
  encodeBlock,
  epoch,
  type LogTime,
  position,
  type StateMachine,
  sessionCommands,
} from '@conclave/interface'
import { encodeKey, encodePut, kvMachine } from '@conclave/machine-kv'
import { createReplica } from '@conclave/replica'
import { type Hooks, planOf, type RunResult, run, VirtualClock } from '@conclave/simulator'
import { describe, expect, test } from 'vitest'
import { Gate, ProcessClock } from '../src/process-clock.ts'
import { checkReplay } from '../src/replay-check.ts'
import { SessionsModel } from '../src/sessions-model.ts'
import { streamsOf } from '../src/streams.ts'
import { raftParts, seeds } from './parts.ts'

describe('a run', () => {
  test('is the same with its whole trace and without', async () => {
    for (const seed of [11, 12]) {
      const plan = planOf(seed, { durationMillis: 800 })
      const [short, whole] = [await run(plan, raftParts), await run(plan, raftParts, { trace: true })]
      expect(whole.digest).toBe(short.digest)
      expect(whole.trace.events.length).toBeGreaterThan(short.trace.events.length)
      expect(short.trace.events.some(({ type }) => type === 'sent')).toBe(false)
      expect(whole.counts).toEqual(short.counts)
      expect(whole.marks).toEqual(short.marks)
    }
  })

  test('of a plan that lacks one fault has the same luck up to where that fault struck', async () => {
    const plan = planOf(21)
    const last = plan.faults.at(-1)
    if (last === undefined) throw new Error('this plan has faults')
    const [a, b] = [plan, { ...plan, faults: plan.faults.slice(0, -1) }].map((each) =>
      run(each, raftParts, { trace: true }),
    )
    const before = async (of: Promise<RunResult> | undefined): Promise<unknown> =>
      (await of)?.trace.events.filter(({ at }) => at < last.at)
    expect(await before(a)).toEqual(await before(b))
  })

  test('shrinks to nothing: no clients, no faults', async () => {
    const { violation, counts } = await run({ ...planOf(1), faults: [], clients: 0, operationsEach: 0 }, raftParts)
    expect(violation).toBeUndefined()
    expect(counts.invoked).toBe(0)
  })

  test('in which an engine throws is a violation', async () => {
    const engine: typeof raftParts.engine = {
      ...raftParts.engine,
      create: (init) => {
        const made = raftParts.engine.create(init)
        let steps = 0
        return {
          supports: made.supports,
          drain: () => made.drain(),
          status: () => made.status(),
          step: (input, now) => {
            if (init.self === 'n2' && ++steps > 100) throw new Error('a hundred steps are enough')
            made.step(input, now)
          },
        }
      },
    }
    const { violation } = await run(planOf(3, { faults: [] }), { engine })
    expect(violation).toMatchObject({ invariant: 'availability' })
    expect(violation?.what).toContain('n2 stopped: Error: a hundred steps are enough')
  })
})

describe('an environment that is broken on purpose is noticed', () => {
  const until = async (hooks: Hooks, most: number): Promise<RunResult['violation']> => {
    for (const seed of seeds(1, most)) {
      const { violation } = await run(planOf(seed), { ...raftParts, hooks })
      if (violation !== undefined) return violation
    }
    return undefined
  }

  test('retries under new serials', async () => {
    expect(await until({ renumberRetries: true }, 20)).toBeDefined()
  })

  test('a disk that drops the syncs of groups', async () => {
    const hooks: Hooks = { disk: (disk) => disk.faults.skippedSyncs.add('group') }
    expect(await until(hooks, 20)).toBeDefined()
  })

  test('a replica that lets every message leave before its write', { timeout: 120_000 }, async () => {
    const early: typeof createReplica = (init) =>
      createReplica({
        ...init,
        engine: {
          ...init.engine,
          create: (given) => {
            const made = init.engine.create(given)
            return {
              supports: made.supports,
              step: (input, now) => made.step(input, now),
              status: () => made.status(),
              drain: () => {
                const effects = made.drain()
                return { ...effects, send: effects.send.map((send) => ({ ...send, early: true as const })) }
              },
            }
          },
        },
      })
    let found: RunResult['violation']
    for (const seed of seeds(1, 200)) {
      found = (await run(planOf(seed), { ...raftParts, createReplica: early })).violation
      if (found !== undefined) break
    }
    expect(found).toBeDefined()
  })
})

describe('a process clock', () => {
  const made = (rate = 1, drainMillis = 0) => {
    const world = new VirtualClock()
    const gate = new Gate(world)
    const clock = new ProcessClock({ world, gate, rate, drainMillis, random: streamsOf(1)('test') })
    return { world, gate, clock }
  }
  const runTo = (world: VirtualClock, until: number): void => {
    while (world.step(until));
  }

  test('runs at its rate', () => {
    const { world, clock } = made(2)
    const [begin, fired] = [clock.now(), [] as number[]]
    clock.after(10, () => fired.push(world.now()))
    runTo(world, 10)
    expect(fired).toEqual([5])
    expect(clock.now() - begin).toBe(20)
  })

  test('of a stopped process holds everything back, and lets it go in order', () => {
    const { world, gate, clock } = made()
    const told: string[] = []
    clock.after(5, () => told.push(`five at ${world.now()}`))
    clock.after(9, () => told.push(`nine at ${world.now()}`))
    const cancelled = clock.after(7, () => told.push('cancelled'))
    clock.after(30, () => told.push(`thirty at ${world.now()}`))
    gate.pause()
    gate.pause()
    runTo(world, 20)
    cancelled()
    gate.resume()
    runTo(world, 21)
    expect(told).toEqual([])
    gate.resume()
    runTo(world, 40)
    expect(told).toEqual(['five at 21', 'nine at 21', 'thirty at 30'])
  })

  test('of a dead process does nothing any more', () => {
    const { world, clock } = made()
    let fired = false
    clock.after(1, () => {
      fired = true
    })
    clock.dead = true
    runTo(world, 5)
    expect(fired).toBe(false)
  })

  test('collects what is deferred for a turn, and keeps its order', () => {
    const { world, clock } = made(1, 5)
    const told: string[] = []
    for (const [at, what] of [
      [0, 'a'],
      [0, 'b'],
      [0.1, 'c'],
      [0.2, 'd'],
      [20, 'e'],
    ] as const)
      world.after(at, () => clock.defer(() => told.push(`${what} ${world.now() > at}`)))
    runTo(world, 40)
    expect(told.map((line) => line[0]).join('')).toBe('abcde')
    expect(told.every((line) => line.endsWith('true'))).toBe(true)
  })
})

describe('streams of random numbers', () => {
  test('are the same for a name, and different for another name or seed', () => {
    const draw = (seed: number, ...name: (string | number)[]): number => streamsOf(seed)(...name).next()
    expect(draw(1, 'link', 'n1>n2')).toBe(draw(1, 'link', 'n1>n2'))
    const all = seeds(0, 20).flatMap((seed) =>
      ['link', 'disk', 'client'].flatMap((name) => [1, 2, 3].map((at) => draw(seed, name, at))),
    )
    expect(new Set(all).size).toBe(all.length)
    expect(draw(2 ** 33, 'plan')).not.toBe(draw(0, 'plan'))
  })
})

const command = (key: string, value: string): Uint8Array => encodePut(encodeKey(key), new TextEncoder().encode(value))
const opened = encodeBlock(7n, 0, [{ serial: 0, machine: 0, bytes: Uint8Array.of(sessionCommands.open) }])
const log = (count: number): Decided[] =>
  Array.from({ length: count }, (_, at) => ({
    type: 'batch' as const,
    position: position(at + 1),
    epoch: epoch(1n),
    batch: encodeBatch(at as LogTime, [
      ...(at === 0 ? [opened] : []),
      encodeBlock(7n, Math.max(1, at - 3), [{ serial: at + 1, machine: 1, bytes: command(`k${at % 3}`, `${at}`) }]),
    ]),
  }))

describe('replaying a log', () => {
  const init = { decided: log(12), seed: 1, stateAt: () => undefined }

  test('equals restoring a snapshot at every position and replaying the rest', async () => {
    expect(await checkReplay({ ...init, machines: () => [kvMachine()] })).toBeUndefined()
  })

  test('is held against what nodes had', async () => {
    const what = await checkReplay({
      ...init,
      machines: () => [kvMachine()],
      stateAt: (at) => (at === 5 ? 'else' : undefined),
    })
    expect(what).toContain('another state at position 5 than the nodes had')
  })

  test('finds a machine whose snapshot leaves something out', async () => {
    const forgetful = (): StateMachine => {
      const machine = kvMachine()
      let applied = 0
      return {
        name: machine.name,
        apply: (bytes, context) => {
          applied++
          return machine.apply(bytes, context)
        },
        query: (query) => machine.query(query),
        capture: () => machine.capture(),
        restore: (body) => machine.restore(body),
        hash: () => `${machine.hash()} ${applied}`,
      }
    }
    expect(await checkReplay({ ...init, machines: () => [forgetful()] })).toContain('does not restore the state')
  })
})

describe('the model of sessions', () => {
  test('agrees with what is decided in these batches', () => {
    const model = new SessionsModel()
    for (const decided of log(3)) model.decide(decided.type === 'batch' ? decided.batch : undefined)
    model.decide(undefined)
    const [again] = log(1)
    if (again?.type !== 'batch') throw new Error('a batch')
    expect(decodeBatch(again.batch).blocks).toHaveLength(2)
    model.decide(again.batch)
    expect(model.dueAt(1)).toMatchObject([{ session: 7n, serial: 1 }])
    expect(model.dueAt(4)).toEqual([])
    expect(model.dueAt(5)).toEqual([])
    expect(model.dueAt(6)).toBeUndefined()
    expect(model.skipped).toBe(1)
    expect(model.placeOf(7n, 2)).toBe(2)
    expect(model.placeOf(7n, 9)).toBeUndefined()
  })
})
