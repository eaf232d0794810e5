import type { Epoch, Monotonic, NodeId, Position, RequestId, SnapshotId, WriteId } from './brands.ts'
import type { Chunks } from './bytes.ts'
import type { JournalOp, JournalState } from './journal.ts'
import type { MemberRole, Membership, MembershipChange, Peer } from './membership.ts'
import type { Random } from './world.ts'

/** What makes an engine; the default export, or a named one, of an engine package. */
export interface EngineFactory {
  /** As it stands in configurations, records and greetings: `raft`, `paxos`, `zab`. See `isEngineName`. */
  readonly name: string
  /** The version of this contract that the engine was written for. */
  readonly contract: 1
  /**
   * Pure and synchronous; reads nothing but its argument.
   * @throws MalformedBytes if the recovered state does not parse; AssertionFailed if it contradicts itself.
   */
  create(init: EngineInit): Engine
  /** A message in a few words, for people who read a timeline: `append 7..9 term 3`. Never throws; undefined if it does not parse. */
  describe?(message: Uint8Array): string | undefined
}

/** Whether it can be the name of an engine: 1 to 63 characters of `0-9 a-z A-Z @ / . _ -`. */
export const isEngineName = (name: unknown): name is string =>
  typeof name === 'string' && /^[0-9a-zA-Z@/._-]{1,63}$/.test(name)

export interface EngineInit {
  readonly self: NodeId
  /**
   * The members that found the cluster; the same on every founder. Used only while the journal holds no configuration: an engine that offers no changes
   * has to write it down too, since a later start may bring other founders.
   */
  readonly founders: Membership
  /** What the journal found. The engine owns it from here on. */
  readonly recovered: JournalState
  /** Engine ticks, see `Timing`. */
  readonly timing: Timing
  /** For election jitter; seeded by the caller. */
  readonly random: Random
  readonly limits: EngineLimits
  /**
   * Whether this node, while it leads, may serve `lease` reads: they are as good as the clocks of the members run at the same rate, within a
   * tenth. Default false: they are served as `linearizable`.
   */
  readonly leases?: boolean
}

/** All in ticks (10 ms each in production), so that an engine never reads a clock. */
export interface Timing {
  /** Between heartbeats of an idle leader. */
  readonly heartbeatTicks: number
  /** The least election time-out; the actual one is uniform in [electionTicks, 2 × electionTicks). At least 4 × heartbeatTicks. */
  readonly electionTicks: number
  /** Length of one tick in milliseconds of `Monotonic`, for what is judged by `now`. */
  readonly tickMillis: number
}

export interface EngineLimits {
  /** Largest engine message in bytes that the engine may emit. One entry always fits: a batch is at least 96 bytes smaller, which is room for the engine's headers. */
  readonly messageBytes: number
  /** Bytes of appends in flight to one peer. */
  readonly inflightBytes: number
  /** Bytes of proposed, not yet decided entries; beyond it proposals are refused as `overloaded`. */
  readonly undecidedBytes: number
  /** Bytes of decided entries kept in memory for slower peers; a peer that needs an older one gets a snapshot. */
  readonly tailBytes: number
}

/**
 * What an engine offers. It gates the compliance suite and what the replica lets callers ask for. Without `snapshots` nothing is captured, every
 * `snapshotOffered` is declined, and the log grows for ever.
 */
export interface Supports {
  readonly snapshots: boolean
  readonly reads: boolean
  readonly membership: boolean
  readonly learners: boolean
  readonly transfer: boolean
  readonly leases: boolean
}

/**
 * A consensus engine: a pure state machine. No I/O, no clock, no timers, no randomness but `init.random`, no await.
 * A method that throws leaves the engine unusable: the replica stops for good.
 */
