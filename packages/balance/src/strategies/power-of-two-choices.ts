import type { Balancer, Random } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'
import { counting, type InFlight, Tracked } from '../tracking/tracked.ts'
import { betterOfTwo } from './two-of.ts'

export interface PowerOfTwoChoicesInit {
  readonly random: Random
}

const hasFewer = (second: InFlight, first: InFlight): boolean => second.pending < first.pending

/**
 * Of two candidates drawn at random the one with fewer requests in flight, whatever their weights (Mitzenmacher, "The Power of Two Choices in
 * Randomized Load Balancing", IEEE TPDS 12(10), 2001): the fullest is nearly as full as with the least of all, for the cost of looking at two, and
 * balancers that know nothing of each other do not all run to the same candidate.
 *
 * A pick takes O(1) and two draws; memory O(n). Candidates that come and go take part at once; one that leaves and comes back still has the requests
 * that did not end meanwhile. `settled` must be told once for each pick.
 */
export const powerOfTwoChoices = <C extends BalanceCandidate>({
  random,
}: PowerOfTwoChoicesInit): Balancer<BalanceRequest, C> => {
  const tracked = new Tracked(counting)
  return {
    pick: (_, candidates) => betterOfTwo(candidates, tracked, random, hasFewer),
    settled: (candidate) => {
      tracked.ended(candidate)
    },
  }
}
