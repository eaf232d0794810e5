/** Rare states that a campaign has to reach, or it proves less than it seems. */
import type { NodeId, Supports } from '@conclave/interface'
import type { Ledger } from './ledger.ts'
import type { Observation } from './observation.ts'
import type { FaultType } from './plan.ts'

/** What a mark needs to be within reach at all. */
export type MarkNeeds = keyof Supports | 'previous-engine'

export interface Mark {
  readonly name: string
  /** Default: nothing. */
  readonly needs?: readonly MarkNeeds[]
}

/** What a watcher of marks can ask about the world. */
export interface MarkWorld {
  readonly ledger: Ledger
  /** Is any link cut right now? */
  partitioned(): boolean
}

export type Hit = (mark: string, node?: NodeId) => void

/** Marks, and what looks out for them in one run. */
export interface MarkSet {
  readonly marks: readonly Mark[]
  watch(hit: Hit, world: MarkWorld): (seen: Observation) => void
}

const memberFaults: readonly FaultType[] = ['add', 'remove', 'promote']

/** Every kind of fault. */
export const faultTypes: readonly FaultType[] = [
  'crash',
  'restart-storm',
  'partition',
  'isolate',
  'one-way',
  'reset',
  'weather',
  'pause',
  'disk-stall',
  'disk-full',
  'disk-fails',
  'disk-corruption',
  'disk-lost',
  'coup',
  ...memberFaults,
  'transfer',
]

export const faultMark = (type: FaultType): string => `fault: ${type}`

/** What can be told of every engine. */
export const commonMarks: MarkSet = {
  marks: [
    ...faultTypes.map((type): Mark => {
      if (memberFaults.includes(type)) return { name: faultMark(type), needs: ['membership'] }
      return { name: faultMark(type), ...(type === 'transfer' && { needs: ['transfer'] as const }) }
    }),
    { name: 'torn write recovered' },
    { name: 'entry truncated while its write was pending' },
    { name: 'snapshot installed' },
    { name: 'snapshot installed in mid-partition' },
    { name: 'snapshot installed during joint consensus', needs: ['membership'] },
    { name: 'leader removed', needs: ['membership'] },
    { name: 'learner promoted by itself after a leader change', needs: ['membership', 'learners'] },
    { name: 'joint configuration finished by another leader', needs: ['membership'] },
    { name: 'transfer completed', needs: ['transfer'] },
    { name: 'transfer given up', needs: ['transfer'] },
    { name: 'read refused', needs: ['reads'] },
    { name: 'lease read served', needs: ['leases'] },
    { name: 'retry answered from the session table' },
    { name: 'node refused to start for corruption' },
    { name: 'disk full refused a write' },
    { name: 'node stopped because a sync failed' },
    { name: 'lost node replaced by a spare', needs: ['membership'] },
    { name: 'quorum of mixed versions', needs: ['previous-engine'] },
    { name: 'process went on after a pause as a deposed leader' },
    { name: 'outcome unknown to the client, and decided' },
    { name: 'converged with a minority still broken' },
    { name: 'converged with a link still cut in one direction' },
  ],
  watch: (hit) => (seen) => {
    if (seen.type === 'fault' && seen.ends !== true) hit(faultMark(seen.fault.type))
  },
}