export interface Engine {
  readonly supports: Supports
  /**
   * Takes one input. Synchronous; bounded work.
   * @param now sampled after the turn's inputs were taken; never decreases from call to call.
   *
   * A malformed message from a peer is dropped (and counted in `Status.malformed`), never thrown.
   * The engine owns the bytes of `receive` and `propose` from here on and may keep views of them.
   */
  step(input: Input, now: Monotonic): void
  /** Everything since the last drain, so that many inputs share one write and one frame. Effects belong to the caller. */
  drain(): Effects
  status(): Status
}

export type ReadLevel = 'linearizable' | 'lease'

export type Input =
  /** Time has passed. At most one a turn, after the messages of the turn: a process that was stopped for ten seconds gets one, not a thousand. */
  | { readonly type: 'tick' }
  /** A message of `Effects.send` of a peer; it may be late, doubled, reordered, or from a node that is no member. */
  | { readonly type: 'receive'; readonly from: NodeId; readonly message: Uint8Array }
  /** `up`: a link was made. `down`: the link was reset or closed (a time-out is neither). `lost`: frames to that peer were dropped. */
  | { readonly type: 'peer'; readonly id: NodeId; readonly state: 'up' | 'down' | 'lost' }
  /** One turn's commands, packed by the replica: one entry. Settles exactly once. */
  | { readonly type: 'propose'; readonly id: RequestId; readonly batch: Uint8Array }
  /** Settles exactly once: `readAt`, `refused` or, for an engine that gives up, `unknown` (a read has no effect, so the two are alike). */
  | { readonly type: 'read'; readonly id: RequestId; readonly level: ReadLevel }
  /** Nobody waits for this read any more. It settles no more; a proposal cannot be cancelled. */
  | { readonly type: 'cancel'; readonly id: RequestId }
  /** Settles exactly once, like a proposal: `decided` at the position of the configuration that ends the change. */
  | { readonly type: 'reconfigure'; readonly id: RequestId; readonly change: MembershipChange }
  /** Give leadership to this voter. Nothing settles: the news is in `Effects.leader`. Given up after an election time-out, and ignored by who does not lead. */
  | { readonly type: 'transfer'; readonly to: NodeId }
  /** The write and all earlier ones are on disk: they survive a loss of power. */
  | { readonly type: 'persisted'; readonly write: WriteId }
  /** `full` and `slow`: refuse proposals, give leadership away if possible. */
  | { readonly type: 'disk'; readonly state: 'ok' | 'slow' | 'full' }
  /** A snapshot body is staged and synced, at a position that was decided here, is applied, and is durable here. */
  | { readonly type: 'captured'; readonly snapshot: CapturedSnapshot }
  /** A peer offers a snapshot. The engine answers with `acceptSnapshot` or `rejectSnapshot` before a byte is taken. */
  | { readonly type: 'snapshotOffered'; readonly from: NodeId; readonly header: Uint8Array }
  /** An accepted body is staged and synced under `id`. A body, received or captured, that the write of the next drain does not name is discarded. */
  | { readonly type: 'snapshotReceived'; readonly from: NodeId; readonly id: SnapshotId; readonly header: Uint8Array }
  /** A transfer that this engine asked for ended: `ok` means that the peer has it staged. */
  | { readonly type: 'snapshotSent'; readonly to: NodeId; readonly id: SnapshotId; readonly ok: boolean }

export interface CapturedSnapshot {
  readonly id: SnapshotId
  readonly position: Position
}

