import { type BalancerSubject, balancerCompliance } from '@conclave/compliance/balance'
import { describe, test } from 'vitest'
import {
  type BalanceCandidate,
  type BalanceRequest,
  isStrategyName,
  type StrategyName,
  strategies,
  strategyNames,
} from '../src/index.ts'
import { arcsOf, continuumOf } from './reference-ring.ts'

type Subject = BalancerSubject<BalanceRequest, BalanceCandidate>

const idOf = (index: number): string => `10.0.0.${index}:80`
const equalShares = (candidates: readonly BalanceCandidate[]) => candidates.map(() => 1 / candidates.length)
const weightShares = (candidates: readonly BalanceCandidate[]) => {
  const total = candidates.reduce((sum, { weight = 1 }) => sum + weight, 0)
  return candidates.map(({ weight = 1 }) => weight / total)
}
const arcShares = (candidates: readonly BalanceCandidate[]) => {
  const arcs = arcsOf(
    continuumOf(
      candidates.map(({ id }) => id),
      candidates.map(({ weight = 1 }) => weight),
    ),
  )
  return candidates.map(({ id }) => arcs.get(id) ?? 0)
}
const weights = { candidate: (index: number, weight: number) => ({ id: idOf(index), weight }) }
const keys = (moved: number) => ({ request: (key: string) => ({ key }), moved })

/** What each strategy promises beyond the contract. */
const traits: Readonly<Record<StrategyName, Pick<Subject, 'shares' | 'weights' | 'keys'>>> = {
  random: { shares: equalShares },
  'weighted-random': { shares: weightShares, weights },
  'round-robin': { shares: equalShares },
  'smooth-weighted': { shares: weightShares, weights },
  // How weights and requests in flight go together is for a test of its own.
  'least-requests': { shares: equalShares },
  p2c: { shares: equalShares },
  'peak-ewma': { shares: equalShares },
  'ring-hash': { shares: arcShares, weights, keys: keys(0) },
  maglev: { shares: weightShares, weights, keys: keys(0.01) },
  rendezvous: { shares: weightShares, weights, keys: keys(0) },
  // Shares depend on what is in flight.
  'bounded-load': { keys: keys(0) },
}

for (const name of strategyNames)
  balancerCompliance({
    name,
    balancer: (random) => strategies[name].factory<BalanceCandidate>({ random, now: () => 0 }),
    candidate: (index) => ({ id: idOf(index) }),
    request: (index) => ({ key: `key ${index}` }),
    ...traits[name],
  }).register({ describe, test })

test('every strategy has its name', ({ expect }) => {
  expect(strategyNames.filter((name) => !isStrategyName(name))).toEqual([])
  expect(isStrategyName('toString')).toBe(false)
})
