import type { Balancer, Random } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'
import { KetamaRing } from '../hashing/ketama-ring.ts'
import { Tables } from '../tables.ts'
import { Aligned } from '../tracking/aligned.ts'
import { counting, Tracked } from '../tracking/tracked.ts'

export interface BoundedLoadInit {
  /** Draws the place of a request without a key. */
  readonly random: Random
  /** How much more than its fair part of the requests in flight a candidate takes at most: 1.25, the default, is a quarter more. Above 1. */
  readonly balance?: number
}

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018, arXiv 1608.01350,
 * 2016) on the ring of `ringHash`: a key goes to its candidate of the ring unless that has `ceil(balance × (m + 1) × its part of the weights)`
 * requests in flight already, m being those of all, and else to the next one along the circle that has fewer.
 *
 * So while nothing is under way a key always has the same candidate, and a hot key spills over to the same few. When candidates change, keys move as
 * in `ringHash`, and a few more, since everybody's bound changes.
 *
 * A pick takes O(log n) beside the comparison of the candidates in O(n), and MD5 of the key; then about 1 / (balance - 1)² further candidates at the
 * most on average; memory is 1,280 bytes for each candidate and list. When candidates change, the ring is made anew in O(n log n), unless it is that
 * of one of the last four lists; a candidate that leaves and comes back still has the requests that did not end meanwhile. `settled` must be told
 * once for each pick. A request without a key goes to a random place of the ring. Undefined if no candidate has any weight.
 *
 * `pick` throws RangeError for a weight below 0 or not finite, TypeError for two candidates with one id.
 * @throws RangeError for a balance that is not above 1.
 */
export const boundedLoad = <C extends BalanceCandidate>({
  random,
  balance = 1.25,
}: BoundedLoadInit): Balancer<BalanceRequest, C> => {
  if (!(balance > 1 && balance < Number.POSITIVE_INFINITY))
    throw new RangeError(`balance is a finite number above 1, got ${balance}`)
  const tracked = new Tracked(counting)
  const aligned = new Aligned(tracked)
  const rings = new Tables((roster) => new KetamaRing(roster))
  const { roster, states } = aligned
  let totalWeight = 0

  /** The first candidate from `point` on that is below its bound. There is one: the bounds sum up to more than what is in flight. */
  const withRoom = (ring: KetamaRing, point: number): number => {
    let inFlight = 1
    for (let at = 0; at < states.length; at++) inFlight += states[at]?.pending ?? 0
    const perWeight = (balance * inFlight) / totalWeight
    let here = point
    for (let passed = 0; passed < ring.size; passed++) {
      const owner = ring.ownerOf(here)
      if ((states[owner]?.pending ?? 0) < Math.ceil(perWeight * (roster.weights[owner] ?? 0))) return owner
      here = ring.after(here)
    }
    // Only those that have a weight too small for any point have room left.
    return ring.ownerOf(point)
  }

  return {
    pick: ({ key }, candidates) => {
      if (aligned.changed(candidates)) totalWeight = roster.weights.reduce((sum, weight) => sum + weight, 0)
      const ring = rings.of(candidates)
      if (ring.size === 0) return undefined
      const point = key === undefined ? ring.at(Math.floor(random.next() * 0x1_0000_0000)) : ring.pointOf(key)
      const owner = withRoom(ring, point)
      const state = states[owner]
      if (state !== undefined) state.pending++
      return candidates[owner]
    },
    settled: (candidate) => {
      tracked.ended(candidate)
    },
  }
}
