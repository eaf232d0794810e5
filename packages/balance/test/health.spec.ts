import type { Balancer } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import {
  activeHealth,
  type BalanceCandidate,
  type BalanceRequest,
  circuitBreaker,
  HealthReports,
  type OutlierEjectionInit,
  outlierEjection,
  panicThreshold,
  roundRobin,
} from '../src/index.ts'

const listOf = (ids: string): BalanceCandidate[] => [...ids].map((id) => ({ id }))
const fail = { latency: 1, error: 'refused' }
const succeed = { latency: 1 }

/** The ids that are picked of so many requests, sorted, each once. */
const picked = (balancer: Balancer<BalanceRequest, BalanceCandidate>, list: readonly BalanceCandidate[]): string => {
  const ids = new Set<string>()
  for (let at = 0; at < 4 * list.length; at++) {
    const one = balancer.pick({}, list)
    if (one === undefined) continue
    ids.add(one.id)
    balancer.settled?.(one, succeed)
  }
  return [...ids].sort().join('')
}

describe('health reports', () => {
  test('change their mind after so many reports in a row', () => {
    const reports = new HealthReports({ unhealthyThreshold: 3, healthyThreshold: 2 })
    const seen = [false, false, true, false, false, false, true, false, true, true].map((healthy) => {
      reports.report('a', healthy)
      return reports.healthy('a')
    })
    expect(seen).toEqual([true, true, true, true, true, false, false, false, false, true])
  })

  test('may begin with nothing being healthy: a first success is enough then', () => {
    const reports = new HealthReports({ assumeHealthy: false })
    expect(reports.healthy('a')).toBe(false)
    reports.report('a', true)
    expect(reports.healthy('a')).toBe(true)
    reports.report('b', false)
    reports.report('b', true)
    expect(reports.healthy('b')).toBe(false)
    reports.forget('a')
    expect(reports.healthy('a')).toBe(false)
  })

  test('of nobody who is healthy: nobody is picked', () => {
    const reports = new HealthReports({ unhealthyThreshold: 1 })
    const balancer = activeHealth(roundRobin<BalanceCandidate>(), { reports })
    reports.report('b', false)
    expect(picked(balancer, listOf('abc'))).toBe('ac')
    for (const id of 'ac') reports.report(id, false)
    expect(balancer.pick({}, listOf('abc'))).toBeUndefined()
  })

  test.each([0, 1.5, Number.NaN])('a threshold of %d is refused', (threshold) => {
    expect(() => new HealthReports({ unhealthyThreshold: threshold })).toThrow(/unhealthyThreshold is a whole number/)
    expect(() => new HealthReports({ healthyThreshold: threshold })).toThrow(/healthyThreshold is a whole number/)
  })
})

