import type { BalanceCandidate } from '../candidate.ts'

/** What is known of a candidate while requests are under way to it. */
export interface InFlight {
  /** Requests that were sent to it and have not ended. */
  pending: number
}

/** So many candidates that are gone are remembered for the sake of requests that are still under way to them. */
export const mostGone = 1024

/**
 * A state for each candidate, by id. A candidate that is gone is remembered until its last request ended, so that one which comes back in between has
 * the right count. A caller that never says how requests ended makes no leak: of the candidates that are gone, the oldest are forgotten beyond
 * `mostGone`.
 *
 * `of` and `ended` take O(1), and allocate for a candidate that is new only.
 */
export class Tracked<S extends InFlight> {
  readonly #states = new Map<string, S>()
  readonly #make: () => S
  #sweepAbove = 16

  constructor(make: () => S) {
    this.#make = make
  }

  /** The state of `candidate`, a new one for a candidate that is new. @param candidates those of this call. */
  of(candidate: BalanceCandidate, candidates: readonly BalanceCandidate[]): S {
    const known = this.#states.get(candidate.id)
    if (known !== undefined) return known
    if (this.#states.size >= this.#sweepAbove) this.#sweep(candidates)
    const state = this.#make()
    this.#states.set(candidate.id, state)
    return state
  }

  /** The state of a candidate one of whose requests ended, with one less pending; undefined for a stranger. */
  ended(candidate: BalanceCandidate): S | undefined {
    const state = this.#states.get(candidate.id)
    if (state !== undefined && state.pending > 0) state.pending--
    return state
  }

  /** What is known of `candidate`; undefined for a stranger. */
  get(candidate: BalanceCandidate): S | undefined {
    return this.#states.get(candidate.id)
  }

  get size(): number {
    return this.#states.size
  }

  /** Forgets those that are gone. Called when there are twice as many as after the last time, so that a new candidate costs O(1) on average. */
  #sweep(candidates: readonly BalanceCandidate[]): void {
    const present = new Set(candidates.map(({ id }) => id))
    let gone = 0
    for (const [id, state] of this.#states) {
      if (present.has(id)) continue
      if (state.pending === 0) this.#states.delete(id)
      else gone++
    }
    // A map iterates in the order of insertion: the oldest first.
    for (const id of this.#states.keys()) {
      if (gone <= mostGone) break
      if (present.has(id)) continue
      this.#states.delete(id)
      gone--
    }
    this.#sweepAbove = 2 * Math.max(8, this.#states.size, candidates.length)
  }
}

/** A state that counts requests under way and nothing else. */
export const counting = (): InFlight => ({ pending: 0 })
