import type { Balancer } from '@conclave/interface'
import type { BalanceCandidate } from '../candidate.ts'
import { fraction, notNegative, positive, positiveInteger } from '../checks.ts'
import { Chosen } from './chosen.ts'
import { type HealthAware, healthAware } from './health-aware.ts'
import { Observed, slowOutliers, unsuccessfulOutliers } from './observed.ts'

export interface OutlierEjectionInit {
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** So many errors in a row eject a candidate. At least 1. Default 5. */
  readonly consecutiveErrors?: number
  /** Milliseconds between two looks at success rates and latencies. Above 0. Default 10,000. */
  readonly interval?: number
  /**
   * Milliseconds of a first ejection; the second takes twice as long, and so on; each interval without one takes one off. Above 0. Default 30,000.
   */
  readonly baseEjectionTime?: number
  /** Milliseconds that an ejection takes at most. At least `baseEjectionTime`. Default 300,000. */
  readonly maxEjectionTime?: number
  /**
   * No more are ejected once this part of the candidates is (those that left meanwhile count), from 0 to 1; one may always be, unless it is 0.
   * Default 0.1.
   */
  readonly maxEjected?: number
  /** Ejection by success rate, once in each interval; false for none. */
  readonly successRate?: SuccessRateInit | false
  /** Ejection by latency, once in each interval. Default none: Envoy has none, and a slow candidate may just have the large requests. */
  readonly latency?: LatencyInit | false
}

/** Who counts: candidates that had enough requests in an interval, if there are enough of those. */
interface SampleInit {
  /** Default 5. */
  readonly minimumCandidates?: number
  /** Requests of a candidate in an interval. Default 100. */
  readonly requestVolume?: number
}

export interface SuccessRateInit extends SampleInit {
  /** A candidate is ejected whose success rate is so many standard deviations below the mean. Default 1.9. */
  readonly standardDeviations?: number
}

export interface LatencyInit extends SampleInit {
  /** A candidate is ejected whose mean latency is so many times the median of those of all. Above 1. Default 3. */
  readonly factor?: number
}

/** So many candidates are watched at most, ejected ones included; of further ones nothing is noted until others are forgotten. */
export const mostWatched = 65_536

/**
 * Leaves out candidates for a while whose results are bad, as Envoy's outlier detection does: for errors in a row at once; for a success rate or a
 * latency that stands out once in each interval. It learns from `settled`; a result with any `error` but undefined is an error. Results of a
 * candidate that is ejected count for nothing.
 *
 * A pick takes O(1) while nobody is ejected, else O(n), and allocates nothing; once in each interval O(n). A candidate that leaves keeps its record
 * as long as it is ejected, or has been and the time of the next ejection is still longer for it. Picks nobody when all candidates of the list are
 * ejected.
 * @throws RangeError for a number out of its bounds.
 */
export const outlierEjection = <Request, C extends BalanceCandidate>(
  inner: Balancer<Request, C>,
  init: OutlierEjectionInit,
): HealthAware<Request, C> => {
  const within = healthAware(inner)
  const watch = new Watch(init)
  const chosen = new Chosen<C>()
  const admitted = ({ id }: C): boolean => !watch.ejected(id)
  return {
    fit: (candidate) => {
      watch.look()
      return admitted(candidate) && within.fit(candidate)
    },
    pick: (request, candidates) => {
      watch.look(candidates.length)
      return within.pick(request, watch.quiet ? candidates : chosen.of(candidates, admitted))
    },
    pickAny: (request, candidates) => {
      watch.look(candidates.length)
      return within.pickAny(request, candidates)
    },
    settled: (candidate, result) => {
      watch.look()
      watch.note(candidate.id, result.latency, result.error !== undefined)
      within.settled?.(candidate, result)
    },
  }
}

/** Results by candidate, and who is ejected until when. */
class Watch {
  readonly #now: () => number
  readonly #consecutiveErrors: number
  readonly #interval: number
  readonly #baseEjectionTime: number
  readonly #maxEjectionTime: number
  readonly #maxEjected: number
  readonly #successRate: Required<SuccessRateInit> | undefined
  readonly #latency: Required<LatencyInit> | undefined
  readonly #observed = new Map<string, Observed>()
  #time: number
  #nextLook: number
  /** Candidates of the last pick. */
  #present = 0
  #ejected = 0
  /** The earliest end of an ejection. */
  #nextReturn = Number.POSITIVE_INFINITY