describe('outlier ejection', () => {
  const ten = listOf('abcdefghij')
  const world = (init: Omit<OutlierEjectionInit, 'now'> = {}, list = ten) => {
    const clock = { time: 0 }
    const balancer = outlierEjection(roundRobin<BalanceCandidate>(), { now: () => clock.time, ...init })
    balancer.pick({}, list)
    const settle = (id: string, result: { latency: number; error?: unknown }, times = 1): void => {
      for (let at = 0; at < times; at++) balancer.settled?.({ id }, result)
    }
    return {
      clock,
      balancer,
      settle,
      out: () =>
        ten
          .filter((one) => !balancer.fit(one))
          .map(({ id }) => id)
          .join(''),
    }
  }

  test('five errors in a row eject; a success in between begins anew', () => {
    const { settle, out, balancer } = world()
    settle('a', fail, 4)
    settle('a', succeed)
    settle('a', fail, 4)
    expect(out()).toBe('')
    settle('a', fail)
    expect(out()).toBe('a')
    expect(picked(balancer, ten)).toBe('bcdefghij')
  })

  test('each ejection takes longer than the one before, up to the bound, and quiet intervals take that back', () => {
    const { clock, settle, out } = world({ baseEjectionTime: 1000, maxEjectionTime: 2500, interval: 100_000 })
    for (const millis of [1000, 2000, 2500, 2500]) {
      settle('a', fail, 5)
      clock.time += millis - 1
      expect(out()).toBe('a')
      clock.time += 1
      expect(out()).toBe('')
    }
    // Four intervals, one for each ejection.
    for (let at = 0; at < 4; at++) {
      clock.time += 100_000
      out()
    }
    settle('a', fail, 5)
    clock.time += 1000
    expect(out()).toBe('')
  })

  test('no more are ejected than the part that may be, but one always', () => {
    const { settle, out } = world({ maxEjected: 0.3 })
    for (const { id } of ten) settle(id, fail, 5)
    expect(out()).toBe('abc')
    const small = world({ maxEjected: 0.1 }, listOf('abc'))
    for (const id of 'abc') small.settle(id, fail, 5)
    expect(small.out()).toBe('a')
    const none = world({ maxEjected: 0 })
    none.settle('a', fail, 5)
    expect(none.out()).toBe('')
  })

  /** A hundred results each, of which the given numbers are errors, never five in a row. */
  const rates = (errors: Readonly<Record<string, number>>, volume = 100) => {
    const made = world({ maxEjected: 1, consecutiveErrors: 100 })
    for (const { id } of ten) {
      made.settle(id, fail, errors[id] ?? 0)
      made.settle(id, succeed, volume - (errors[id] ?? 0))
    }
    made.clock.time += 10_000
    return made.out()
  }

  test('a success rate far below the others ejects, once an interval is over', () => {
    expect(rates({ d: 50 })).toBe('d')
    expect(rates({ a: 1, b: 2, c: 1, d: 2, e: 1, f: 2 })).toBe('')
    expect(rates({ a: 50, b: 50, c: 50, d: 50, e: 50 })).toBe('')
  })

  test('success rates of too few requests, or of too few candidates, tell nothing', () => {
    expect(rates({ d: 50 }, 99)).toBe('')
    const few = world({ maxEjected: 1, consecutiveErrors: 100 })
    for (const id of 'abcd') few.settle(id, id === 'd' ? fail : succeed, 50)
    few.clock.time += 10_000
    expect(few.out()).toBe('')
  })

  test('a latency far above the median ejects, if that is asked for', () => {
    for (const latency of [false, { factor: 3 }] as const) {
      const { settle, out, clock } = world({ latency })
      for (const { id } of ten) settle(id, { latency: id === 'd' ? 31 : 10 }, 100)
      clock.time += 10_000
      expect(out()).toBe(latency === false ? '' : 'd')
    }
  })

  test('results of one that is ejected count for nothing', () => {
    const { settle, out, clock } = world({ baseEjectionTime: 1000 })
    settle('a', fail, 5)
    settle('a', fail, 50)
    settle('a', succeed, 50)
    expect(out()).toBe('a')
    clock.time += 1000
    expect(out()).toBe('')
    settle('a', fail, 4)
    expect(out()).toBe('')
  })

  test.each([
    [{ consecutiveErrors: 0 }, /consecutiveErrors/],
    [{ interval: 0 }, /interval/],
    [{ baseEjectionTime: Number.NaN }, /baseEjectionTime/],
    [{ maxEjectionTime: 1 }, /maxEjectionTime \(1\) is less/],
    [{ maxEjected: 1.1 }, /maxEjected is a number from 0 to 1/],
    [{ successRate: { requestVolume: 0 } }, /requestVolume/],
    [{ latency: { factor: 1 } }, /factor is above 1/],
  ] satisfies [Partial<OutlierEjectionInit>, RegExp][])('refuses %o', (init, message) => {
    expect(() => outlierEjection(roundRobin(), { now: () => 0, ...init })).toThrow(message)
  })
})

