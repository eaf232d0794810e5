/** A promise of the store that did not hold. */
export interface Violation {
  /** Which check found it. */
  readonly check: string
  /** What was promised, and what happened. */
  readonly text: string
  /** A drawing of it, where there is one. */
  readonly svg?: string
}
