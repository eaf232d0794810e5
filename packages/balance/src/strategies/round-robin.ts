import type { Balancer, Random } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'

export interface RoundRobinInit {
  /** Draws with whom to begin. Without it the first candidate is the first: many balancers that start together then all begin with the same one. */
  readonly random?: Random
}

/** Turns are counted up to here, a power of two, and then from 0 again. */
const mostTurns = 2 ** 30

/**
 * One candidate after the other, whatever their weights (Nagle, "On Packet Switches With Infinite Storage", RFC 970, 1985, for the fairness of
 * turns): the candidate at the number of the turn, modulo their number.
 *
 * A pick takes O(1); no memory but a count. When candidates change, some are passed over or come twice, once. A caller that goes back and forth
 * between two lists may pass over the same ones again and again; `smoothWeighted` does not.
 */
export const roundRobin = <C extends BalanceCandidate>({
  random,
}: RoundRobinInit = {}): Balancer<BalanceRequest, C> => {
  let turn: number | undefined
  return {
    pick: (_, candidates) => {
      const count = candidates.length
      if (count === 0) return undefined
      turn ??= random === undefined ? 0 : Math.floor(random.next() * count)
      const at = turn % count
      turn = (turn + 1) % mostTurns
      return candidates[at]
    },
  }
}
