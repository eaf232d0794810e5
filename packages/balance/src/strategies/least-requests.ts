import type { Balancer, Random } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'
import { notNegative } from '../checks.ts'
import { Aligned } from '../tracking/aligned.ts'
import { counting, type InFlight, Tracked } from '../tracking/tracked.ts'
import { SmoothTurns } from './smooth-turns.ts'

export interface LeastRequestsInit {
  /** Draws among candidates that have equally few. */
  readonly random: Random
  /** How much requests in flight count against weights that differ: from 0 (not at all) up. Default 1. */
  readonly activeRequestBias?: number
}

/**
 * The candidate with the fewest requests in flight, as Envoy's least request balancer: with equal weights the least of all (its `FULL_SCAN`), one of
 * several at random; with weights that differ a weighted round robin in which each has the weight `weight / (in flight + 1) ^ activeRequestBias` at
 * the moment of the pick (Envoy documentation, "Weighted least request").
 *
 * A pick takes O(n); memory O(n). When candidates change, those that stay keep their counts; one that leaves and comes back still has the requests
 * that did not end meanwhile. `settled` must be told once for each pick. Undefined if no candidate has any weight.
 *
 * `pick` throws RangeError for a weight below 0 or not finite, TypeError for two candidates with one id.
 * @throws RangeError for a bias below 0 or not finite.
 */
export const leastRequests = <C extends BalanceCandidate>({
  random,
  activeRequestBias = 1,
}: LeastRequestsInit): Balancer<BalanceRequest, C> => {
  notNegative('activeRequestBias', activeRequestBias)
  const tracked = new Tracked(counting)
  const aligned = new Aligned(tracked)
  const { roster, states } = aligned
  const turns = new SmoothTurns()
  let equal = true
  let dynamic = new Float64Array(0)

  const byWeight = (): number | undefined => {
    for (let at = 0; at < states.length; at++) {
      const active = (states[at]?.pending ?? 0) + 1
      dynamic[at] = (roster.weights[at] ?? 0) / (activeRequestBias === 1 ? active : active ** activeRequestBias)
    }
    return turns.next(dynamic)
  }

  return {
    pick: (_, candidates) => {
      if (aligned.changed(candidates)) {
        turns.follow(roster.ids)
        equal = roster.weights.every((weight) => weight > 0 && weight === roster.weights[0])
        dynamic = new Float64Array(roster.size)
      }
      const at = equal ? leastOf(states, random) : byWeight()
      const state = at === undefined ? undefined : states[at]
      if (at === undefined || state === undefined) return undefined
      state.pending++
      return candidates[at]
    },
    settled: (candidate) => {
      tracked.ended(candidate)
    },
  }
}

/** The index of the least pending; of several each with the same probability. */
const leastOf = (states: readonly InFlight[], random: Random): number | undefined => {
  let least = Number.POSITIVE_INFINITY
  let ties = 0
  for (const { pending } of states) {
    if (pending > least) continue
    ties = pending === least ? ties + 1 : 1
    least = pending
  }
  if (ties === 0) return undefined
  let left = ties === 1 ? 0 : Math.floor(random.next() * ties)
  return states.findIndex(({ pending }) => pending === least && left-- === 0)
}
