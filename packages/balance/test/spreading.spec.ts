import { seededRandom } from '@conclave/interface'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loadsOf } from '../src/decorators/level-loads.ts'
import {
  activeHealth,
  type BalanceCandidate,
  HealthReports,
  localityFirst,
  priorities,
  RetryBudget,
  random as randomly,
  ringHash,
  roundRobin,
  slowStart,
  subsetting,
} from '../src/index.ts'

const listOf = (ids: string, given: Partial<BalanceCandidate> = {}): BalanceCandidate[] =>
  [...ids].map((id) => ({ id, ...given }))

describe('priorities', () => {
  const loads = (...levels: [fit: number, all: number][]): number[] => {
    const made = new Float64Array(levels.length)
    loadsOf(
      levels.map(([fit, all]) => ({ fit, all })),
      1.4,
      made,
    )
    return Array.from(made, (load) => Math.round(load * 100))
  }

  test('load moves on as in the tables of Envoy', () => {
    expect(loads([100, 100], [100, 100])).toEqual([100, 0])
    expect(loads([72, 100], [72, 100])).toEqual([100, 0])
    expect(loads([71, 100], [71, 100])).toEqual([99, 1])
    expect(loads([50, 100], [50, 100])).toEqual([70, 30])
    expect(loads([25, 100], [100, 100])).toEqual([35, 65])
    expect(loads([25, 100], [25, 100])).toEqual([50, 50])
    expect(loads([5, 100], [10, 100], [20, 100])).toEqual([14, 29, 57])
    expect(loads([0, 100], [100, 100])).toEqual([0, 100])
    expect(loads([0, 0], [1, 1])).toEqual([0, 100])
    expect(loads([0, 30], [0, 10])).toEqual([75, 25])
    expect(loads()).toEqual([])
  })

  test('loads are all of it, whoever is fit', () => {
    const level = fc.nat({ max: 20 }).chain((all) => fc.tuple(fc.nat({ max: all }), fc.constant(all)))
    fc.assert(
      fc.property(fc.array(level, { minLength: 1, maxLength: 5 }), (levels) => {
        fc.pre(levels.some(([, all]) => all > 0))
        const made = new Float64Array(levels.length)
        loadsOf(
          levels.map(([fit, all]) => ({ fit, all })),
          1.4,
          made,
        )
        expect(made.reduce((sum, load) => sum + load, 0)).toBeCloseTo(1)
        expect(made.every((load, at) => load >= 0 && (load === 0 || (levels[at]?.[1] ?? 0) > 0))).toBe(true)
      }),
      { seed: 1 },
    )
  })

  const parts = (
    balancer: ReturnType<typeof priorities>,
    list: readonly BalanceCandidate[],
  ): Readonly<Record<string, number>> => {
    const counts: Record<string, number> = {}
    for (let at = 0; at < 10_000; at++) {
      const { id } = balancer.pick({ key: `${at}` }, list) ?? { id: 'nobody' }
      counts[id] = (counts[id] ?? 0) + 1
    }
    return counts
  }
  const near = (count = 0, part: number): boolean => Math.abs(count / 10_000 - part) < 0.02

  test('the next level gets what the fit ones of the first cannot bear', () => {
    const reports = new HealthReports({ unhealthyThreshold: 1 })
    const balancer = priorities(() => activeHealth(roundRobin<BalanceCandidate>(), { reports }), {
      random: seededRandom(1),
    })
    const list = [...listOf('abcd'), ...listOf('xy', { priority: 1 })]
    expect(Object.keys(parts(balancer, list)).sort().join('')).toBe('abcd')
    for (const id of 'ab') reports.report(id, false)
    const counts = parts(balancer, list)
    // 1.4 × 2 / 4 = 70 % for c and d.
    expect([near(counts.c, 0.35), near(counts.d, 0.35), near(counts.x, 0.15), near(counts.y, 0.15)]).toEqual(
      Array(4).fill(true),
    )
    expect(Object.keys(counts)).toHaveLength(4)
  })

  test('a key stays at its level, and what moves to the next level are its keys only', () => {
    const reports = new HealthReports({ unhealthyThreshold: 1 })
    const random = seededRandom(1)
    const balancer = priorities(() => activeHealth(ringHash<BalanceCandidate>({ random }), { reports }), { random })
    const list = [...listOf('abcd'), ...listOf('xy', { priority: 1 })]
    const places = () => Array.from({ length: 2000 }, (_, at) => balancer.pick({ key: `${at}` }, list)?.id ?? '')
    const before = places()
    for (const id of 'ab') reports.report(id, false)
    const after = places()
    expect(places()).toEqual(after)
    const moved = before.filter((id, at) => 'cd'.includes(id) && after[at] !== id)
    const moreThan = moved.length / before.filter((id) => 'cd'.includes(id)).length
    // 30 % of all keys go to the next level, those of c and d among them.
    expect(Math.abs(moreThan - 0.3)).toBeLessThan(0.05)
  })

  test('the own locality comes first, within each priority', () => {
    const list: BalanceCandidate[] = [
      { id: 'near', locality: 'here' },
      { id: 'far', locality: 'there' },
      { id: 'near spare', locality: 'here', priority: 1 },
      { id: 'nowhere' },
    ]
    const level = localityFirst('here')
    expect(list.map(level)).toEqual([0, 1, 2, 1])
    const random = seededRandom(1)
    const balancer = priorities<object, BalanceCandidate>(() => randomly({ random }), { random, level })
    for (const [left, first] of [
      [list, ['near']],
      [list.slice(1), ['far', 'nowhere']],
      [list.slice(2, 3), ['near spare']],
    ] as const)
      for (let at = 0; at < 20; at++) expect(first).toContain(balancer.pick({}, left)?.id)
  })

  test('levels that are none are refused by pick, and harmless to settled', () => {
    const random = seededRandom(1)
    const balancer = priorities<object, BalanceCandidate>(() => roundRobin(), { random })
    for (const priority of [-1, 128, 0.5, Number.NaN]) {
      expect(() => balancer.pick({}, listOf('a', { priority }))).toThrow(/"a" has the level .*; it takes 0 to 127/)
      balancer.settled?.({ id: 'a', priority }, { latency: 1 })
    }
    expect(() => priorities(() => roundRobin(), { random, overprovisioning: 0.9 })).toThrow(
      /overprovisioning is at least/,
    )
  })
})

