/**
 * Load balancing as pure functions of their calls: strategies, and decorators that compose with any of them.
 *
 * @example
 * ```ts
 * import { powerOfTwoChoices } from '@conclave/balance'
 * import { seededRandom } from '@conclave/interface'
 *
 * const balancer = powerOfTwoChoices({ random: seededRandom(1) })
 * const servers = [{ id: 'a' }, { id: 'b' }, { id: 'c' }]
 * const server = balancer.pick({}, servers)
 * if (server !== undefined) balancer.settled?.(server, { latency: 12 })
 * ```
 *
 * @packageDocumentation
 */
export type { BalanceCandidate, BalanceRequest } from './candidate.ts'
export {
  type ActiveHealthInit,
  activeHealth,
  HealthReports,
  type HealthReportsInit,
} from './decorators/active-health.ts'
export {
  type CircuitBreaker,
  type CircuitBreakerInit,
  type CircuitState,
  circuitBreaker,
} from './decorators/circuit-breaker.ts'
export type { HealthAware } from './decorators/health-aware.ts'
export {
  type LatencyInit,
  type OutlierEjectionInit,
  outlierEjection,
  type SuccessRateInit,
} from './decorators/outlier-ejection.ts'
export { type PanicThresholdInit, panicThreshold } from './decorators/panic-threshold.ts'
export { localityFirst, type PrioritiesInit, priorities } from './decorators/priorities.ts'
export { RetryBudget, type RetryBudgetInit } from './decorators/retry-budget.ts'
export { type SlowStartInit, slowStart } from './decorators/slow-start.ts'
export { type SubsettingInit, subsetting } from './decorators/subsetting.ts'
export { type StrategyName, strategyNames } from './names.ts'
export { type BoundedLoadInit, boundedLoad } from './strategies/bounded-load.ts'
export { type LeastRequestsInit, leastRequests } from './strategies/least-requests.ts'
export { type MaglevInit, maglev } from './strategies/maglev.ts'
export { type PeakEwmaInit, peakEwma } from './strategies/peak-ewma.ts'
export { type PowerOfTwoChoicesInit, powerOfTwoChoices } from './strategies/power-of-two-choices.ts'
export { type RandomInit, random } from './strategies/random.ts'
export { type RendezvousInit, rendezvous } from './strategies/rendezvous.ts'
export { type RingHashInit, ringHash } from './strategies/ring-hash.ts'
export { type RoundRobinInit, roundRobin } from './strategies/round-robin.ts'
export { smoothWeighted } from './strategies/smooth-weighted.ts'
export { type WeightedRandomInit, weightedRandom } from './strategies/weighted-random.ts'
export { isStrategyName, type Strategy, type StrategyInit, strategies } from './strategies.ts'
