import type { NodeId, RequestId } from '@conclave/interface'
import type { Progress } from '../progress.ts'

/** What a server is at the moment, with what it holds only as long as it is that. */
export type Role = FollowerRole | PreCandidateRole | CandidateRole | LeaderRole

export interface FollowerRole {
  readonly type: 'follower'
  /** Ticks until it campaigns, unless a leader is heard. */
  electionIn: number
}

/** Asks whether it could win, without raising its term (dissertation, section 9.6). */
export interface PreCandidateRole {
  readonly type: 'preCandidate'
  electionIn: number
  readonly votes: Map<NodeId, boolean>
}

export interface CandidateRole {
  readonly type: 'candidate'
  electionIn: number
  readonly votes: Map<NodeId, boolean>
  /** Its own vote counts once this write, which records it, is durable. */
  readonly ownVote: number
}

/** A read that waits for its quorum round. */
export interface PendingRead {
  readonly id: number
  readonly at: number
}

/** Leadership on its way to another voter. */
export interface Transfer {
  readonly to: NodeId
  /** Ticks until it is given up. */
  ticksLeft: number
  /** The target was told to campaign. */
  sent: boolean
}

export interface LeaderRole {
  readonly type: 'leader'
  readonly progress: Map<NodeId, Progress>
  /** Position of the entry that opened this reign; nothing is read before it is committed. */
  readonly reign: number
  /** Proposals of this reign that are not yet committed, in the order of their positions. */
  readonly proposals: { readonly id: number; readonly position: number; readonly size: number }[]
  undecidedBytes: number
  /** Reads that no round covers yet. */
  readsWaiting: number[]
  /** Reads that wait for a round, oldest first. */
  readRounds: { readonly round: number; readonly reads: readonly PendingRead[] }[]
  round: number
  /** When recent rounds began, oldest first: a promise of a quorum to one of them is a lease from there on. Empty without leases. */
  leaseRounds: { readonly round: number; readonly at: number }[]
  /** Only later rounds can give a lease; infinite if this reign has none any more. */
  leaseFloor: number
  /** A change of the membership that somebody waits for, and the position that ends it; infinite while the configuration is joint. */
  change: { readonly id: RequestId; readonly endsAt: number } | undefined
  transfer: Transfer | undefined
  heartbeatIn: number
  /** Ticks until the quorum is checked again. */
  quorumCheckIn: number
}
