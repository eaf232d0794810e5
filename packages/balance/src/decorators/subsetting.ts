import { type Balancer, seededRandom } from '@conclave/interface'
import type { BalanceCandidate } from '../candidate.ts'
import { positiveInteger } from '../checks.ts'
import { Roster } from '../roster.ts'
import { type HealthAware, healthAware } from './health-aware.ts'

export interface SubsettingInit {
  /** Which of the clients this is: a whole number from 0 up, each client another one, without large gaps. */
  readonly client: number
  /** Candidates of a subset. At least 1. */
  readonly size: number
}

/**
 * Uses a part of the candidates only, so that many clients do not hold connections to all of them: deterministic subsetting (Beyer et al., "Site
 * Reliability Engineering", O'Reilly 2016, chapter 20). Clients in a round, as many as there are subsets, share one shuffle of the candidates and
 * take a subset each, so that every candidate has nearly as many clients as any other. When the size does not divide the number of candidates, the
 * rest is idle in one round and in use in others.
 *
 * When candidates change, a subset may change as a whole: the price of evenness (the book says so too). The order of the list makes no difference.
 *
 * A pick takes O(n) for the comparison of the candidates, and allocates nothing while they stay; memory O(n). Goes outside of those that judge, since
 * a subset does not depend on health.
 * @throws RangeError for a client or a size that is none.
 */
export const subsetting = <Request, C extends BalanceCandidate>(
  inner: Balancer<Request, C>,
  { client, size }: SubsettingInit,
): HealthAware<Request, C> => {
  if (!(Number.isSafeInteger(client) && client >= 0))
    throw new RangeError(`client is a whole number from 0 up, got ${client}`)
  positiveInteger('size', size)
  const within = healthAware(inner)
  const roster = new Roster()
  const subset: C[] = []
  let indices: readonly number[] = []
  const subsetOf = (candidates: readonly C[]): readonly C[] => {
    if (roster.changed(candidates)) indices = subsetIndices(roster.ids, client, size)
    if (indices.length === candidates.length) return candidates
    for (let at = 0; at < indices.length; at++) {
      const candidate = candidates[indices[at] ?? 0]
      if (candidate !== undefined) subset[at] = candidate
    }
    subset.length = indices.length
    return subset
  }
  return {
    fit: (candidate) => within.fit(candidate),
    pick: (request, candidates) => within.pick(request, subsetOf(candidates)),
    pickAny: (request, candidates) => within.pickAny(request, subsetOf(candidates)),
    settled: (candidate, result) => within.settled?.(candidate, result),
  }
}

/** Where the subset of a client is in the list, in the order of the list. */
const subsetIndices = (ids: readonly string[], client: number, size: number): readonly number[] => {
  const shuffled = [...ids.keys()].sort((a, b) => ((ids[a] ?? '') < (ids[b] ?? '') ? -1 : 1))
  const subsets = Math.floor(ids.length / size)
  if (subsets < 2) return ids.length <= size ? [...ids.keys()] : firstOf(shuffled, client, size)
  return firstOf(shuffled, Math.floor(client / subsets), size, (client % subsets) * size)
}

/** So many from `start` on of the shuffle of a round (Fisher and Yates). */
const firstOf = (sorted: readonly number[], round: number, size: number, start = 0): readonly number[] => {
  const random = seededRandom(round)
  const shuffled = [...sorted]
  for (let at = shuffled.length - 1; at > 0; at--) {
    const other = Math.floor(random.next() * (at + 1))
    const [one, two] = [shuffled[at] ?? 0, shuffled[other] ?? 0]
    shuffled[at] = two
    shuffled[other] = one
  }
  return shuffled.slice(start, start + size).sort((a, b) => a - b)
}
