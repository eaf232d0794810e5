import type { EngineFactory } from '@conclave/interface'
import {
  type ComparisonRequest,
  disturbances,
  faultTypes,
  measure,
  type Parts,
  type Sample,
  summarize,
  type TrialSpec,
  trialsOf,
} from '@conclave/simulator'
import { describe, expect, test } from 'vitest'
import { spreadOf } from '../src/measure/figures.ts'
import { paxosParts, raftParts, zabParts } from './parts.ts'

const request: ComparisonRequest = {
  nodes: [3],
  latencyMillis: 0.5,
  loss: 0,
  clients: 8,
  valueBytes: 256,
  faults: 'all',
  seed: 1,
  seeds: 1,
}
const setting = { ...request, nodes: 3 }
const engines = [
  ['raft', raftParts],
  ['paxos', paxosParts],
  ['zab', zabParts],
] as const

const load = async (scenario: 'idle' | 'alone' | 'loaded', parts: Parts, nodes = 3) => {
  const sample = await measure({ scenario, setting: { ...setting, nodes }, seed: 1 }, parts)
  if (sample.scenario !== scenario || sample.result === undefined) throw new Error(`no figures: ${sample.scenario}`)
  return sample.result
}

const delaysOf = async (parts: Parts) => {
  const sample = await measure({ scenario: 'delays', setting, seed: 1 }, parts)
  if (sample.scenario !== 'delays' || sample.result === undefined) throw new Error(`no figures: ${sample.scenario}`)
  return sample.result
}

const faultOf = (disturbance: string, parts: Parts, scenario: 'fault' | 'failover' = 'fault'): Promise<Sample> =>
  measure({ scenario, disturbance, setting, seed: 1 }, parts)

/** The same engine, with something of what it does or says changed. */
const altered = (change: (made: ReturnType<EngineFactory['create']>) => Partial<typeof made>): Parts => ({
  ...raftParts,
  engine: {
    ...raftParts.engine,
    create: (init) => {
      const made = raftParts.engine.create(init)
      const same = {
        supports: made.supports,
        step: made.step.bind(made),
        drain: made.drain.bind(made),
        status: made.status.bind(made),
      }
      return { ...same, ...change(made) }
    },
  },
})

describe('message delays', () => {
  // Raft, section 5.3: the leader appends, a majority replies. Multi-Paxos, "Paxos made simple", section 3: phase 2 alone.
  test.each(engines)(
    '%s decides a write two one-way delays after the proposal, and answers it after four',
    async (_, parts) => {
      const { decided, answered } = await delaysOf(parts)
      expect(new Set(decided)).toEqual(new Set([2]))
      expect(new Set(answered)).toEqual(new Set([4]))
    },
  )

  // Ongaro's dissertation, section 6.4: a round of heartbeats to a majority.
  test.each(engines)('%s confirms a linearizable read by one round', async (_, parts) => {
    const { readDecided, readAnswered } = await delaysOf(parts)
    expect(new Set(readDecided)).toEqual(new Set([2]))
    expect(new Set(readAnswered)).toEqual(new Set([4]))
  })

  test('do not hang on how long a delay is', async () => {
    const sample = await measure({ scenario: 'delays', setting: { ...setting, latencyMillis: 4 }, seed: 1 }, raftParts)
    expect(sample).toMatchObject({ result: { decided: Array.from({ length: 12 }, () => 2) } })
  })
})

describe('messages of Raft', () => {
  // A heartbeat each 50 ms to every follower, and its answer.
  test.each([3, 5])('%i nodes without clients: heartbeats and nothing else', async (nodes) => {
    const { messages, syncs, commands } = await load('idle', raftParts, nodes)
    expect(messages).toBe((1_000 / 50) * 2 * (nodes - 1))
    expect([syncs, commands]).toEqual([0, 0])
  })

  test.each([3, 5])(
    '%i nodes, one client: an append and a reply per follower and entry, and a sync per node',
    async (nodes) => {
      const { messages, entries, commands, syncs, millis, bytes } = await load('alone', raftParts, nodes)
      const followers = nodes - 1
      expect(commands).toBe(entries)
      // Besides: heartbeats, and once a tick of 10 ms at the most the news that the last entry is committed; each with its answer.
      const heartbeats = (millis / 50) * 2 * followers
      const commits = (millis / 10) * 2 * followers
      const replication = entries * 2 * followers
      expect(messages).toBeGreaterThanOrEqual(replication)
      expect(messages).toBeLessThanOrEqual(replication + heartbeats + commits)
      expect(syncs / entries).toBeCloseTo(nodes, 1)
      expect(bytes / commands).toBeGreaterThan(followers * setting.valueBytes)
    },
  )

  test('under load an entry takes no more of them, and holds several commands', async () => {
    const { messages, entries, commands, syncs } = await load('loaded', raftParts)
    expect(commands / entries).toBeGreaterThan(1.05)
    expect(messages / entries).toBeGreaterThan(3.9)
    expect(messages / entries).toBeLessThan(4.5)
    expect(syncs / entries).toBeLessThan(3)
  })

  test('an engine that sends everything twice is found out', async () => {
    const chatty = altered((made) => ({
      drain: () => {
        const effects = made.drain()
        return { ...effects, send: effects.send.flatMap((send) => [send, send]) }
      },
    }))
    const [once, twice] = [await load('alone', raftParts), await load('alone', chatty)]
    expect(twice.messages / twice.entries).toBeGreaterThan(1.8 * (once.messages / once.entries))
  })
})

