import type { BalanceCandidate } from '../candidate.ts'
import { Roster } from '../roster.ts'
import type { InFlight, Tracked } from './tracked.ts'

/** The states of the candidates of a call in their order, for strategies that look at all of them: no look-up by id while the candidates stay. */
export class Aligned<S extends InFlight> {
  readonly roster = new Roster()
  /** One for each candidate, at the same index. */
  readonly states: S[] = []
  readonly #tracked: Tracked<S>

  constructor(tracked: Tracked<S>) {
    this.#tracked = tracked
  }

  /** Whether the candidates are others than before, as `Roster.changed`; `states` follows them. */
  changed(candidates: readonly BalanceCandidate[]): boolean {
    if (!this.roster.changed(candidates)) return false
    this.states.length = 0
    for (const candidate of candidates) this.states.push(this.#tracked.of(candidate, candidates))
    return true
  }
}
