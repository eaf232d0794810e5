import type { Epoch, Membership, MembershipChange, NodeId, Refusal } from '@conclave/interface'

export const clientProtocol = '/conclave/client/1'
export const protocolVersion = 1
/** A bit of `features`: `reconfigure`, `transfer` and `members` are known. */
export const membershipFeature = 1
/** A bit of `features`: `ask`, `withdraw` and `answer` are known. */
export const servicesFeature = 2

/** Bytes of one message, type included. */
export const maxMessageBytes = 2 * 1024 * 1024
/** Bytes of the block of one `submit`. */
export const maxBlockBytes = 1.5 * 1024 * 1024
/** Reads that one message may hold. */
export const maxReads = 65_536
/** Bytes of one query, and of one watch request. */
export const maxQueryBytes = 64 * 1024
/** Bytes of one request to a machine's service. */
export const maxAskBytes = 512 * 1024
/** Bytes of one read's answer. A node splits answers over several messages so that each fits `maxMessageBytes`. */
export const maxReadReplyBytes = 1024 * 1024 + 64 * 1024
export const maxStatusBytes = 256 * 1024

export const readLevels = ['linearizable', 'lease', 'local'] as const
/**
 * `linearizable`: sees every write that was acknowledged before the read began (a quorum round). `lease`: the same as long as clocks run at
 * nearly the same rate. `local`: what the asked node has applied, maybe stale.
 */
export type ReadLevel = (typeof readLevels)[number]

/** Without types nothing else keeps a wrong word from going to a node, which would close the connection. @throws RangeError */
export const checkedLevel = (level: ReadLevel = 'linearizable'): ReadLevel => {
  if (readLevels.includes(level)) return level
  throw new RangeError(`a read level is ${readLevels.join(', ')}; got ${JSON.stringify(level)}`)
}

/** On the wire: the index + 1. 0 stands for `unknown` in an outcome and for "answered" in a read reply. */
export const refusals = [
  'not-leader',
  'overloaded',
  'disk-full',
  'not-ready',
  'unsupported',
  'invalid',
  'in-progress',
] as const satisfies readonly Refusal[]

export const watchEndReasons = ['ended', 'unsupported', 'overloaded', 'closing'] as const
/** `ended`: the feed told its end in its own events. `unsupported`: no such machine, or a malformed request. `overloaded`: too many watches. `closing`: the node stops; go to another. */
export type WatchEndReason = (typeof watchEndReasons)[number]

export const goodbyeReasons = ['closing', 'version', 'cluster', 'malformed', 'overloaded'] as const
/** `closing`: the node stops. `version`, `cluster`: the hello does not fit. `malformed`: what was sent did not parse. `overloaded`: too many clients. */
export type GoodbyeReason = (typeof goodbyeReasons)[number]

export interface LeaderNews {
  readonly epoch: Epoch
  /** Absent: no leader is known. */
  readonly id?: NodeId
  /** The leader's multiaddrs, without `/p2p`. Empty if unknown. */
  readonly addresses: readonly string[]
}

export interface MemberNews {
  readonly id: NodeId
  readonly name: string
  /** Multiaddrs, without `/p2p`. */
  readonly addresses: readonly string[]
}

export interface Read {
  /** Chosen by the client, unique among its reads on this channel. */
  readonly id: number
  /** 1 to 255. */
  readonly machine: number
  readonly query: Uint8Array
}

export type ClientMessage =
  /** The first message. `cluster` empty: whichever it is. `features`: what the client knows; unknown bits are ignored. */
  | { readonly type: 'hello'; readonly version: number; readonly features: number; readonly cluster: string }
  /** Answered by exactly one `replies` or `outcome` with the same `blockId`, unless the channel closes before. */
  | { readonly type: 'submit'; readonly blockId: number; readonly block: Uint8Array }
  /** Each is answered once, in any order, in one or more `readReplies`. All are read at one level. */
  | { readonly type: 'reads'; readonly level: ReadLevel; readonly reads: readonly Read[] }
  /** Starts a feed of what this node has applied, until `unwatch` or `watchEnded`. */
  | { readonly type: 'watch'; readonly id: number; readonly machine: number; readonly request: Uint8Array }
  /** Not answered. Events that were on their way may still arrive. */
  | { readonly type: 'unwatch'; readonly id: number }
  | { readonly type: 'status'; readonly id: number }
  /** Answered by `pong` at once. */
  | { readonly type: 'ping' }
  /** Changes the membership. Answered by `changed`. This and what follows: only to a node whose welcome has `membershipFeature`. */
  | { readonly type: 'reconfigure'; readonly id: number; readonly change: MembershipChange }
  /** Gives leadership away. Answered by `changed` when it is asked of the engine; who leads then is told by `leader`. */
  | { readonly type: 'transfer'; readonly id: number; readonly to: NodeId }
  /** Answered by `members`. */
  | { readonly type: 'members'; readonly id: number; readonly level: ReadLevel }
  /** Asks the service of a machine, which may hold the call for long. Answered by one `answer`. This and the next: only to a node whose welcome has `servicesFeature`. */
  | { readonly type: 'ask'; readonly id: number; readonly machine: number; readonly request: Uint8Array }
  /** Not answered, and neither is the call any more, unless its answer is on its way. */
  | { readonly type: 'withdraw'; readonly id: number }

