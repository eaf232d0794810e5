import type { NodeId, RequestId } from '@conclave/interface'
import type { Vote } from '../messages.ts'
import type { Progress } from '../progress.ts'
import type { ZabEpoch, Zxid } from '../zxid.ts'

/** What a node is at the moment, with what it holds only as long as it is that. An observer is a follower that does not vote. */
export type Role = LookingRole | FollowingRole | ElectedRole | LeaderRole

/** Phase 0, fast leader election: looks for a leader that a quorum agrees on. Only a hint: whoever is found has to get through phases 1 and 2. */
export interface LookingRole {
  readonly type: 'LOOKING'
  /** Undefined: nobody is known who could lead. */
  vote: Vote | undefined
  /** What others voted for in this round. */
  readonly votes: Map<NodeId, Vote>
  /** Ticks until the vote of a quorum is taken for final, unless a better one comes; undefined: no quorum agrees. */
  finalIn: number | undefined
  /** Ticks until everybody is notified again. */
  notifyIn: number
}

export interface FollowingRole {
  readonly type: 'FOLLOWING'
  readonly leader: NodeId
  /**
   * Discovery: the leader's epoch is not known, or where the two histories part. Synchronization: this history is a beginning of the leader's. Broadcast: a
   * quorum follows the leader, which is told when what it proposes is committed.
   */
  phase: 'discovery' | 'synchronization' | 'broadcast'
  /** NEWEPOCH came since this node follows: the leader knows of it. */
  known: boolean
  /** Ticks since the leader was heard. */
  silentTicks: number
  /** Ticks until CEPOCH, or where this node stands, is told again. */
  askIn: number
  /** In this tick the leader was asked to resume. */
  resumed: boolean
}

/** A history in short, as its owner told it after it had promised the leader's epoch. */
export interface Report {
  readonly currentEpoch: ZabEpoch
  readonly last: number
  readonly zxid: Zxid
}

/** Phase 1, discovery, of the one that was elected: it looks for the latest epoch, and for a history that is ahead of its own. */
export interface ElectedRole {
  readonly type: 'LEADING'
  readonly phase: 'discovery'
  /** What those who take this node for the leader have promised. */
  readonly cepochs: Map<NodeId, ZabEpoch>
  /** Above everything promised by a quorum; undefined before a quorum is there. */
  epoch: ZabEpoch | undefined
  /** Of those who promised `epoch`. */
  readonly reports: Map<NodeId, Report>
  /** The own promise counts once this write is durable. */
  ownWrite: number
  ticksLeft: number
  repeatIn: number
}

/** Phase 2, synchronization, and phase 3, broadcast. */
export interface LeaderRole {
  readonly type: 'LEADING'
  phase: 'synchronization' | 'broadcast'
  readonly epoch: ZabEpoch
  /** The initial history of this epoch ends here: once a quorum has it, it is committed. */
  readonly initial: number
  /** That this node follows itself counts once this write is durable. */
  readonly ownWrite: number
  ownLeader: boolean
  readonly progress: Map<NodeId, Progress>
  /** Position of the transaction that opens the reign; 0 before it is proposed. Nothing is read before it is committed. */
  reign: number
  /** Proposals that are not yet committed, in the order of their positions. */
  readonly proposals: { readonly id: RequestId; readonly position: number; readonly size: number }[]
  undecidedBytes: number
  /** Reads that no round covers yet. */
  readsWaiting: Set<RequestId>
  /** Reads that wait for a round, oldest first, and what was committed when it began. */
  readonly readRounds: { readonly round: number; readonly at: number; readonly reads: Set<RequestId> }[]
  round: number
  /** When recent rounds began, oldest first: a pledge of a quorum to one of them is a lease from there on. */
  readonly leaseRounds: { readonly round: number; readonly at: number }[]
  /** Only later rounds can give a lease; infinite if this reign has none any more. */
  leaseFloor: number
  /** A change of the members that somebody waits for, and the position that ends it; infinite while the configuration is joint. */
  change: { readonly id: RequestId; readonly endsAt: number } | undefined
  /** The reign on its way to another voter. */
  transfer: { readonly to: NodeId; ticksLeft: number; told: boolean } | undefined
  /** A new epoch is needed: it begins as soon as everything that was proposed is committed. */
  exhausted: boolean
  pingIn: number
}
