import { seededRandom } from '@conclave/interface'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type BalanceCandidate,
  leastRequests,
  peakEwma,
  powerOfTwoChoices,
  roundRobin,
  smoothWeighted,
} from '../src/index.ts'

const weighted = (weights: Readonly<Record<string, number>>): BalanceCandidate[] =>
  Object.entries(weights).map(([id, weight]) => ({ id, weight }))

describe('smooth weighted round robin', () => {
  const turnsOf = (candidates: readonly BalanceCandidate[], count: number): string => {
    const balancer = smoothWeighted<BalanceCandidate>()
    return Array.from({ length: count }, () => balancer.pick({}, candidates)?.id).join('')
  }

  test('has the published turns of nginx', () => {
    expect(turnsOf(weighted({ a: 5, b: 1, c: 1 }), 14)).toBe('aabacaaaabacaa')
  })

  test('has the turns of a second implementation', () => {
    /** nginx' code in its own words: `current_weight`, `effective_weight`, `total`, `best`. */
    const reference = (weights: readonly number[], count: number): string => {
      const peers = weights.map((weight, at) => ({ at, effective_weight: weight, current_weight: 0 }))
      return Array.from({ length: count }, () => {
        let total = 0
        let best: (typeof peers)[number] | undefined
        for (const peer of peers) {
          peer.current_weight += peer.effective_weight
          total += peer.effective_weight
          if (best === undefined || peer.current_weight > best.current_weight) best = peer
        }
        if (best !== undefined) best.current_weight -= total
        return best?.at
      }).join('')
    }
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 9 }), (weights) => {
        const candidates = weights.map((weight, at) => ({ id: `${at}`, weight }))
        expect(turnsOf(candidates, 200)).toBe(reference(weights, 200))
      }),
      { seed: 1 },
    )
  })

  test('in each total of the weights everybody has exactly its weight of turns', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 9 }), (weights) => {
        const total = weights.reduce((sum, weight) => sum + weight, 0)
        const balancer = smoothWeighted<BalanceCandidate>()
        const candidates = weights.map((weight, at) => ({ id: `${at}`, weight }))
        for (let cycle = 0; cycle < 3; cycle++) {
          const picked = Array.from({ length: total }, () => balancer.pick({}, candidates)?.id)
          for (const { id, weight } of candidates) expect(picked.filter((one) => one === id)).toHaveLength(weight)
        }
      }),
      { seed: 1 },
    )
  })

  test('one that leaves after each of its turns and comes back starves nobody', () => {
    const balancer = smoothWeighted<BalanceCandidate>()
    const all = weighted({ a: 1, b: 1, c: 1 })
    const picked = new Map(all.map(({ id }) => [id, 0]))
    const pick = (candidates: readonly BalanceCandidate[]): string | undefined => {
      const id = balancer.pick({}, candidates)?.id
      if (id !== undefined) picked.set(id, (picked.get(id) ?? 0) + 1)
      return id
    }
    for (let at = 0; at < 3000; at++) if (pick(all) === 'a') pick(all.slice(1))
    for (const { id } of all) expect(picked.get(id)).toBeGreaterThan(600)
  })
})

test('one that is in every tenth list only gets its share of the turns of those', () => {
  const balancer = smoothWeighted<BalanceCandidate>()
  const all = weighted({ a: 1, b: 1, c: 1, d: 1, e: 1 })
  let turns = 0
  for (let at = 0; at < 1000; at++) if (balancer.pick({}, at % 10 === 0 ? all : all.slice(1))?.id === 'a') turns++
  expect(turns).toBeGreaterThanOrEqual(18)
  expect(turns).toBeLessThanOrEqual(22)
})

describe('round robin', () => {
  test('takes one after the other, by the number of the turn', () => {
    const balancer = roundRobin<BalanceCandidate>()
    const pick = (ids: string): string | undefined =>
      balancer.pick(
        {},
        [...ids].map((id) => ({ id })),
      )?.id
    expect([pick('abc'), pick('abc'), pick('abc'), pick('abc'), pick('ac'), pick('abc')].join('')).toBe('abcaac')
  })

  test('balancers with different seeds begin with different ones', () => {
    const candidates = [...'abcdefgh'].map((id) => ({ id }))
    const first = Array.from({ length: 50 }, (_, seed) =>
      roundRobin({ random: seededRandom(seed) }).pick({}, candidates),
    )
    expect(new Set(first).size).toBe(8)
  })
})

