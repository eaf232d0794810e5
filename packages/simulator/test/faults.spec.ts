import {
  type Fault,
  type FaultAction,
  type NodeTraits,
  type Plan,
  type RunResult,
  run,
  type TraceEvent,
} from '@conclave/simulator'
import { describe, expect, test } from 'vitest'
import { raftParts } from './parts.ts'

const ideal: NodeTraits = { clockRate: 1, upgradeAtLife: 1, drainMillis: 0, persistedMillis: 0, diskMillis: 0.4 }
const calm = { drop: 0, duplicate: 0, reorder: 0, delay: { least: 0.1, most: 0.5 } }
const chaosMillis = 1_500

const planWith = (...actions: readonly (FaultAction & { readonly at: number })[]): Plan => ({
  version: 1,
  seed: 1,
  nodes: 3,
  clients: 2,
  operationsEach: 60,
  leases: false,
  messageBytes: 8_192,
  weather: calm,
  traits: Array.from({ length: 4 }, () => ideal),
  faults: actions.map((action, at): Fault => ({ ...action, id: at + 1 })),
  chaosMillis,
  broken: { nodes: [], links: [] },
  patienceMillis: 5_000,
})

/** What is seen of a run that must end well. */
const traceOf = async (plan: Plan): Promise<{ readonly events: readonly TraceEvent[]; readonly result: RunResult }> => {
  const result = await run(plan, raftParts, { trace: true })
  expect(result.violation).toBeUndefined()
  return { events: result.trace.events, result }
}

type Of<T extends TraceEvent['type']> = TraceEvent & { readonly type: T }
const ofType = <T extends TraceEvent['type']>(events: readonly TraceEvent[], ...types: T[]): Of<T>[] =>
  events.filter((event): event is Of<T> => (types as string[]).includes(event.type))

const within = <T extends { readonly at: number }>(events: readonly T[], from: number, to: number): T[] =>
  events.filter(({ at }) => at > from && at < to)

/** A run without faults has a leader from early on. */
const leaderOf = async (): Promise<{ readonly leader: number; readonly others: readonly number[] }> => {
  const { events } = await traceOf(planWith())
  const leads = ofType(events, 'role').findLast(({ role }) => role === 'leader')
  const leader = Number(leads?.node.slice(1))
  return { leader, others: [1, 2, 3].filter((node) => node !== leader) }
}

const { leader, others } = await leaderOf()
const [one = 0, other = 0] = others
const id = (node: number): string => `n${node}`
const leads = (events: readonly TraceEvent[], node: number): number =>
  ofType(events, 'role').filter((event) => event.node === id(node) && event.role === 'leader').length

describe('without faults', () => {
  test('one leader is elected, and everything gets done', async () => {
    const { events, result } = await traceOf(planWith())
    expect(ofType(events, 'role').filter(({ role }) => role === 'leader')).toHaveLength(1)
    expect(result.counts).toMatchObject({ elections: 1, restarts: 0, faults: {}, unjudged: 0 })
    expect(result.counts.completed).toBe(result.counts.invoked)
    // Two clients with 60 operations, and the opening of a session each; after the healing they begin only a few more.
    expect(result.counts.invoked).toBeGreaterThan(100)
    expect(result.counts.invoked).toBeLessThanOrEqual(122)
    expect(result.history.length).toBeGreaterThan(100)
  })
})

