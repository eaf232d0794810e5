import { Session } from '@conclave/client/locks'
import type { EngineFactory, Journal, NodeId, StateMachine } from '@conclave/interface'
import { fileJournal } from '@conclave/journal-file'
import type { SimulatedDisk } from '@conclave/journal-file/testing'
import { chubbyMachine } from '@conclave/machine-chubby'
import { kvMachine } from '@conclave/machine-kv'
import { createReplica } from '@conclave/replica'
import type { EngineInsight } from './insight.ts'

/** What runs in a world. Everything but the engine has the real thing as its default, so that variants can be put in its place. */
export interface Parts {
  readonly engine: EngineFactory
  /** What the simulator is told of the engine beyond its contract: `raftInsight` for Raft. */
  readonly insight?: EngineInsight
  /** The protocol version before: spoken by nodes until their life `upgradeAtLife`. Default: all speak the newest. */
  readonly previousEngine?: EngineFactory
  readonly createReplica?: typeof createReplica
  readonly fileJournal?: typeof fileJournal
  /** A new machine of the kind that `kvMachine` makes. */
  readonly machine?: () => StateMachine
  /** A new machine of the kind that `chubbyMachine` makes: for the lock workload. */
  readonly locks?: () => StateMachine
  /** What lock clients begin their sessions with. */
  readonly session?: Pick<typeof Session, 'begin'>
  readonly hooks?: Hooks
}

/** An environment that is broken on purpose, to see that it is noticed. */
export interface Hooks {
  /** Called with the disk of each life before it is used. */
  readonly disk?: (disk: SimulatedDisk, node: NodeId) => void
  readonly journal?: (journal: Journal, node: NodeId) => Journal
  /** A node whose disk was lost comes back under its old id, with an empty one. */
  readonly returnsWithLostDisk?: boolean
  /** A retry gets serials of its own, so that nothing tells it from a new command. */
  readonly renumberRetries?: boolean
}

/** Small, so that a short run sees several snapshots and the end of its history. */
const history = { events: 32, bytes: 2_048 }

export type ResolvedParts = Required<Omit<Parts, 'insight' | 'previousEngine'>> &
  Pick<Parts, 'insight' | 'previousEngine'>

export const resolveParts = (parts: Parts): ResolvedParts => ({
  createReplica,
  fileJournal,
  machine: () => kvMachine({ history }),
  locks: chubbyMachine,
  session: Session,
  hooks: {},
  ...parts,
})
