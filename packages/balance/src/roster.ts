import type { BalanceCandidate } from './candidate.ts'

/**
 * The candidates of the last call, by id and weight: a copy, since the caller's array is not kept. Tells whether a call brings others, in O(n) and
 * without allocating, so that tables are made anew only then.
 */
export class Roster {
  readonly ids: string[] = []
  readonly weights: number[] = []

  get size(): number {
    return this.ids.length
  }

  /**
   * Whether `candidates` are others than those of the last call, in another order, or with other weights; they are known from now on.
   * @throws TypeError if two have the same id. @throws RangeError for a weight that is none. The candidates of the last call stay known then.
   */
  changed(candidates: readonly BalanceCandidate[]): boolean {
    if (this.holds(candidates)) return false
    checkCandidates(candidates)
    this.ids.length = 0
    this.weights.length = 0
    for (const candidate of candidates) {
      this.ids.push(candidate.id)
      this.weights.push(weightOf(candidate))
    }
    return true
  }

  /** Whether these are the candidates of the last call, in the same order and with the same weights. */
  holds(candidates: readonly BalanceCandidate[]): boolean {
    const { ids, weights } = this
    if (candidates.length !== ids.length) return false
    // An index and no iterator: this loop runs for each pick.
    for (let at = 0; at < ids.length; at++) {
      const candidate = candidates[at]
      if (candidate === undefined || candidate.id !== ids[at] || weightOf(candidate) !== weights[at]) return false
    }
    return true
  }
}

export const weightOf = (candidate: BalanceCandidate): number => candidate.weight ?? 1

const checkCandidates = (candidates: readonly BalanceCandidate[]): void => {
  const ids = new Set<string>()
  for (const candidate of candidates) {
    const { id } = candidate
    const weight = weightOf(candidate)
    if (ids.has(id)) throw new TypeError(`two candidates have the id ${JSON.stringify(id)}; each needs one of its own`)
    if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY))
      throw new RangeError(
        `the candidate ${JSON.stringify(id)} has the weight ${weight}; it takes a finite number from 0 up`,
      )
    ids.add(id)
  }
}