describe('processes', () => {
  for (const kind of ['power', 'kill'] as const)
    test(`a crash by ${kind}: the node is gone for its time, and comes back`, async () => {
      const { events } = await traceOf(planWith({ type: 'crash', node: one, kind, downMillis: 200, at: 500 }))
      expect(ofType(events, 'crashed').map(({ node, at }) => [node, at])).toEqual([[id(one), 500]])
      const back = ofType(events, 'started').find(({ node, at }) => node === id(one) && at > 500)
      expect(back?.why).toBe('life 2')
      expect(back?.at).toBeGreaterThan(700)
      expect(within(ofType(events, 'sent'), 500.1, 699).filter(({ from }) => from === id(one))).toEqual([])
    })

  test('a crash of the leader, whoever that is, makes way for another', async () => {
    const { events, result } = await traceOf(
      planWith({ type: 'crash', node: 'leader', kind: 'kill', downMillis: 400, at: 500 }),
    )
    expect(ofType(events, 'crashed')[0]?.node).toBe(id(leader))
    expect(result.counts.elections).toBe(2)
  })

  test('a restart storm: everybody, again and again', async () => {
    const { events } = await traceOf(
      planWith({ type: 'restart-storm', times: 3, kind: 'power', everyMillis: 120, at: 500 }),
    )
    expect(ofType(events, 'crashed')).toHaveLength(9)
  })

  test('a pause: nothing happens to the process, then it goes on where it was', async () => {
    const { events, result } = await traceOf(planWith({ type: 'pause', node: leader, millis: 300, at: 500 }))
    expect(ofType(events, 'paused', 'resumed').map(({ type, at }) => [type, at])).toEqual([
      ['paused', 500],
      ['resumed', 800],
    ])
    const own = within(ofType(events, 'appended', 'decided', 'durable', 'role'), 500, 800)
    expect(own.filter(({ node }) => node === id(leader))).toEqual([])
    expect(within(ofType(events, 'sent'), 500, 800).filter(({ from }) => from === id(leader))).toEqual([])
    expect(ofType(events, 'crashed')).toEqual([])
    // It goes on as a leader that was deposed, and finds out.
    expect(result.marks.get('process went on after a pause as a deposed leader')).toBe(1)
    expect(result.counts.elections).toBeGreaterThan(1)
  })
})

describe('the network', () => {
  test('a partition: nothing passes between the groups until it ends', async () => {
    const groups = [[leader], others]
    const { events, result } = await traceOf(planWith({ type: 'partition', groups, millis: 400, at: 500 }))
    const across = (event: Of<'received' | 'lost'>): boolean =>
      (event.from === id(leader)) !== (event.to === id(leader))
    expect(within(ofType(events, 'received'), 500, 900).filter(across)).toEqual([])
    expect(within(ofType(events, 'lost'), 500, 900).filter(across).length).toBeGreaterThan(5)
    expect(within(ofType(events, 'received'), 900, 1_400).filter(across).length).toBeGreaterThan(5)
    expect(result.counts.elections).toBe(2)
  })

  test('isolation: the same for one node', async () => {
    const { events } = await traceOf(planWith({ type: 'isolate', node: 'leader', millis: 300, at: 500 }))
    const received = within(ofType(events, 'received'), 500, 800)
    expect(received.filter(({ from, to }) => from === id(leader) || to === id(leader))).toEqual([])
    expect(received.length).toBeGreaterThan(0)
  })

  test('a link that is cut in one direction: the other goes on', async () => {
    const { events } = await traceOf(planWith({ type: 'one-way', from: one, to: leader, millis: 300, at: 500 }))
    const passed = (from: number, to: number): number =>
      within(ofType(events, 'received'), 500, 800).filter((event) => event.from === id(from) && event.to === id(to))
        .length
    expect(passed(one, leader)).toBe(0)
    expect(passed(leader, one)).toBeGreaterThan(5)
  })

  test('a reset: both ends hear that the link is down, and that it is made again', async () => {
    const heard: string[] = []
    const engine: typeof raftParts.engine = {
      ...raftParts.engine,
      create: (init) => {
        const made = raftParts.engine.create(init)
        return {
          supports: made.supports,
          drain: () => made.drain(),
          status: () => made.status(),
          step: (input, now) => {
            if (input.type === 'peer' && now > 1_490) heard.push(`${init.self} ${input.id} ${input.state}`)
            made.step(input, now)
          },
        }
      },
    }
    await run(planWith({ type: 'reset', a: leader, b: one, at: 500 }), { ...raftParts, engine })
    expect(heard.toSorted()).toEqual(
      [
        [leader, one],
        [one, leader],
      ]
        .flatMap(([self, peer]) => [`n${self} n${peer} down`, `n${self} n${peer} up`])
        .toSorted(),
    )
  })

  test('weather: for its time, everything may be lost', async () => {
    const storm = { ...calm, drop: 1 }
    const { events } = await traceOf(planWith({ type: 'weather', weather: storm, millis: 200, at: 500 }))
    expect(within(ofType(events, 'received'), 501, 700)).toEqual([])
    expect(within(ofType(events, 'received'), 700, 900).length).toBeGreaterThan(0)
  })

  test('weather: messages that arrive twice, and out of their order, are told apart by their copies', async () => {
    const storm = { drop: 0, duplicate: 1, reorder: 0.5, delay: { least: 0.5, most: 3 } }
    const { events } = await traceOf(planWith({ type: 'weather', weather: storm, millis: 400, at: 500 }))
    const sent = within(ofType(events, 'sent'), 500, 890)
    expect(new Set(sent.map(({ what, from, to, at }) => `${what} ${from} ${to} ${at}`)).size).toBeLessThanOrEqual(
      sent.length / 2,
    )
    const ids = within(ofType(events, 'received'), 500, 900).map(({ id: copy }) => copy)
    expect(ids).not.toEqual(ids.toSorted((a, b) => a - b))
  })
})

