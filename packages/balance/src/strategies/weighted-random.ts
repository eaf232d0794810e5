import type { Balancer, Random } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'
import { Roster } from '../roster.ts'

export interface WeightedRandomInit {
  readonly random: Random
}

/**
 * Each candidate with a probability in proportion to its weight, by the alias method (Vose, "A linear algorithm for generating random numbers with a
 * given distribution", IEEE TSE 17(9), 1991).
 *
 * A pick takes one draw and O(1), beside the comparison of the candidates in O(n); memory O(n). When candidates change, the table is made anew in
 * O(n). Undefined if no candidate has any weight.
 *
 * `pick` throws RangeError for a weight below 0 or not finite, TypeError for two candidates with one id.
 */
export const weightedRandom = <C extends BalanceCandidate>({
  random,
}: WeightedRandomInit): Balancer<BalanceRequest, C> => {
  const roster = new Roster()
  let table = aliasTable([])
  return {
    pick: (_, candidates) => {
      if (roster.changed(candidates)) table = aliasTable(roster.weights)
      if (table === undefined) return undefined
      // One draw tells the column, and by its fraction which of the two that share it.
      const drawn = random.next() * roster.size
      const column = Math.floor(drawn)
      const stays = drawn - column < (table.stay[column] ?? 0)
      return candidates[stays ? column : (table.alias[column] ?? 0)]
    },
  }
}

/** Columns of equal width, one for each candidate, each shared by two at the most. */
interface AliasTable {
  /** The part of a column that is its own candidate's. */
  readonly stay: Float64Array
  /** Whose the rest of it is. */
  readonly alias: Uint32Array
}

/** Undefined if there is no weight at all. */
const aliasTable = (weights: readonly number[]): AliasTable | undefined => {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  if (total === 0) return undefined
  const left = Float64Array.from(weights, (weight) => (weight / total) * weights.length)
  const stay = new Float64Array(weights.length).fill(1)
  const alias = Uint32Array.from(weights.keys())
  const small = [...left.keys()].filter((index) => (left[index] ?? 0) < 1)
  const large = [...left.keys()].filter((index) => (left[index] ?? 0) >= 1)
  for (;;) {
    const [giver, taker] = [large.at(-1), small.at(-1)]
    // What is left over, by rounding, fills a column of its own.
    if (giver === undefined || taker === undefined) return { stay, alias }
    small.pop()
    const own = left[taker] ?? 0
    stay[taker] = own
    alias[taker] = giver
    const rest = (left[giver] ?? 0) - (1 - own)
    left[giver] = rest
    if (rest >= 1) continue
    large.pop()
    small.push(giver)
  }
}