describe('in flight', () => {
  const abc = [...'abc'].map((id) => ({ id }))
  const [a, b, c] = abc as [BalanceCandidate, BalanceCandidate, BalanceCandidate]

  test('least requests picks the least, and one of several equally often', () => {
    const balancer = leastRequests<BalanceCandidate>({ random: seededRandom(1) })
    const first = new Set(Array.from({ length: 3 }, () => balancer.pick({}, abc)))
    expect(first.size).toBe(3)
    for (let at = 0; at < 20; at++) {
      balancer.settled?.(b, { latency: 1 })
      expect(balancer.pick({}, abc)).toBe(b)
    }
  })

  test('least requests with weights: shares by weight while idle, fewer the more is under way', () => {
    const heavy = weighted({ a: 3, b: 1 })
    const idle = leastRequests<BalanceCandidate>({ random: seededRandom(1) })
    const picks = Array.from({ length: 40 }, () => {
      const picked = idle.pick({}, heavy)
      if (picked !== undefined) idle.settled?.(picked, { latency: 1 })
      return picked?.id
    })
    expect(picks.filter((id) => id === 'a')).toHaveLength(30)
    // Three on the way to a: its weight is 3 / 4 then, that of b, idle, is 1.
    const busy = leastRequests<BalanceCandidate>({ random: seededRandom(1) })
    for (let at = 0; at < 3; at++) busy.pick({}, heavy.slice(0, 1))
    const next = Array.from({ length: 70 }, () => {
      const picked = busy.pick({}, heavy)
      if (picked !== undefined) busy.settled?.(picked, { latency: 1 })
      return picked?.id
    })
    expect(next.filter((id) => id === 'a')).toHaveLength(30)
  })

  test('power of two choices never picks the fuller one of two', () => {
    const balancer = powerOfTwoChoices<BalanceCandidate>({ random: seededRandom(1) })
    const two = [a, b]
    const first = balancer.pick({}, two)
    const second = balancer.pick({}, two)
    expect(new Set([first, second]).size).toBe(2)
    balancer.settled?.(a, { latency: 1 })
    for (let at = 0; at < 20; at++) {
      expect(balancer.pick({}, two)).toBe(a)
      balancer.settled?.(a, { latency: 1 })
    }
  })

  test.each([
    ['least requests', leastRequests],
    ['power of two choices', powerOfTwoChoices],
  ] as const)('%s: counts come right when a candidate is settled after it left, or twice', (_, factory) => {
    const balancer = factory<BalanceCandidate>({ random: seededRandom(1) })
    expect(balancer.pick({}, [a])).toBe(a)
    expect(balancer.pick({}, [a])).toBe(a)
    for (let at = 0; at < 100; at++) balancer.pick({}, [b])
    // a is gone, and one of its two ends; when it is back it has one under way, and c none.
    balancer.settled?.(a, { latency: 1 })
    expect(balancer.pick({}, [a, c])).toBe(c)
    // Both of a ended, and one too many: it has none, not less than none.
    for (let times = 0; times < 3; times++) balancer.settled?.(a, { latency: 1 })
    expect(balancer.pick({}, [a, c])).toBe(a)
    balancer.settled?.(c, { latency: 1 })
    expect(balancer.pick({}, [a, c])).toBe(c)
  })

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('a bias of %d is refused', (activeRequestBias) => {
    expect(() => leastRequests({ random: seededRandom(1), activeRequestBias })).toThrow(/activeRequestBias/)
  })
})

describe('peak EWMA', () => {
  const two = [{ id: 'fast' }, { id: 'slow' }] as const
  const at = { time: 0 }
  const balancerOf = (decayTime?: number) => {
    at.time = 0
    const given = decayTime === undefined ? {} : { decayTime }
    return peakEwma<BalanceCandidate>({ random: seededRandom(1), now: () => at.time, ...given })
  }
  const [fast, slow] = two

  test('shuns one after a single slow answer, and tries it again as that fades', () => {
    const balancer = balancerOf()
    for (const [server, latency] of [
      [fast, 10],
      [slow, 1000],
    ] as const) {
      balancer.pick({}, [server])
      balancer.settled?.(server, { latency })
    }
    const share = (): number => {
      let slowly = 0
      for (let turn = 0; turn < 100; turn++) {
        const picked = balancer.pick({}, two)
        if (picked === slow) slowly++
        // Both answer fast by now.
        if (picked !== undefined) balancer.settled?.(picked, { latency: 10 })
      }
      return slowly
    }
    expect(share()).toBe(0)
    at.time = 10_000 * Math.log(101)
    expect(share()).toBeGreaterThan(0)
  })

  test('the average is that of the formula: exp(-elapsed / decayTime) of the old one', () => {
    const balancer = balancerOf(1000)
    // 100 ms at the time 0; a second later it is 100 / e = 36.8.
    balancer.pick({}, [slow])
    balancer.settled?.(slow, { latency: 100 })
    at.time = 1000
    for (const [latency, expected] of [
      [36, fast],
      [37, slow],
    ] as const) {
      balancer.pick({}, [fast])
      balancer.settled?.(fast, { latency })
      const picked = balancer.pick({}, two)
      expect(picked).toBe(expected)
      if (picked !== undefined) balancer.settled?.(picked, { latency: 0 })
    }
  })

  test('what is under way counts: twice as many at half the latency are worth the same', () => {
    const balancer = balancerOf()
    for (const [server, latency] of [
      [fast, 10],
      [slow, 25],
    ] as const) {
      balancer.pick({}, [server])
      balancer.settled?.(server, { latency })
    }
    expect(Array.from({ length: 5 }, () => balancer.pick({}, two)?.id)).toEqual([
      'fast',
      'fast',
      'slow',
      'fast',
      'fast',
    ])
  })

  test('a new one gets one request, and no second until that ended', () => {
    const balancer = balancerOf()
    balancer.pick({}, [fast])
    balancer.settled?.(fast, { latency: 10 })
    expect(Array.from({ length: 4 }, () => balancer.pick({}, two)?.id)).toEqual(['slow', 'fast', 'fast', 'fast'])
  })

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('a decay time of %d is refused', (decayTime) => {
    expect(() => balancerOf(decayTime)).toThrow(/decayTime is a finite number above 0/)
  })
})