describe('disks', () => {
  test('a stall: nothing becomes durable until it ends', async () => {
    const { events } = await traceOf(planWith({ type: 'disk-stall', node: one, millis: 200, at: 500 }))
    const durable = ofType(events, 'durable').filter(({ node }) => node === id(one))
    expect(within(durable, 501, 700)).toEqual([])
    expect(within(durable, 700, 900).length).toBeGreaterThan(0)
  })

  test('a full disk: who leads refuses writes, and hands over', async () => {
    const { result } = await traceOf(planWith({ type: 'disk-full', node: 'leader', millis: 600, at: 300 }))
    expect(result.marks.get('disk full refused a write') ?? 0).toBeGreaterThan(0)
    expect(result.counts.elections).toBeGreaterThan(1)
  })

  test('syncs that fail: the node stops by itself, and starts again on what the disk then holds', async () => {
    const { events } = await traceOf(planWith({ type: 'disk-fails', node: one, millis: 150, at: 500 }))
    expect(ofType(events, 'stopped').map(({ node, why }) => [node, why])).toContainEqual([id(one), 'its disk fails'])
    expect(ofType(events, 'started').filter(({ node }) => node === id(one)).length).toBeGreaterThan(1)
  })

  test('a changed bit: the node that reads it refuses to start and never comes back; a spare takes its place', async () => {
    let refused = 0
    for (let seed = 1; seed <= 12; seed++) {
      const plan = { ...planWith({ type: 'disk-corruption', node: one, downMillis: 20, at: 900 }), seed }
      const { events } = await traceOf(plan)
      const stopped = ofType(events, 'stopped').find(({ why }) => why === 'its journal is damaged')
      // Or the bit stood where nothing counts any more, and the node starts.
      if (stopped === undefined) {
        expect(ofType(events, 'started').filter(({ node }) => node === id(one))).toHaveLength(2)
        continue
      }
      refused++
      expect(ofType(events, 'removed')).toMatchObject([{ node: id(one) }])
      expect(ofType(events, 'joined')).toMatchObject([{ node: 'n4' }])
      expect(ofType(events, 'started').filter(({ node, at }) => node === id(one) && at > stopped.at)).toEqual([])
    }
    expect(refused).toBeGreaterThan(1)
  })

  test('a lost disk: the node never comes back under its id; a spare takes its place', async () => {
    const { events, result } = await traceOf(planWith({ type: 'disk-lost', node: one, at: 500 }))
    expect(ofType(events, 'crashed')).toMatchObject([{ node: id(one), why: 'its disk is lost' }])
    expect(ofType(events, 'started').filter(({ node }) => node === id(one))).toHaveLength(1)
    expect(result.marks.get('lost node replaced by a spare')).toBe(1)
  })

  test('a second disk is not lost while the cluster could not bear it', async () => {
    const faults = [one, other].map((node, index) => ({ type: 'disk-lost', node, at: 500 + index }) as const)
    const { result } = await traceOf(planWith(...faults))
    expect(result.counts.faults['disk-lost']).toBe(1)
  })
})

