import type { BalanceCandidate } from './candidate.ts'
import { Roster } from './roster.ts'

/** So many lists of candidates have their tables kept. */
export const mostTables = 4

/**
 * What was computed from a list of candidates, for the last `mostTables` different lists: a caller that leaves out a candidate for a second try, or
 * goes back and forth between two lists, does not have everything computed anew each time. A pick compares the list with the last one in O(n), with
 * the others if it differs, and allocates nothing while it finds its table.
 */
export class Tables<T> {
  readonly #build: (roster: Roster) => T
  /** The last used first. */
  readonly #kept: { readonly roster: Roster; readonly table: T }[] = []

  /** @param build reads the roster, which stays as it is from then on. */
  constructor(build: (roster: Roster) => T) {
    this.#build = build
  }

  /** The table of these candidates. @throws what `Roster.changed` throws. */
  of(candidates: readonly BalanceCandidate[]): T {
    const kept = this.#kept
    for (let at = 0; at < kept.length; at++) {
      const one = kept[at]
      if (one === undefined || !one.roster.holds(candidates)) continue
      for (let behind = at; behind > 0; behind--) kept[behind] = kept[behind - 1] ?? one
      kept[0] = one
      return one.table
    }
    const roster = new Roster()
    roster.changed(candidates)
    const table = this.#build(roster)
    // Quickly made again, and a caller that asks for one candidate each time must not drive out what takes long.
    if (roster.size === 1) return table
    kept.unshift({ roster, table })
    if (kept.length > mostTables) kept.pop()
    return table
  }
}
