import type { Channel, LeaderNews, MemberNews, ReadLevel } from '@conclave/client/protocol'
import type { Feed, Membership, MembershipChange, NodeId, Refusal } from '@conclave/interface'

/** What became of a submitted block: its replies, a definite refusal, or unknown. */
export type Submitted = { readonly replies: Uint8Array } | { readonly outcome: Refusal | 'unknown' }

/** What a service answered, or why it did not. */
export type Asked = { readonly reply: Uint8Array } | { readonly refused: Refusal }

/** What became of a change of the members, or of a wish for another leader; `reason`: of a refusal, for people. */
export interface Changed {
  readonly outcome: 'done' | Refusal | 'unknown'
  readonly reason?: string
}

/** The members, for clients that know of them. */
export interface ServedMembership {
  /** Answers exactly once, not within the call. */
  reconfigure(change: MembershipChange, done: (result: Changed) => void): void
  /** `done`: the engine was asked; who leads in the end is news of the leader. */
  transfer(to: NodeId): Changed
  /** As decided last. */
  present(): Membership
}

/** What a client connection asks of its node. */
export interface Served {
  /** Takes a block as it came from the client whose key is `principal`; answers exactly once, not within the call. @throws MalformedBytes if the block does not parse. */
  submit(block: Uint8Array, done: (result: Submitted) => void, principal: NodeId): void
  /** Asks a machine's service on behalf of `principal`; answers at most once, not within the call. @returns what withdraws the call. */
  ask(machine: number, principal: NodeId, request: Uint8Array, done: (result: Asked) => void): () => void
  /** Answers once, when `query` may be asked: without a refusal, the state is then as fresh as `level` says. */
  read(level: ReadLevel, done: (refused?: Refusal) => void): void
  /** Undefined: there is no such machine. */
  query(machine: number, query: Uint8Array): Uint8Array | undefined
  watch(machine: number, request: Uint8Array): Feed | undefined
  /** True while a snapshot replaces the machines: they cannot be asked now. */
  restoring(): boolean
  leader(): LeaderNews
  members(): readonly MemberNews[]
  /** Absent: this node does not serve changes of the members. */
  readonly membership?: ServedMembership
  /** A `NodeStatus` as JSON. */
  status(): string
}

/** A channel that tells when it has enough: what a stalled client is not sent is not queued for it either. */
export interface ServedChannel extends Channel {
  /** False while what was sent waits for the client. */
  readonly writable: boolean
  /** True while so much waits that answers to reads are better refused. */
  readonly congested: boolean
  /** Called when it is writable again. One handler. */
  onDrain(handle: () => void): void
}