describe('elections and members', () => {
  test('a coup: who is elected next is cut off at once, and who elected it restarts', async () => {
    const { events, result } = await traceOf(
      planWith({ type: 'coup', on: 'election', afterMillis: 0, millis: 200, kind: 'power', at: 0 }),
    )
    const elected = ofType(events, 'fault').find(({ fault }) => fault === 'coup')?.nodes[0]
    const crashed = ofType(events, 'crashed').map(({ node }) => node)
    expect(crashed).toHaveLength(2)
    expect(crashed).not.toContain(elected)
    expect(result.counts.elections).toBeGreaterThan(1)
  })

  test('a spare joins as a voter, and another member leaves: the leader itself', async () => {
    const { events, result } = await traceOf(
      planWith({ type: 'add', node: 4, role: 'voter', at: 300 }, { type: 'remove', node: 'leader', at: 800 }),
    )
    expect(ofType(events, 'joined').map(({ node }) => node)).toEqual(['n4'])
    expect(ofType(events, 'removed').map(({ node }) => node)).toEqual([id(leader)])
    expect(result.marks.get('leader removed')).toBe(1)
  })

  test('a spare joins as a learner, and is promoted', async () => {
    const { events } = await traceOf(
      planWith({ type: 'add', node: 4, role: 'learner', at: 300 }, { type: 'promote', node: 4, at: 700 }),
    )
    const decided = ofType(events, 'decided').filter(({ what }) => what.startsWith('members'))
    expect(decided.map(({ what }) => what.split(' of ')[0])).toContain('members n1 n2 n3 n4?')
    expect(decided.at(-1)?.what).toMatch(/^members n1 n2 n3 n4 of/)
  })

  test('a transfer: who was named leads', async () => {
    const { events, result } = await traceOf(planWith({ type: 'transfer', to: one, at: 500 }))
    expect(leads(events, one)).toBe(1)
    expect(result.marks.get('transfer completed')).toBe(1)
  })

  test('what makes no sense when its time comes does nothing', async () => {
    const { result } = await traceOf(
      planWith(
        { type: 'transfer', to: leader, at: 500 },
        { type: 'promote', node: one, at: 500 },
        { type: 'remove', node: 4, at: 500 },
        { type: 'disk-stall', node: 4, millis: 100, at: 500 },
        { type: 'crash', node: 4, kind: 'kill', downMillis: 10, at: 500 },
      ),
    )
    expect(result.counts.faults).toEqual({})
  })
})

describe('what stays broken', () => {
  test('a minority that stays down, and the others converge', async () => {
    const { result, events } = await traceOf({ ...planWith(), broken: { nodes: [one], links: [] } })
    expect(result.marks.get('converged with a minority still broken')).toBe(1)
    expect(ofType(events, 'crashed')).toMatchObject([{ node: id(one), at: chaosMillis }])
  })

  test('a node that hears nobody, and the others converge', async () => {
    const links = [leader, other].map((from) => ({ from, to: one }))
    const { result, events } = await traceOf({ ...planWith(), broken: { nodes: [], links } })
    expect(result.marks.get('converged with a link still cut in one direction')).toBe(1)
    const end = ofType(events, 'received').filter(({ to, at }) => to === id(one) && at > chaosMillis)
    expect(end).toEqual([])
  })

  test('a majority does not stay broken, whatever the plan says', async () => {
    const { result } = await traceOf({ ...planWith(), broken: { nodes: [1, 2], links: [] } })
    expect(result.marks.has('converged with a minority still broken')).toBe(false)
  })
})

describe('the engine of a node', () => {
  test('speaks the version before until it was restarted often enough', async () => {
    const plan = planWith({ type: 'restart-storm', times: 2, kind: 'kill', everyMillis: 200, at: 500 })
    const traits = plan.traits.map((given, at) => (at === 0 ? { ...given, upgradeAtLife: 3 } : given))
    const made: string[] = []
    const { engine, previousEngine = engine } = raftParts
    const told = (factory: typeof engine, version: string): typeof engine => ({
      ...factory,
      create: (init) => {
        if (init.self === 'n1') made.push(version)
        return factory.create(init)
      },
    })
    const parts = { ...raftParts, engine: told(engine, 'new'), previousEngine: told(previousEngine, 'old') }
    const { violation } = await run({ ...plan, traits }, parts)
    expect(violation).toBeUndefined()
    expect(made).toEqual(['old', 'old', 'new'])
  })

  test('sees time at the rate of its own clock, from an origin of its own', async () => {
    const plan = planWith()
    const traits = plan.traits.map((given, at) => ({ ...given, clockRate: at === 0 ? 1.2 : 1 }))
    const spans = new Map<string, number>()
    const engine: typeof raftParts.engine = {
      ...raftParts.engine,
      create: (init) => {
        const made = raftParts.engine.create(init)
        let first: number | undefined
        return {
          supports: made.supports,
          drain: () => made.drain(),
          status: () => made.status(),
          step: (input, now) => {
            first ??= now
            spans.set(init.self, now - first)
            made.step(input, now)
          },
        }
      },
    }
    const { simulatedMillis } = await run({ ...plan, traits }, { ...raftParts, engine })
    expect((spans.get('n1') ?? 0) / simulatedMillis).toBeCloseTo(1.2, 1)
    expect((spans.get('n2') ?? 0) / simulatedMillis).toBeCloseTo(1, 1)
  })
})
