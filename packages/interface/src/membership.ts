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
}

/**
 * The members of a cluster. While `outgoing` is there, the configuration is joint (Raft, extended version, section 6):
 * a quorum needs a majority of the voters of `members` and a majority of `outgoing`.
 */
export interface Membership {
  readonly members: readonly Member[]
  readonly outgoing?: readonly NodeId[]
}

export type MembershipChange =
  | { readonly type: 'add'; readonly member: Peer; readonly role: MemberRole }
  | { readonly type: 'promote'; readonly id: NodeId }
  | { readonly type: 'remove'; readonly id: NodeId }
  | { readonly type: 'update'; readonly member: Peer }
