import { type BalancerSubject, balancerCompliance } from '@conclave/compliance/balance'
import type { Random } from '@conclave/interface'
import { describe, test } from 'vitest'
import {
  activeHealth,
  type BalanceCandidate,
  type BalanceRequest,
  circuitBreaker,
  type HealthAware,
  HealthReports,
  outlierEjection,
  panicThreshold,
  priorities,
  type StrategyInit,
  type StrategyName,
  slowStart,
  strategies,
  strategyNames,
  subsetting,
} from '../src/index.ts'

/** What a decorated balancer is made of. */
interface World extends StrategyInit {
  readonly reports: HealthReports
}
type Decorated = HealthAware<BalanceRequest, BalanceCandidate>
type Decorate = (inner: Decorated, world: World) => Decorated
type Tested = Decorated & { readonly reports: HealthReports; pass(millis: number): void }

const decorators: Readonly<Record<string, Decorate>> = {
  subsetting: (inner) => subsetting(inner, { client: 3, size: 100 }),
  panicThreshold: (inner) => panicThreshold(inner),
  outlierEjection: (inner, { now }) => outlierEjection(inner, { now }),
  activeHealth: (inner, { reports }) => activeHealth(inner, { reports }),
  circuitBreaker: (inner, { now }) => circuitBreaker(inner, { now }),
  slowStart: (inner, { now, random }) => slowStart(inner, { now, random, window: 1000 }),
}

const worldOf = (random: Random) => {
  let time = 0
  const world: World = { random, now: () => time, reports: new HealthReports() }
  return {
    world,
    pass: (millis: number): void => {
      time += millis
    },
  }
}

const balancerOf = (strategy: StrategyName, names: readonly string[], random: Random): Tested => {
  const { world, pass } = worldOf(random)
  const level = (): Decorated => {
    const plain = strategies[strategy].factory<BalanceCandidate>(world)
    // A balancer of which nothing is known but the contract.
    const core: Decorated = { ...plain, fit: () => true, pickAny: plain.pick }
    return names.reduceRight((inner, name) => decorators[name]?.(inner, world) ?? inner, core)
  }
  const made = names.includes('priorities') ? priorities(level, { random }) : level()
  return { ...made, reports: world.reports, pass }
}

const idOf = (index: number): string => `10.0.0.${index}:80`
const subject = (
  name: string,
  strategy: StrategyName,
  names: readonly string[],
): BalancerSubject<BalanceRequest, BalanceCandidate, Tested> => ({
  name,
  balancer: (random) => balancerOf(strategy, names, random),
  candidate: (index) => ({ id: idOf(index) }),
  request: (index) => ({ key: `key ${index}` }),
})

type Traits = Pick<BalancerSubject<BalanceRequest, BalanceCandidate, Tested>, 'health' | 'keys' | 'shares' | 'weights'>

const byReports: Traits['health'] = {
  eject: ({ reports }, { id }) => {
    for (let at = 0; at < 3; at++) reports.report(id, false)
  },
  readmit: ({ reports }, { id }) => {
    for (let at = 0; at < 2; at++) reports.report(id, true)
  },
}
const byErrors: Traits['health'] = {
  eject: (balancer, candidate) => {
    for (let at = 0; at < 5; at++) balancer.settled?.(candidate, { latency: 1, error: 'refused' })
  },
  readmit: ({ pass }) => pass(30_000),
}
const health: Readonly<Record<string, Traits['health']>> = {
  outlierEjection: byErrors,
  activeHealth: byReports,
  circuitBreaker: byErrors,
}
const keys = { request: (key: string) => ({ key }), moved: 0 }
const weightShares = (candidates: readonly BalanceCandidate[]) => {
  const total = candidates.reduce((sum, { weight = 1 }) => sum + weight, 0)
  return candidates.map(({ weight = 1 }) => weight / total)
}

for (const name of [...Object.keys(decorators), 'priorities']) {
  const judged = health[name] === undefined ? {} : { health: health[name] }
  balancerCompliance({
    ...subject(`weighted-random within ${name}`, 'weighted-random', [name]),
    ...judged,
    shares: weightShares,
    weights: { candidate: (index, weight) => ({ id: idOf(index), weight }) },
  }).register({ describe, test })
  balancerCompliance({ ...subject(`ring-hash within ${name}`, 'ring-hash', [name]), ...judged, keys }).register({
    describe,
    test,
  })
}

const all = ['priorities', ...Object.keys(decorators)]
for (const strategy of strategyNames) {
  for (const [how, judge] of [
    ['reports', byReports],
    ['errors', byErrors],
  ] as const)
    balancerCompliance({
      ...subject(`${strategy} within all decorators, judged by ${how}`, strategy, all),
      ...(judge && { health: judge }),
      seeds: 1,
    }).register({ describe, test })
}
