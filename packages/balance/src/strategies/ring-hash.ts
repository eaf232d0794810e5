import type { Balancer, Random } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'
import { KetamaRing } from '../hashing/ketama-ring.ts'
import { Tables } from '../tables.ts'

export interface RingHashInit {
  /** Draws the place of a request without a key. */
  readonly random: Random
}

/**
 * Consistent hashing (Karger et al., STOC 1997) on the very ring of libketama: 160 points for each candidate of average weight, from MD5 of its id.
 * Clients of libketama, and of the libraries that follow it, send the same key to the same server when ids are their server addresses.
 *
 * When one of n candidates of equal weight leaves, only its keys move; when one comes, only to it. With 160 points a candidate's share is within
 * about 8 % (one standard deviation) of the fair one. With weights that differ, everybody's number of points depends on the average weight, as in
 * libketama: a few more keys move.
 *
 * A pick takes O(log n) beside the comparison of the candidates in O(n), and MD5 of the key; memory is 1,280 bytes for each candidate and list. When
 * candidates change, the ring is made anew in O(n log n), unless it is that of one of the last four lists. A request without a key goes to a random
 * place of the ring. Undefined if no candidate has any weight.
 *
 * `pick` throws RangeError for a weight below 0 or not finite, TypeError for two candidates with one id.
 */
export const ringHash = <C extends BalanceCandidate>({ random }: RingHashInit): Balancer<BalanceRequest, C> => {
  const rings = new Tables((roster) => new KetamaRing(roster))
  return {
    pick: ({ key }, candidates) => {
      const ring = rings.of(candidates)
      if (ring.size === 0) return undefined
      const point = key === undefined ? ring.at(Math.floor(random.next() * 0x1_0000_0000)) : ring.pointOf(key)
      return candidates[ring.ownerOf(point)]
    },
  }
}
