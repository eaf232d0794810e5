import type { Balancer, Random } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'
import { positive } from '../checks.ts'
import { type InFlight, Tracked } from '../tracking/tracked.ts'
import { betterOfTwo } from './two-of.ts'

export interface PeakEwmaInit {
  readonly random: Random
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Milliseconds after which an observation counts 1/e of what it did. Above 0. Default 10,000, Finagle's. */
  readonly decayTime?: number
}

/** The cost of a candidate of which nothing is known while a request to it is under way: higher than any latency (Finagle's penalty). */
const penalty = 2 ** 47

type Terms = Required<Pick<PeakEwmaInit, 'now' | 'decayTime'>>

/** What is known of a candidate. A class, so that its doubles change in place. */
class Latency implements InFlight {
  readonly terms: Terms
  pending = 0
  /** Milliseconds, when they were brought up to date, and the cost. Fractions stay in here: one that a function returns is allocated, unless the compiler makes it part of its caller. */
  readonly #figures = Float64Array.of(0, 0, 0)

  constructor(terms: Terms) {
    this.terms = terms
    this.#figures[1] = terms.now()
  }

  /** A latency above the average is the new average at once: the peak. One below it counts the more the longer ago the last one was. */
  observe(latency: number, now: number): void {
    const figures = this.#figures
    const average = figures[0] ?? 0
    const fade = Math.exp(-Math.max(0, now - (figures[1] ?? now)) / this.terms.decayTime)
    figures[0] = latency > average ? latency : average * fade + latency * (1 - fade)
    figures[1] = now
  }

  /** Works out the cost: what a further request would wait for, in a way. An idle candidate's average fades, so that a slow one is tried again some time. */
  assess(now: number): void {
    this.observe(0, now)
    const figures = this.#figures
    const average = figures[0] ?? 0
    figures[2] = average === 0 && this.pending > 0 ? penalty + this.pending : average * (this.pending + 1)
  }

  /** By what was worked out last. */
  isCheaperThan(other: Latency): boolean {
    return (this.#figures[2] ?? 0) < (other.#figures[2] ?? 0)
  }
}

/** One function for all balancers: the compiler makes it part of a pick. */
const isCheaper = (second: Latency, first: Latency): boolean => {
  const now = second.terms.now()
  second.assess(now)
  first.assess(now)
  return second.isCheaperThan(first)
}

/**
 * Of two candidates drawn at random the one with the lower product of its latency, as a moving average that jumps to each peak, and its requests in
 * flight plus one: Finagle's `Balancers.p2cPeakEwma`. It shuns a candidate that slows down within one slow answer, and tries it again as its average
 * fades. Weights are ignored.
 *
 * An error counts with the time that it took: a candidate that fails fast looks good. Put `outlierEjection` in front of it.
 *
 * A pick takes O(1) and two draws; memory O(n). Candidates that come and go take part at once; a new one has the cost 0 until its first request is
 * under way, and then a prohibitive one until that ends. `settled` must be told once for each pick.
 * @throws RangeError for a decay time that is not above 0.
 */
export const peakEwma = <C extends BalanceCandidate>({
  random,
  now,
  decayTime = 10_000,
}: PeakEwmaInit): Balancer<BalanceRequest, C> => {
  positive('decayTime', decayTime)
  const terms = { now, decayTime }
  const tracked = new Tracked(() => new Latency(terms))
  return {
    pick: (_, candidates) => betterOfTwo(candidates, tracked, random, isCheaper),
    settled: (candidate, { latency }) => {
      tracked.ended(candidate)?.observe(latency, now())
    },
  }
}