describe('slow start', () => {
  const world = (given = {}) => {
    const clock = { time: 0 }
    const init = { now: () => clock.time, random: seededRandom(1), window: 1000, ...given }
    return { clock, balancer: slowStart(ringHash<BalanceCandidate>({ random: seededRandom(2) }), init) }
  }
  const places = ({ balancer }: ReturnType<typeof world>, list: readonly BalanceCandidate[]) =>
    Array.from({ length: 5000 }, (_, at) => balancer.pick({ key: `${at}` }, list)?.id)
  const ofB = (all: readonly (string | undefined)[]) => all.filter((id) => id === 'b').length

  test('the share of a new candidate rises along its window; those of the first list are not new', () => {
    const made = world()
    const full = ofB(places(world(), listOf('abcd')))
    expect(ofB(places(made, listOf('acd')))).toBe(0)
    for (const [time, part] of [
      [0, 0.1],
      [50, 0.1],
      [500, 0.5],
      [900, 0.9],
      [1000, 1],
    ] as const) {
      made.clock.time = time
      expect(Math.abs(ofB(places(made, listOf('abcd'))) / full - part)).toBeLessThan(0.05)
    }
  })

  test('aggression bends the curve', () => {
    const made = world({ aggression: 2, minimum: 0 })
    const full = ofB(places(world(), listOf('abcd')))
    places(made, listOf('acd'))
    places(made, listOf('abcd'))
    made.clock.time = 250
    expect(Math.abs(ofB(places(made, listOf('abcd'))) / full - 0.5)).toBeLessThan(0.05)
  })

  test('keys move to the newcomer once, and to nobody else', () => {
    const made = world()
    let before = places(made, listOf('acd'))
    for (const time of [0, 300, 600, 1000]) {
      made.clock.time = time
      const after = places(made, listOf('abcd'))
      for (const [at, id] of after.entries())
        if (id !== before[at]) expect([id, before[at] === 'b']).toEqual(['b', false])
      before = after
    }
  })

  test('one that is left out of a list for a moment is not new', () => {
    const made = world()
    const full = ofB(places(made, listOf('abcd')))
    made.clock.time = 5000
    places(made, listOf('acd'))
    expect(ofB(places(made, listOf('abcd')))).toBe(full)
    // Away for a window, it is.
    made.balancer.pick({}, listOf('acd'))
    made.clock.time = 6000
    made.balancer.pick({}, listOf('ac'))
    expect(ofB(places(made, listOf('abcd')))).toBeLessThan(full / 2)
  })

  test('nobody is left out when all are new', () => {
    const made = world({ minimum: 0 })
    places(made, listOf('a'))
    expect(new Set(places(made, listOf('xyz'))).size).toBe(3)
  })

  test.each([
    [{ window: 0 }, /window/],
    [{ aggression: 0 }, /aggression/],
    [{ minimum: 2 }, /minimum/],
  ])('refuses %o', (init, message) => {
    expect(() => world(init)).toThrow(message)
  })
})