describe('panic threshold', () => {
  test('uses all when fewer than half are fit', () => {
    const reports = new HealthReports({ unhealthyThreshold: 1 })
    const balancer = panicThreshold(activeHealth(roundRobin<BalanceCandidate>(), { reports }))
    const list = listOf('abcd')
    for (const [down, left] of [
      ['a', 'bcd'],
      ['b', 'cd'],
      ['c', 'abcd'],
      ['d', 'abcd'],
    ] as const) {
      reports.report(down, false)
      expect(picked(balancer, list)).toBe(left)
    }
  })

  test('0 is never; what is no part is refused', () => {
    const reports = new HealthReports({ unhealthyThreshold: 1 })
    const inner = activeHealth(roundRobin<BalanceCandidate>(), { reports })
    reports.report('a', false)
    expect(picked(panicThreshold(inner, { threshold: 0 }), listOf('a'))).toBe('')
    for (const threshold of [-0.1, 1.1, Number.NaN])
      expect(() => panicThreshold(inner, { threshold })).toThrow(/threshold/)
  })

  test('goes through all that judge, and keeps to limits of load', () => {
    const reports = new HealthReports({ unhealthyThreshold: 1 })
    const limited = circuitBreaker(roundRobin<BalanceCandidate>(), { now: () => 0, maxInFlight: 1 })
    const balancer = panicThreshold(
      outlierEjection(activeHealth(limited, { reports }), { now: () => 0, maxEjected: 1 }),
    )
    const list = listOf('ab')
    balancer.pick({}, [])
    for (const id of 'ab') reports.report(id, false)
    expect(balancer.pick({}, list)?.id).toBe('a')
    expect(balancer.pick({}, list)?.id).toBe('b')
    expect(balancer.pick({}, list)).toBeUndefined()
  })
})

describe('circuit breaker', () => {
  const world = (init = {}) => {
    const clock = { time: 0 }
    return { clock, balancer: circuitBreaker(roundRobin<BalanceCandidate>(), { now: () => clock.time, ...init }) }
  }
  const [a, b] = listOf('ab') as [BalanceCandidate, BalanceCandidate]

  test('bounds what is in flight, and counts right when a candidate left meanwhile', () => {
    const { balancer } = world({ maxInFlight: 2 })
    expect(Array.from({ length: 5 }, () => balancer.pick({}, [a, b])?.id)).toEqual(['a', 'b', 'a', 'b', undefined])
    balancer.pick({}, [b])
    balancer.settled?.(a, succeed)
    balancer.settled?.(b, succeed)
    expect(Array.from({ length: 3 }, () => balancer.pick({}, [a])?.id)).toEqual(['a', undefined, undefined])
    for (let at = 0; at < 9; at++) balancer.settled?.(a, succeed)
    expect(Array.from({ length: 3 }, () => balancer.pick({}, [a])?.id)).toEqual(['a', 'a', undefined])
  })

  test('closed, open, half open, closed', () => {
    const { clock, balancer } = world({ consecutiveErrors: 2, openTime: 100 })
    expect(balancer.stateOf(a)).toBe('closed')
    for (let at = 0; at < 2; at++) {
      balancer.pick({}, [a])
      balancer.settled?.(a, fail)
    }
    expect([balancer.stateOf(a), balancer.fit(a), balancer.pick({}, [a])]).toEqual(['open', false, undefined])
    clock.time = 100
    expect([balancer.stateOf(a), balancer.fit(a)]).toEqual(['half-open', true])
    // One trial at a time; the other candidate takes the rest.
    expect(Array.from({ length: 4 }, () => balancer.pick({}, [a, b])?.id).filter((id) => id === 'a')).toHaveLength(1)
    balancer.settled?.(a, fail)
    expect(balancer.stateOf(a)).toBe('open')
    clock.time = 200
    balancer.pick({}, [a])
    balancer.settled?.(a, succeed)
    expect(balancer.stateOf(a)).toBe('closed')
    expect(balancer.pick({}, [a])).toBe(a)
  })

  test('results while it is open count for nothing', () => {
    const { balancer } = world({ consecutiveErrors: 2 })
    for (let at = 0; at < 4; at++) balancer.pick({}, [a])
    for (const result of [fail, fail, succeed, succeed]) balancer.settled?.(a, result)
    expect(balancer.stateOf(a)).toBe('open')
  })

  test.each([
    [{ maxInFlight: 0 }, /maxInFlight/],
    [{ consecutiveErrors: 0.5 }, /consecutiveErrors/],
    [{ openTime: 0 }, /openTime/],
    [{ trials: 0 }, /trials/],
  ])('refuses %o', (init, message) => {
    expect(() => world(init)).toThrow(message)
  })
})
