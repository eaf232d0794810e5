import type { Ledger } from '../ledger.ts'
import type { Watcher } from '../observation.ts'

/** Tells of a violation: what does not hold, and who is concerned. The first one ends the run. */
export type Broken = (what: string, ...nodes: readonly string[]) => void

/** Something that must hold at every step of every run. */
export interface Invariant {
  readonly name: string
  /** Where it is stated. */
  readonly source: string
  /** Begins to look on: at every step of one run. */
  watch(broken: Broken, ledger: Ledger): Watcher
}