describe('deterministic subsetting', () => {
  const subsetOf = (list: readonly BalanceCandidate[], client: number, size: number): string => {
    const balancer = subsetting(roundRobin<BalanceCandidate>(), { client, size })
    const ids = new Set(list.map(() => balancer.pick({}, list)?.id ?? ''))
    return [...ids].sort().join('')
  }
  const twelve = listOf('abcdefghijkl')

  test('the clients of a round share the candidates out, each another part', () => {
    for (let round = 0; round < 5; round++) {
      const parts = [0, 1, 2, 3].map((at) => subsetOf(twelve, round * 4 + at, 3))
      expect([...parts.join('')].sort().join('')).toBe('abcdefghijkl')
    }
  })

  test('rounds are shuffled differently', () => {
    expect(new Set(Array.from({ length: 20 }, (_, round) => subsetOf(twelve, round * 4, 3))).size).toBeGreaterThan(10)
  })

  test('every candidate has as many clients as any other, in whole rounds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 6 }), (size, rounds) => {
        fc.pre(12 % size === 0)
        const counts = new Map<string, number>()
        for (let client = 0; client < rounds * (12 / size); client++)
          for (const id of subsetOf(twelve, client, size)) counts.set(id, (counts.get(id) ?? 0) + 1)
        expect(new Set(counts.values())).toEqual(new Set([rounds]))
        expect(counts.size).toBe(12)
      }),
      { seed: 1, numRuns: 50 },
    )
  })

  test('what is left over is idle in one round and in use in others', () => {
    const used = new Set(Array.from({ length: 40 }, (_, client) => [...subsetOf(twelve, client, 5)]).flat())
    expect(used.size).toBe(12)
    expect(subsetOf(twelve, 0, 5)).toHaveLength(5)
    // More than half: one subset a round.
    expect(subsetOf(twelve, 0, 7)).toHaveLength(7)
    expect(subsetOf(twelve, 0, 12)).toHaveLength(12)
    expect(subsetOf(twelve, 0, 99)).toHaveLength(12)
  })

  test('the order of the list makes no difference', () => {
    for (let client = 0; client < 10; client++)
      expect(subsetOf(twelve.toReversed(), client, 3)).toBe(subsetOf(twelve, client, 3))
  })

  test('a client and a size that are none are refused', () => {
    expect(() => subsetting(roundRobin(), { client: -1, size: 1 })).toThrow(/client/)
    expect(() => subsetting(roundRobin(), { client: 0, size: 0 })).toThrow(/size/)
  })
})

describe('retry budget', () => {
  const world = (given = {}) => {
    const clock = { time: 0 }
    return { clock, budget: new RetryBudget({ now: () => clock.time, ...given }) }
  }
  const withdrawn = (budget: RetryBudget): number => {
    let count = 0
    while (budget.withdraw()) count++
    return count
  }

  test('allows a part of the requests, and some in each second', () => {
    const { budget } = world({ ratio: 0.2, minPerSecond: 0 })
    expect(withdrawn(budget)).toBe(0)
    for (let at = 0; at < 100; at++) budget.deposit()
    expect(budget.balance).toBe(20)
    expect(withdrawn(budget)).toBe(20)
    expect(withdrawn(world().budget)).toBe(100)
  })

  test('forgets what is older than its window', () => {
    const { clock, budget } = world({ minPerSecond: 0, window: 1000 })
    for (let at = 0; at < 50; at++) budget.deposit()
    clock.time = 999
    expect(budget.balance).toBe(10)
    clock.time = 1000
    expect(budget.balance).toBe(0)
    for (let at = 0; at < 5; at++) budget.deposit()
    clock.time = 50_000
    expect(budget.balance).toBe(0)
  })

  test('in any window there are no more retries than the ratio and the reserve allow', () => {
    const step = fc.record({ millis: fc.nat({ max: 300 }), retry: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const { clock, budget } = world({ ratio: 0.5, minPerSecond: 2, window: 1000 })
        const log: { time: number; retry: boolean }[] = []
        for (const { millis, retry } of steps) {
          clock.time += millis
          if (!retry) budget.deposit()
          if (!retry || budget.withdraw()) log.push({ time: clock.time, retry })
        }
        for (const { time } of log) {
          const inside = log.filter((one) => one.time > time - 900 && one.time <= time)
          const requests = log.filter((one) => !one.retry && one.time > time - 1900 && one.time <= time).length
          expect(inside.filter((one) => one.retry).length).toBeLessThanOrEqual(0.5 * requests + 2)
        }
      }),
      { seed: 1 },
    )
  })

  test.each([
    [{ ratio: -1 }, /ratio/],
    [{ minPerSecond: Number.NaN }, /minPerSecond/],
    [{ window: 0 }, /window/],
  ])('refuses %o', (init, message) => {
    expect(() => world(init)).toThrow(message)
  })
})
