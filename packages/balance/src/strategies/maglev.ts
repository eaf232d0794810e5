import type { Balancer, Random } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'
import { MaglevTable } from '../hashing/maglev-table.ts'
import { Tables } from '../tables.ts'

export interface MaglevInit {
  /** Draws the slot of a request without a key. */
  readonly random: Random
  /**
   * Slots of the table, a prime from 3 to 5,000,011, at least as many as there are candidates, better a hundred times as many. Default 65,537, the
   * paper's smaller one.
   */
  readonly tableSize?: number
}

/** The greatest table that Envoy takes as well. */
const mostSlots = 5_000_011

/**
 * Maglev hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section 3.4): a table whose slots the
 * candidates have nearly equal numbers of, in proportion to their weights. More even than a ring, and faster to look up; when a candidate leaves or
 * comes, a few keys of the others move as well (at the default size less than 1 % up to some hundred candidates).
 *
 * A pick takes O(1) beside the comparison of the candidates in O(n), and a hash of the key; memory is 4 bytes for each slot and list. When candidates
 * change, the table is made anew in O(m log m) for m slots, about 10 ms at the default size, unless it is that of one of the last four lists. A
 * request without a key goes to a random slot. Undefined if no candidate has any weight.
 *
 * `pick` throws RangeError for a weight below 0 or not finite, and for more candidates than slots; TypeError for two candidates with one id.
 * @throws RangeError for a table size that is none.
 */
export const maglev = <C extends BalanceCandidate>({
  random,
  tableSize = 65_537,
}: MaglevInit): Balancer<BalanceRequest, C> => {
  if (!(tableSize <= mostSlots && isPrime(tableSize) && tableSize > 2))
    throw new RangeError(`tableSize is a prime from 3 to ${mostSlots}, such as 65537 or 655373; got ${tableSize}`)
  const tables = new Tables((roster) =>
    roster.weights.some((weight) => weight > 0) ? new MaglevTable(roster, tableSize) : undefined,
  )
  return {
    pick: ({ key }, candidates) => {
      if (candidates.length > tableSize)
        throw new RangeError(`${candidates.length} candidates for ${tableSize} slots; set a larger tableSize`)
      const table = tables.of(candidates)
      if (table === undefined) return undefined
      const owner = key === undefined ? table.ownerAt(Math.floor(random.next() * tableSize)) : table.ownerOf(key)
      return candidates[owner]
    },
  }
}

const isPrime = (number: number): boolean => {
  if (!Number.isSafeInteger(number) || number < 2) return false
  for (let factor = 2; factor * factor <= number; factor++) if (number % factor === 0) return false
  return true
}
