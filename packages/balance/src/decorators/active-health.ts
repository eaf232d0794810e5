import type { Balancer } from '@conclave/interface'
import type { BalanceCandidate } from '../candidate.ts'
import { positiveInteger } from '../checks.ts'
import { Chosen } from './chosen.ts'
import { type HealthAware, healthAware } from './health-aware.ts'

export interface HealthReportsInit {
  /** So many failures in a row make a candidate unhealthy. At least 1. Default 3. */
  readonly unhealthyThreshold?: number
  /** So many successes in a row make it healthy again. At least 1. Default 2. */
  readonly healthyThreshold?: number
  /**
   * What a candidate is before its first report. Default true. False, as in Envoy, keeps traffic from it until a first check succeeded, which then is
   * enough.
   */
  readonly assumeHealthy?: boolean
}

/** So many candidates are remembered; beyond it the ones that were reported first are forgotten. */
export const mostReported = 65_536

interface Reported {
  healthy: boolean
  /** Reports in a row that say otherwise. */
  against: number
}

/**
 * What active health checks found, with the thresholds of Envoy's ("Active health checking"). It checks nothing itself: whoever does tells it. One
 * may serve several balancers.
 * @throws RangeError for a threshold that is none.
 */
export class HealthReports {
  readonly #unhealthyThreshold: number
  readonly #healthyThreshold: number
  readonly #assumeHealthy: boolean
  readonly #reported = new Map<string, Reported>()

  constructor({ unhealthyThreshold = 3, healthyThreshold = 2, assumeHealthy = true }: HealthReportsInit = {}) {
    this.#unhealthyThreshold = positiveInteger('unhealthyThreshold', unhealthyThreshold)
    this.#healthyThreshold = positiveInteger('healthyThreshold', healthyThreshold)
    this.#assumeHealthy = assumeHealthy
  }

  /** A check of the candidate with this id ended. */
  report(id: string, healthy: boolean): void {
    const known = this.#reported.get(id)
    if (known === undefined) {
      this.#add(id, healthy)
      return
    }
    if (known.healthy === healthy) known.against = 0
    else if (++known.against >= this.#thresholdFor(healthy)) {
      known.healthy = healthy
      known.against = 0
    }
  }

  /** Whether the candidate with this id is healthy. */
  healthy(id: string): boolean {
    return this.#reported.get(id)?.healthy ?? this.#assumeHealthy
  }

  /** Forgets a candidate that is no more. */
  forget(id: string): void {
    this.#reported.delete(id)
  }

  #add(id: string, healthy: boolean): void {
    const [oldest] = this.#reported.size >= mostReported ? this.#reported.keys() : []
    if (oldest !== undefined) this.#reported.delete(oldest)
    // A first success is enough for one that was taken for unhealthy only because nothing was known.
    if (healthy) this.#reported.set(id, { healthy, against: 0 })
    else if (!this.#assumeHealthy || this.#unhealthyThreshold === 1) this.#reported.set(id, { healthy, against: 0 })
    else this.#reported.set(id, { healthy: true, against: 1 })
  }

  #thresholdFor(healthy: boolean): number {
    return healthy ? this.#healthyThreshold : this.#unhealthyThreshold
  }
}

export interface ActiveHealthInit {
  /** Where checks are reported to. */
  readonly reports: HealthReports
}

/**
 * Leaves out candidates that health checks found unhealthy. Picks nobody when nobody is healthy; `panicThreshold` around it makes the best of that.
 *
 * A pick takes O(n) and allocates nothing; memory is that of the reports.
 */
export const activeHealth = <Request, C extends BalanceCandidate>(
  inner: Balancer<Request, C>,
  { reports }: ActiveHealthInit,
): HealthAware<Request, C> => {
  const within = healthAware(inner)
  const chosen = new Chosen<C>()
  const healthy = ({ id }: C): boolean => reports.healthy(id)
  return {
    fit: (candidate) => healthy(candidate) && within.fit(candidate),
    pick: (request, candidates) => within.pick(request, chosen.of(candidates, healthy)),
    pickAny: (request, candidates) => within.pickAny(request, candidates),
    settled: (candidate, result) => within.settled?.(candidate, result),
  }
}
