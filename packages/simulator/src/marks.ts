/** Rare states that a campaign has to reach, or it proves less than it seems. */
import type { NodeId, Supports } from '@conclave/interface'
import type { Ledger } from './ledger.ts'
import { clientMarks } from './marks/clients.ts'
import { faultMarks, faultTypes } from './marks/faults.ts'
import { leadershipMarks } from './marks/leadership.ts'
import { lockMarks } from './marks/locks.ts'
import { memberMarks } from './marks/members.ts'
import { storageMarks } from './marks/storage.ts'
import type { Watcher } from './observation.ts'
import type { FaultType, Workload } from './plan.ts'

/** What a mark needs to be within reach at all. */
export type MarkNeeds = keyof Supports | 'previous-engine'

export interface Mark {
  readonly name: string
  /** Default: nothing. */
  readonly needs?: readonly MarkNeeds[]
  /** Not within reach of a campaign without this kind of fault. */
  readonly fault?: FaultType
}

/** What a watcher of marks can ask about the world. */
export interface MarkWorld {
  readonly ledger: Ledger
  /** Milliseconds of the world. */
  now(): number
  /** Is any link cut right now? */
  partitioned(): boolean
}

export type Hit = (mark: string, node?: NodeId) => void

/** Marks, and what looks out for them in one run. */
export interface MarkSet {
  readonly marks: readonly Mark[]
  watch(hit: Hit, world: MarkWorld): Watcher
}

export { faultTypes }

/** What can be told of every engine, while clients use the store. */
export const commonMarks: readonly MarkSet[] = [faultMarks, storageMarks, memberMarks, leadershipMarks, clientMarks]

/** What a campaign has to reach. That of locks is not judged by what engines do: those of the store do so. */
export const marksOf = (workload: Workload, insight: MarkSet | undefined): readonly MarkSet[] => {
  if (workload === 'locks') return [faultMarks, { marks: lockMarks, watch: () => () => {} }]
  return insight === undefined ? commonMarks : [...commonMarks, insight]
}
