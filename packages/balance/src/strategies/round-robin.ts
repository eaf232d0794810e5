import type { Balancer, Random } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'

export interface RoundRobinInit {
  /** Draws with whom to begin. Without it the first candidate is the first: many balancers that start together then all begin with the same one. */
  readonly random?: Random
}

/**
 * One candidate after the other, whatever their weights (Nagle, "On Packet Switches With Infinite Storage", RFC 970, 1985, for the fairness of turns).
 *
 * A pick takes O(1); no memory but a position. When candidates change, it goes on at the same index of the new list: some are passed over or come twice, once.
 */
export const roundRobin = <C extends BalanceCandidate>({
  random,
}: RoundRobinInit = {}): Balancer<BalanceRequest, C> => {
  let next: number | undefined
  return {
    pick: (_, candidates) => {
      const count = candidates.length
      if (count === 0) return undefined
      next ??= random === undefined ? 0 : Math.floor(random.next() * count)
      const at = next % count
      next = at + 1
      return candidates[at]
    },
  }
}