  constructor(init: OutlierEjectionInit) {
    this.#now = init.now
    this.#consecutiveErrors = positiveInteger('consecutiveErrors', init.consecutiveErrors ?? 5)
    this.#interval = positive('interval', init.interval ?? 10_000)
    this.#baseEjectionTime = positive('baseEjectionTime', init.baseEjectionTime ?? 30_000)
    this.#maxEjectionTime = positive('maxEjectionTime', init.maxEjectionTime ?? 300_000)
    if (this.#maxEjectionTime < this.#baseEjectionTime)
      throw new RangeError(`maxEjectionTime (${this.#maxEjectionTime}) is less than baseEjectionTime`)
    this.#maxEjected = fraction('maxEjected', init.maxEjected ?? 0.1)
    this.#successRate = successRateOf(init.successRate ?? {})
    this.#latency = latencyOf(init.latency ?? false)
    this.#time = init.now()
    this.#nextLook = this.#time + this.#interval
  }

  /** Whether nobody is ejected. */
  get quiet(): boolean {
    return this.#ejected === 0
  }

  ejected(id: string): boolean {
    return this.#observed.get(id)?.ejected === true
  }

  /** Brings it up to the time, at the beginning of each call. @param present how many candidates there are, if that is known. */
  look(present?: number): void {
    this.#time = this.#now()
    if (present !== undefined) this.#present = present
    if (this.#time >= this.#nextReturn) this.#takeBack()
    if (this.#time < this.#nextLook) return
    this.#compare()
    this.#nextLook = this.#time + this.#interval
  }

  note(id: string, latency: number, failed: boolean): void {
    const observed = this.#observed.get(id) ?? this.#add(id)
    if (observed === undefined || observed.ejected) return
    observed.note(latency, failed)
    if (observed.errorsInRow >= this.#consecutiveErrors) this.#eject(observed)
  }

  #add(id: string): Observed | undefined {
    if (this.#observed.size >= mostWatched) return undefined
    const observed = new Observed()
    this.#observed.set(id, observed)
    return observed
  }

  #eject(observed: Observed): void {
    if (observed.ejected || this.#ejected >= this.#maxEjected * this.#present) return
    observed.eject(this.#time, this.#baseEjectionTime, this.#maxEjectionTime)
    this.#ejected++
    this.#nextReturn = Math.min(this.#nextReturn, observed.until)
  }

  #takeBack(): void {
    this.#nextReturn = Number.POSITIVE_INFINITY
    for (const observed of this.#observed.values()) {
      if (!observed.ejected) continue
      if (observed.until > this.#time) this.#nextReturn = Math.min(this.#nextReturn, observed.until)
      else {
        observed.takeBack()
        this.#ejected--
      }
    }
  }

  /** What is done once in each interval. */
  #compare(): void {
    const watched = [...this.#observed.values()].filter(({ ejected }) => !ejected)
    if (this.#successRate !== undefined)
      for (const outlier of unsuccessfulOutliers(watched, this.#successRate)) this.#eject(outlier)
    if (this.#latency !== undefined) for (const outlier of slowOutliers(watched, this.#latency)) this.#eject(outlier)
    for (const [id, observed] of this.#observed) if (observed.forgettable) this.#observed.delete(id)
    for (const observed of this.#observed.values()) observed.nextInterval()
  }
}

const sampleOf = ({ minimumCandidates = 5, requestVolume = 100 }: SampleInit) => ({
  minimumCandidates: positiveInteger('minimumCandidates', minimumCandidates),
  requestVolume: positiveInteger('requestVolume', requestVolume),
})

const successRateOf = (init: SuccessRateInit | false): Required<SuccessRateInit> | undefined =>
  init === false
    ? undefined
    : { ...sampleOf(init), standardDeviations: notNegative('standardDeviations', init.standardDeviations ?? 1.9) }

const latencyOf = (init: LatencyInit | false): Required<LatencyInit> | undefined => {
  if (init === false) return undefined
  const factor = positive('factor', init.factor ?? 3)
  if (factor <= 1) throw new RangeError(`factor is above 1, got ${factor}`)
  return { ...sampleOf(init), factor }
}
