import type { Balancer } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'
import { Roster } from '../roster.ts'
import { SmoothTurns } from './smooth-turns.ts'

/**
 * Weighted round robin without bursts, as nginx has it since 1.3.1 (`ngx_http_upstream_round_robin.c`, 2012): weights 5, 1, 1 give a a b a c a a.
 * Within each total of the weights, whole numbers, everybody gets exactly its weight.
 *
 * A pick takes O(n); memory O(n). When candidates change, those that stay keep their claims, those that leave keep theirs for a while, and a new one
 * begins with the average claim. Undefined if no candidate has any weight.
 *
 * `pick` throws RangeError for a weight below 0 or not finite, TypeError for two candidates with one id.
 */
export const smoothWeighted = <C extends BalanceCandidate>(): Balancer<BalanceRequest, C> => {
  const roster = new Roster()
  const turns = new SmoothTurns()
  return {
    pick: (_, candidates) => {
      if (roster.changed(candidates)) turns.follow(roster.ids)
      const at = turns.next(roster.weights)
      return at === undefined ? undefined : candidates[at]
    },
  }
}