export type ReadReply =
  | { readonly id: number; readonly reply: Uint8Array }
  | { readonly id: number; readonly refused: Refusal }

/** The members as of a decided configuration. */
export interface MembershipNews {
  /** The reign that the node knew when it answered. */
  readonly epoch: Epoch
  readonly membership: Membership
}

export type ServerMessage =
  /** Answers `hello`; sent again when the members change. `node` is the sender. `features` only for a client whose hello has some. */
  | {
      readonly type: 'welcome'
      readonly version: number
      readonly node: NodeId
      readonly cluster: string
      readonly leader: LeaderNews
      readonly members: readonly MemberNews[]
      readonly features?: number
    }
  /** Pushed at every change that the node learns of. */
  | ({ readonly type: 'leader' } & LeaderNews)
  /** The block was decided. The bytes are those of `visitReplies`. */
  | { readonly type: 'replies'; readonly blockId: number; readonly replies: Uint8Array }
  /** `refused` is definite for this attempt: it was not and will not be decided. `unknown`: it may have been, or may yet be. */
  | { readonly type: 'outcome'; readonly blockId: number; readonly outcome: Refusal | 'unknown' }
  | { readonly type: 'readReplies'; readonly replies: readonly ReadReply[] }
  /** What `Feed.poll` gave. */
  | { readonly type: 'watchEvents'; readonly id: number; readonly events: Uint8Array }
  | { readonly type: 'watchEnded'; readonly id: number; readonly reason: WatchEndReason }
  /** A `NodeStatus` as JSON. */
  | { readonly type: 'status'; readonly id: number; readonly json: string }
  | { readonly type: 'pong' }
  /** `reason`: of a refusal, for people; may be empty. */
  | {
      readonly type: 'changed'
      readonly id: number
      readonly outcome: 'done' | Refusal | 'unknown'
      readonly reason: string
    }
  | ({ readonly type: 'members'; readonly id: number } & (MembershipNews | { readonly refused: Refusal }))
  /** What the service of a machine says to an `ask`, or why it was not asked. */
  | ({ readonly type: 'answer'; readonly id: number } & (
      | { readonly reply: Uint8Array }
      | { readonly refused: Refusal }
    ))
  /** The node closes the channel. Nothing follows; what was not answered is unknown. */
  | { readonly type: 'goodbye'; readonly reason: GoodbyeReason }

/** What a node says of itself: the JSON of `status`. Positions are numbers, epochs decimal strings. More fields may come. */
export interface NodeStatus {
  readonly id: string
  readonly name: string
  readonly cluster: string
  readonly engine: string
  /** Members that this node refuses, since they run another engine. */
  readonly otherEngines?: readonly { readonly id: string; readonly name: string; readonly engine: string }[]
  /** In the engine's own words. */
  readonly role: string
  readonly leading: boolean
  readonly epoch: string
  /** The id of the leader that this node knows. */
  readonly leader?: string
  readonly decided: number
  readonly applied: number
  readonly last: number
  readonly snapshot: number
  readonly members: readonly { readonly id: string; readonly name: string; readonly addresses: readonly string[] }[]
  /** What this node is in the configuration that its engine uses: `voter`, `learner` or `none`. */
  readonly member?: string
  /** The configuration decided last, as far as this node knows. */
  readonly membership?: Membership
  /** Why this node is no member any more. */
  readonly removed?: string
  /** State hash by machine name, taken at `applied`. */
  readonly machines?: Readonly<Record<string, string>>
  readonly [more: string]: unknown
}