/** What the world must do. Order within one drain: `write` is handed over first; `send` follows its durability rule; then `restore`, `decide`, `settle`. */
export interface Effects {
  /** Atomic and in order. Ids rise by one from 1. */
  readonly write?: { readonly id: WriteId; readonly ops: readonly JournalOp[] }
  /**
   * **The durability rule**: a message leaves only when every write emitted before or together with it is durable, unless it is marked
   * `early` (a leader's appends, heartbeats, refusals). Messages to one peer in one lane keep their order among those of the same mark.
   */
  readonly send: readonly Send[]
  /** Contiguous, in one total order: each position once, from the one after the recovered or restored snapshot. */
  readonly decide: readonly Decided[]
  readonly settle: readonly Settle[]
  /** Told at every change of epoch or leader since `status()` of the new engine. Without `id`: no leader is known. */
  readonly leader?: LeaderInfo
  /** Everyone to hold a link to from now on, uncommitted configurations included, self excluded. Absent: as before; the first drain always has it. */
  readonly peers?: readonly Peer[]
  /** The engine needs a newer snapshot than it has (a peer lags behind the tail): answer with `captured` as soon as possible. */
  readonly capture?: true
  /** Start these transfers; each ends in `snapshotSent`. `header` is what the peer's engine gets with `snapshotOffered`. */
  readonly sendSnapshot?: readonly { readonly to: NodeId; readonly id: SnapshotId; readonly header: Uint8Array }[]
  /** Answers to `snapshotOffered`, for the one transfer that `from` has open. */
  readonly answerSnapshot?: readonly { readonly from: NodeId; readonly accept: boolean }[]
  /**
   * Throw the state machines away and restore them from this staged body. Decisions go on from `position` + 1. The `snapshot` op that
   * names the body is in a `write` of this or an earlier drain: the replica restores when that write is durable, and applies nothing before.
   */
  readonly restore?: { readonly id: SnapshotId; readonly position: Position; readonly epoch: Epoch }
}

/** `urgent` never waits behind `bulk` (appends with entries). */
export type Lane = 'urgent' | 'bulk'

export interface Send {
  readonly to: NodeId
  readonly message: Chunks
  readonly lane: Lane
  readonly early?: true
}

/**
 * `epoch`: the reign in which it was proposed, that of the last `reign` at or before it; it never decreases. What a new leader finds undecided it gets decided
 * with the epochs of its predecessors, before its own `reign`.
 */
export type Decided =
  | { readonly type: 'batch'; readonly position: Position; readonly epoch: Epoch; readonly batch: Uint8Array }
  | { readonly type: 'noop'; readonly position: Position; readonly epoch: Epoch }
  | { readonly type: 'members'; readonly position: Position; readonly epoch: Epoch; readonly membership: Membership }
  /** The first entry that a new leader gets decided: what its predecessors left is settled, and `epoch` reigns from here on. */
  | { readonly type: 'reign'; readonly position: Position; readonly epoch: Epoch; readonly leader: NodeId }

export interface Settle {
  readonly id: RequestId
  readonly outcome: Outcome
}

export type Outcome =
  /** The proposal is decided at this position; its `decide` is in this drain or an earlier one. */
  | { readonly type: 'decided'; readonly position: Position }
  /** Serve the read once this position is applied. */
  | { readonly type: 'readAt'; readonly position: Position }
  /** Definite: it was not and will not be decided. */
  | { readonly type: 'refused'; readonly reason: Refusal }
  /** It may have been decided, or may yet be. */
  | { readonly type: 'unknown' }

export type Refusal =
  | 'not-leader'
  | 'overloaded'
  | 'disk-full'
  | 'not-ready'
  | 'unsupported'
  | 'invalid'
  | 'in-progress'

export interface LeaderInfo {
  readonly epoch: Epoch
  readonly id?: NodeId
}

/** For people, metrics and tests; nothing decides by it. */
export interface Status {
  /** In the engine's own words: `follower`, `leader`, `LOOKING`. */
  readonly role: string
  /** True while this node believes that it leads; a deposed leader may believe it for a while. */
  readonly leading: boolean
  readonly epoch: Epoch
  readonly leader?: NodeId
  /** Position of the last entry known to be decided. */
  readonly decided: Position
  /** Position of the last entry in the log, decided or not. */
  readonly last: Position
  /** Position of the newest named snapshot; 0 without one. */
  readonly snapshot: Position
  readonly membership: Membership
  readonly self: MemberRole | 'none'
  /** Messages dropped because they did not parse. */
  readonly malformed: number
  /** The engine's own figures, numbers and strings by name. */
  readonly detail: Readonly<Record<string, number | string>>
}
