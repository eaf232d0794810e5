import type { NodeId } from './brands.ts'

/** A voter counts in quorums; a learner receives everything and counts in none. */
export type MemberRole = 'voter' | 'learner'

/** One member, with what is needed to reach it. `addresses` are hints for the transport (multiaddrs); they carry no identity. */
export interface Peer {
  readonly id: NodeId
  /** A name for people; unique within a cluster, 1 to 63 characters of `[0-9a-zA-Z._-]`. */
  readonly name: string
  readonly addresses: readonly string[]
}

export interface Member extends Peer {
  readonly role: MemberRole
  /** A learner that becomes a voter by itself, once it has caught up. */
  readonly promote?: true
}

/**
 * The members of a cluster. While `outgoing` is there, the configuration is joint (Raft, extended version, section 6):
 * a quorum needs a majority of the voters of `members` and a majority of `outgoing`.
 */
export interface Membership {
  readonly members: readonly Member[]
  readonly outgoing?: readonly NodeId[]
  /** Members of the past, newest last, at most `mostRemoved`: their ids are never used again. Absent if there are none. */
  readonly removed?: readonly NodeId[]
}

/** So many removed members are remembered. */
export const mostRemoved = 500

/**
 * One change; the next is taken when it is done.
 *
 * - `add` as a learner: it receives everything and counts in no quorum. As a voter: it is a learner first, and is promoted by itself once it
 *   has caught up (dissertation, section 4.2.1); the change is decided when it is a learner. The id must never have been a member.
 * - `promote`: the same for one that is a learner already; decided when it is marked.
 * - `remove`: a member leaves, maybe the leader itself. The last voter cannot.
 * - `update`: a member gets other addresses or another name.
 */
export type MembershipChange =
  | { readonly type: 'add'; readonly member: Peer; readonly role: MemberRole }
  | { readonly type: 'promote'; readonly id: NodeId }
  | { readonly type: 'remove'; readonly id: NodeId }
  | { readonly type: 'update'; readonly member: Peer }
