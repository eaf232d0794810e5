/** A promise of the store that did not hold. */
export interface Violation {
  /** Which check found it. */
  readonly check: string
  /** What was promised, and what happened. */
  readonly text: string
  /** Drawings of it, where there are some. */
  readonly drawing?: string
  readonly svg?: string
}
