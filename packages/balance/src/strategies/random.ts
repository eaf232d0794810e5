import type { Balancer, Random } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'

export interface RandomInit {
  readonly random: Random
}

/**
 * Each candidate with the same probability, whatever its weight. Of n requests to n candidates the fullest gets about ln n / ln ln n (Raab and
 * Steger, "Balls into Bins", RANDOM 1998).
 *
 * A pick takes O(1) and one draw; no memory. Candidates that come and go take part at once.
 */
export const random = <C extends BalanceCandidate>({ random }: RandomInit): Balancer<BalanceRequest, C> => ({
  pick: (_, candidates) => candidates[Math.floor(random.next() * candidates.length)],
})
