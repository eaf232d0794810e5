import type { Balancer, Random } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'
import { KeyBytes } from '../hashing/key-bytes.ts'
import { mix32, murmur3 } from '../hashing/murmur3.ts'
import { Roster } from '../roster.ts'

export interface RendezvousInit {
  /** Draws the hash of a request without a key. */
  readonly random: Random
}

/** Seeds of the two halves of a 64-bit hash. */
const [seedHigh, seedLow] = [0x72656e64, 0x657a766f]

/**
 * Rendezvous hashing, also called highest random weight (Thaler and Ravishankar, IEEE/ACM ToN 6(1), 1998): the candidate with the highest hash of key
 * and id. With weights, each has the score `-weight / ln(h)` for a hash h in (0, 1) (Schindelhauer and Schomaker, "Weighted distributed hash tables",
 * SPAA 2005; Resch, "New hashing algorithms for data storage", SDC 2015).
 *
 * Shares are in exact proportion to the weights. When a candidate leaves, only its keys move, and evenly to all others; when one comes, or its weight
 * grows, keys only move to it.
 *
 * A pick takes O(n), with a logarithm for each candidate when weights differ; memory is 8 bytes for each candidate beside the ids. When candidates
 * change, their ids are hashed anew in O(n). A request without a key has a random hash. Undefined if no candidate has any weight.
 *
 * `pick` throws RangeError for a weight below 0 or not finite, TypeError for two candidates with one id.
 */
export const rendezvous = <C extends BalanceCandidate>({ random }: RendezvousInit): Balancer<BalanceRequest, C> => {
  const roster = new Roster()
  const bytes = new KeyBytes()
  let high = new Int32Array(0)
  let low = new Int32Array(0)
  let equal = true

  const rebuild = (): void => {
    high = new Int32Array(roster.size)
    low = new Int32Array(roster.size)
    for (const [at, id] of roster.ids.entries()) {
      bytes.set(id)
      high[at] = murmur3(bytes.bytes, bytes.length, seedHigh)
      low[at] = murmur3(bytes.bytes, bytes.length, seedLow)
    }
    equal = roster.weights.every((weight) => weight > 0 && weight === roster.weights[0])
  }

  const best = (keyHigh: number, keyLow: number): number => {
    let best = -1
    let most = Number.NEGATIVE_INFINITY
    for (let at = 0; at < high.length; at++) {
      const weight = roster.weights[at] ?? 0
      if (weight === 0) continue
      const drawn = unitOf(keyHigh ^ (high[at] ?? 0), keyLow ^ (low[at] ?? 0))
      // With equal weights the hashes alone are in the same order as the scores.
      const score = equal ? drawn : -weight / Math.log(drawn)
      if (score <= most) continue
      most = score
      best = at
    }
    return best
  }

  return {
    pick: ({ key }, candidates) => {
      if (roster.changed(candidates)) rebuild()
      if (key === undefined) return candidates[best(word(random), word(random))]
      bytes.set(key)
      const keyHigh = murmur3(bytes.bytes, bytes.length, seedHigh)
      const keyLow = murmur3(bytes.bytes, bytes.length, seedLow)
      bytes.release()
      return candidates[best(keyHigh, keyLow)]
    },
  }
}

const word = (random: Random): number => Math.floor(random.next() * 0x1_0000_0000) | 0

/** 64 bits, mixed, as a number in (0, 1): each half depends on both. */
const unitOf = (high: number, low: number): number => {
  const first = mix32(high ^ Math.imul(low, 0x9e3779b1))
  const second = mix32(low ^ first)
  return ((first >>> 0) * 0x20_0000 + (second >>> 11) + 0.5) / 0x20_0000_0000_0000
}
