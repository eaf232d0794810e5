import type { BalanceCandidate } from '../candidate.ts'
import { fraction } from '../checks.ts'
import type { HealthAware } from './health-aware.ts'

export interface PanicThresholdInit {
  /** Below this part of fit candidates all are used, from 0 to 1. 0 is never. Default 0.5, Envoy's. */
  readonly threshold?: number
}

/**
 * Uses all candidates when fewer than a part of them are fit, as Envoy's panic threshold: the few that are left would break down under the load of
 * all, and when most look unhealthy it is often the checks that are wrong. Goes around the decorators that judge (`activeHealth`, `outlierEjection`,
 * `circuitBreaker`).
 *
 * A pick takes O(n) and allocates nothing; no memory.
 * @throws RangeError for a threshold that is none.
 */
export const panicThreshold = <Request, C extends BalanceCandidate>(
  inner: HealthAware<Request, C>,
  { threshold = 0.5 }: PanicThresholdInit = {},
): HealthAware<Request, C> => {
  const least = fraction('threshold', threshold)
  const enough = (candidates: readonly C[]): boolean => {
    let fit = 0
    for (let at = 0; at < candidates.length; at++) {
      const candidate = candidates[at]
      if (candidate !== undefined && inner.fit(candidate)) fit++
    }
    return fit >= least * candidates.length
  }
  return {
    fit: (candidate) => inner.fit(candidate),
    pick: (request, candidates) =>
      enough(candidates) ? inner.pick(request, candidates) : inner.pickAny(request, candidates),
    pickAny: (request, candidates) => inner.pickAny(request, candidates),
    settled: (candidate, result) => inner.settled?.(candidate, result),
  }
}