describe('messages of Zab', () => {
  // "A simple totally ordered broadcast protocol", section 4: propose, acknowledge, commit.
  test('one client: three messages per follower and entry, and the last tells everybody', async () => {
    const { messages, entries, millis } = await load('alone', zabParts)
    const [replication, pings] = [entries * 3 * 2, (millis / 50) * 2 * 2]
    expect(messages).toBeGreaterThan(replication - 6)
    expect(messages).toBeLessThan(replication + pings + 6)
    const { everywhereMillis } = await delaysOf(zabParts)
    expect(new Set(everywhereMillis)).toEqual(new Set([3 * setting.latencyMillis]))
  })
})

describe('faults', () => {
  test('each kind that the simulator has is among them', () => {
    expect(new Set(disturbances.map(({ type }) => type))).toEqual(new Set(faultTypes))
    for (const { name, type } of disturbances)
      expect(name.startsWith(type) || type === 'one-way' || name === 'remove leader').toBe(true)
  })

  test('a follower that is gone is not missed', async () => {
    const sample = await faultOf('crash follower', raftParts)
    expect(sample).toMatchObject({ result: { begun: 301, served: 301 } })
    expect(sample).not.toHaveProperty('result.decidedMillis')
  })

  test('a cluster without any links serves nothing until they are healed', async () => {
    const sample = await faultOf('partition', raftParts)
    if (sample.scenario !== 'fault' || typeof sample.result !== 'object') throw new Error('no figures')
    const { result } = sample
    expect(result.gapMillis).toBeGreaterThan(2_000)
    expect(result.served / result.begun).toBeGreaterThan(0.1)
    expect(result.served / result.begun).toBeLessThan(0.4)
  })

  test('a crash that links tell of is over sooner than one that only a time-out tells of', async () => {
    const decided = async (name: string): Promise<number> => {
      const sample = await faultOf(name, raftParts, 'failover')
      if (sample.scenario !== 'failover' || typeof sample.result !== 'object') throw new Error('no figures')
      return sample.result.decidedMillis ?? Number.POSITIVE_INFINITY
    }
    expect(await decided('crash leader')).toBeLessThan(250)
    // The least time-out is 300 ms after the last heartbeat.
    const unnoticed = await decided('crash leader, unnoticed')
    expect(unnoticed).toBeGreaterThan(250)
    expect(unnoticed).toBeLessThan(1_500)
  })

  test('what an engine does not offer is told as that', async () => {
    const fixed = altered((made) => ({ supports: { ...made.supports, membership: false } }))
    expect(await faultOf('add', fixed)).toMatchObject({ result: 'unsupported' })
  })
})

describe('an engine that errs', () => {
  test('a cluster that finds no leader has no figures', async () => {
    const idle = altered(() => ({ step: () => {} }))
    expect(await measure({ scenario: 'alone', setting, seed: 1 }, idle)).toEqual({
      scenario: 'alone',
      result: undefined,
    })
    const { sizes } = summarize({ ...request, seeds: 1 }, [
      { engine: 'idle', samples: [{ scenario: 'alone', result: undefined }] },
    ])
    expect(sizes[0]?.figures.idle).toMatchObject({ alone: null, delays: null, faults: { reset: null } })
  })

  test('an invariant that is violated is told, with the run that shows it', async () => {
    // Acknowledges before its disk has anything.
    const hasty = altered((made) => ({
      drain: () => {
        const effects = made.drain()
        return { ...effects, send: effects.send.map((send) => ({ ...send, early: true as const })) }
      },
    }))
    const trials = trialsOf(request)
    const at = trials.findIndex(({ scenario }) => scenario === 'alone')
    const spec = trials[at]
    if (spec === undefined) throw new Error('no such trial')
    const samples: Sample[] = []
    samples[at] = await measure(spec, hasty)
    const { violations } = summarize(request, [{ engine: 'hasty', samples }])
    expect(violations).toMatchObject([{ engine: 'hasty', nodes: 3, seed: 1, scenario: 'alone' }])
    expect(violations[0]?.invariant).toMatch(/durable/)
  })
})

describe('figures', () => {
  test('of many are told by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, at) => 100 - at)
    expect(spreadOf(hundred)).toEqual({ least: 1, median: 50, p99: 99, most: 100 })
    expect(spreadOf([3])).toEqual({ least: 3, median: 3, p99: 3, most: 3 })
    expect(spreadOf([0.12345, 7])).toMatchObject({ least: 0.123, p99: 7 })
  })

  test('are the same for the same seeds, byte for byte, and others for others', async () => {
    const few = (seed: number): TrialSpec[] =>
      trialsOf({ ...request, seed }).filter((spec) =>
        'disturbance' in spec ? spec.disturbance === 'weather: loss' : spec.scenario === 'alone',
      )
    const figures = async (seed: number): Promise<string> => {
      const samples: Sample[] = []
      for (const spec of few(seed)) samples.push(await measure(spec, raftParts))
      return JSON.stringify(samples)
    }
    const first = await figures(1)
    expect(await figures(1)).toBe(first)
    expect(await figures(2)).not.toBe(first)
  })

  test('more seeds are more fail-overs, and a twentieth of that of other faults', () => {
    const count = (seeds: number, scenario: TrialSpec['scenario'], name?: string): number =>
      trialsOf({ ...request, seeds }).filter(
        (spec) => spec.scenario === scenario && (!('disturbance' in spec) || spec.disturbance === name),
      ).length
    expect([1, 20, 100].map((seeds) => count(seeds, 'failover', 'pause leader'))).toEqual([1, 20, 100])
    expect([1, 20, 100].map((seeds) => count(seeds, 'fault', 'reset'))).toEqual([1, 1, 5])
    expect([1, 20, 100].map((seeds) => count(seeds, 'alone'))).toEqual([1, 1, 3])
  })
})
