import type { NodeId, Peer, RequestId } from '@conclave/interface'
import type { Ballot } from '../ballot.ts'
import type { Progress } from '../progress.ts'
import type { Value } from '../value.ts'

/**
 * What a node is at the moment beside an acceptor and a learner, which every node is all the time, with what it holds only as long as it is that.
 */
export type Role = AcceptorRole | CanvassingRole | PreparingRole | LeaderRole

/** Proposes nothing. */
export interface AcceptorRole {
  readonly type: 'acceptor'
  /** Ticks until it canvasses, unless a leader is heard. */
  electionIn: number
}

/** Asks whether a prepare would be promised, without promising anything itself. */
export interface CanvassingRole {
  readonly type: 'canvassing'
  electionIn: number
  readonly ballot: Ballot
  readonly votes: Map<NodeId, boolean>
}

/** How much of one acceptor's promise is here. */
export interface Promised {
  /** The slot at which its next page begins. */
  cursor: number
  /** Only then it counts. */
  complete: boolean
  /** What it has decided, as of its last page. */
  decided: number
}

/** The value of the highest ballot that was reported for a slot; `chosen` if it is known to be decided. */
export interface Adopted {
  readonly ballot: Ballot
  readonly value: Value
  readonly chosen: boolean
}

/** Phase 1: a proposer that waits for promises. */
export interface PreparingRole {
  readonly type: 'preparing'
  electionIn: number
  readonly ballot: Ballot
  /** The first slot that was undecided here when it began: one prepare covers it and all that follow. */
  readonly from: number
  /** The reign that its leader gave away to this node; `noBallot` if none did. */
  readonly given: Ballot
  /** Its own promise counts once this write is durable. */
  readonly ownWrite: number
  ownPromised: boolean
  readonly promises: Map<NodeId, Promised>
  readonly adopted: Map<number, Adopted>
  /** Ticks until unanswered prepares are repeated. */
  repeatIn: number
  /** A leader that goes on in the next configuration with the same ballot brings this along. */
  readonly tenure: Tenure | undefined
}

/** A read that waits for its quorum round. */
export interface PendingRead {
  readonly id: RequestId
  readonly at: number
}

/** A change of the members that has been proposed as a stop-sign. */
export interface PendingChange {
  /** Who waits for it; undefined if the leader promotes a learner by itself. */
  readonly id: RequestId | undefined
  readonly slot: number
}

/** What one reign owes to those who asked; it passes through changes of the configuration. */
export interface Tenure {
  readonly ballot: Ballot
  /** Stands before every batch. */
  readonly batchHeader: Uint8Array
  /** Proposals that are not yet delivered, in the order of their slots. */
  readonly proposals: { readonly id: RequestId; readonly slot: number; readonly size: number }[]
  /** Proposals that wait for the next configuration, not yet proposed to anybody. */
  held: { readonly id: RequestId; readonly batch: Uint8Array }[]
  undecidedBytes: number
  /** Reads that no round covers yet. */
  readsWaiting: RequestId[]
  change: PendingChange | undefined
}

/** A slot that is proposed in this ballot and not delivered yet. */
export interface Tally {
  /** Who has accepted it. */
  readonly votes: Set<NodeId>
  chosen: boolean
}

/** The distinguished proposer: phase 1 is done for all slots, and each value takes one phase 2. */
export interface LeaderRole {
  readonly type: 'leader'
  readonly ballot: Ballot
  readonly tenure: Tenure
  readonly progress: Map<NodeId, Progress>
  readonly tally: Map<number, Tally>
  /** Own acceptances that are not durable yet, by the write that holds them. */
  readonly unsynced: { readonly write: number; readonly slot: number }[]
  /** The first slot for which nothing is proposed in this ballot. */
  next: number
  /** A stop-sign is proposed: nothing is, beyond it. */
  stopped: boolean
  /** Reads that wait for a round, oldest first. */
  readonly readRounds: { readonly round: number; reads: readonly PendingRead[] }[]
  round: number
  /** When each round began, as long as it may still give a lease. */
  readonly leaseRounds: { readonly round: number; readonly at: number }[]
  /** No more leases in this reign: it is being given away. */
  renounced: boolean
  heartbeatIn: number
  /** The reign is being given to this node: no proposals meanwhile. */
  transfer: { readonly to: NodeId; ticksLeft: number; told: boolean } | undefined
}

/**
 * A leader that is no voter of the next configuration leads no more. It still tells the next members how the last configuration ended, until a quorum
 * of them knows, and then the one who asked for the change.
 */
export interface Farewell {
  readonly change: PendingChange | undefined
  readonly slot: number
  readonly listeners: readonly Peer[]
  /** What each listener is known to have delivered. */
  readonly told: Map<NodeId, number>
  ticksLeft: number
}
