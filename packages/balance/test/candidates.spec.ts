import { seededRandom } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { type BalanceCandidate, strategies, strategyNames } from '../src/index.ts'
import { Tables } from '../src/tables.ts'
import { mostGone, Tracked } from '../src/tracking/tracked.ts'

const init = { random: seededRandom(1), now: () => 0 }
const byWeight = strategyNames.filter((name) => strategies[name].needs.weights)

describe('candidates', () => {
  test.each(byWeight)('%s refuses weights that are none, and two with one id; and goes on after that', (name) => {
    const balancer = strategies[name].factory<BalanceCandidate>(init)
    const fine = [{ id: 'a' }, { id: 'b' }]
    for (const weight of [-1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => balancer.pick({}, [{ id: 'a', weight }])).toThrow(/"a" has the weight .*; it takes a finite number/)
    expect(() => balancer.pick({}, [{ id: 'a' }, { id: 'a' }])).toThrow(/two candidates have the id "a"/)
    expect(fine).toContain(balancer.pick({}, fine))
  })

  test.each(byWeight)('%s sees a weight that changes in place, and takes a copy for the same candidate', (name) => {
    const balancer = strategies[name].factory<{ id: string; weight: number }>(init)
    const list = [
      { id: 'a', weight: 1 },
      { id: 'b', weight: 0 },
    ]
    for (let at = 0; at < 10; at++) expect(balancer.pick({ key: `${at}` }, list)?.id).toBe('a')
    for (const candidate of list) candidate.weight = 1 - candidate.weight
    for (let at = 0; at < 10; at++) expect(balancer.pick({ key: `${at}` }, list)?.id).toBe('b')
    const copy = structuredClone(list)
    expect(balancer.pick({ key: 'a' }, copy)).toBe(copy[1])
  })

  test.each(byWeight)('%s picks somebody however large or small weights are', (name) => {
    for (const weights of [[1e308, 1e308, 1e308], [1e39], [1e39, 1], [1e-320, 1e-320], [1e-50], [1e9, 1]]) {
      const balancer = strategies[name].factory<BalanceCandidate>(init)
      const list = weights.map((weight, at) => ({ id: `${at}`, weight }))
      for (let at = 0; at < 20; at++) {
        const picked = balancer.pick({ key: `${at}` }, list)
        expect(list, `${weights}`).toContain(picked)
        if (at % 2 === 0 && picked !== undefined) balancer.settled?.(picked, { latency: 1 })
      }
    }
  })
})

describe('tables', () => {
  test('of one candidate do not drive out others', () => {
    const made: string[] = []
    const tables = new Tables(({ ids }) => made.push(ids.join('')))
    for (const ids of ['abcd', 'a', 'b', 'c', 'd', 'abcd']) tables.of([...ids].map((id) => ({ id })))
    expect(made).toEqual(['abcd', 'a', 'b', 'c', 'd'])
  })

  test('are made once for each of the last four lists', () => {
    const made: string[] = []
    const tables = new Tables(({ ids }) => made.push(ids.join('')))
    const of = (ids: string): number => tables.of([...ids].map((id) => ({ id })))
    for (let round = 0; round < 3; round++) for (const ids of ['abcd', 'bcd', 'acd', 'abd']) of(ids)
    expect(made).toEqual(['abcd', 'bcd', 'acd', 'abd'])
    // A fifth takes the place of the one that was used the longest ago.
    for (const ids of ['abc', 'abd', 'acd', 'bcd', 'abcd']) of(ids)
    expect(made.slice(4)).toEqual(['abc', 'abcd'])
    expect(of('abcd')).toBe(6)
  })
})

describe('what is remembered', () => {
  const list = (from: number, to: number): BalanceCandidate[] =>
    Array.from({ length: to - from }, (_, at) => ({ id: `${from + at}` }))

  test('of candidates that are gone is forgotten when nothing is under way to them', () => {
    const tracked = new Tracked(() => ({ pending: 0 }))
    for (let from = 0; from < 10_000; from += 10) {
      const present = list(from, from + 10)
      for (const candidate of present) tracked.of(candidate, present).pending++
      for (const candidate of present) tracked.ended(candidate)
    }
    expect(tracked.size).toBeLessThan(50)
  })

  test('is bounded also for a caller that never says how requests ended: the oldest are forgotten', () => {
    const tracked = new Tracked(() => ({ pending: 0 }))
    const first = list(0, 1)
    for (let from = 0; from < 20_000; from += 10) {
      const present = list(from, from + 10)
      for (const candidate of present) tracked.of(candidate, present).pending++
    }
    expect(tracked.size).toBeLessThan(2 * mostGone + 100)
    expect(first.map((candidate) => tracked.ended(candidate))).toEqual([undefined])
    expect(tracked.ended({ id: '19999' })).toEqual({ pending: 0 })
  })
})
