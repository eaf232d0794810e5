import type { NodeId, RequestId, SnapshotId } from '@conclave/interface'
import type { View } from './entry.ts'
import type { Message } from './messages.ts'

/** What a primary knows of a backup. */
export interface Backup {
  /** The newest op-number of its PREPAREOKs in this view. */
  acked: number
  /** The next op-number to send. */
  next: number
  /** It asks for what it lacks (GETSTATE) and gets no PREPARE meanwhile. */
  pulls: boolean
  /** PREPAREs without an answer: their last op-number and size. */
  inflight: { readonly last: number; readonly bytes: number }[]
  /** When it was last heard, in `Monotonic`. */
  heardAt: number
  /** The newest round that it answered. */
  round: number
}

/** What a replica holds only while it is the primary. */
export interface Primary {
  readonly backups: ReadonlyMap<NodeId, Backup>
  /** The op-number of the entry that began this view: nothing is read before it is committed. */
  readonly reign: number
  /** The write that made the view's beginning durable. */
  readonly startWrite: number
  /** It is durable: before, no other message of this view may leave, or a crash could begin the view twice. */
  started: boolean
  /** Own writes in flight and the op-number that each covers. */
  unsynced: { readonly write: number; readonly op: number }[]
  /** The own log is durable up to here. */
  durable: number
  readonly proposals: { readonly id: RequestId; readonly op: number; readonly size: number }[]
  undecidedBytes: number
  /** Reads that no round covers yet, and those that wait for one, oldest first. */
  readsWaiting: RequestId[]
  readRounds: { readonly round: number; readonly commit: number; reads: RequestId[] }[]
  round: number
}

export type DoViewChange = Extract<Message, { type: 'doViewChange' }>

/** What a replica knows of the view change that it wants, or is in. */
export interface ViewChange {
  /** The view to go to, once enough others want it too. Undefined while a primary is heard. */
  wanted: View | undefined
  /** What others want, and since when. */
  readonly suspects: Map<NodeId, { readonly view: View; readonly at: number }>
  /** Who else has sent a STARTVIEWCHANGE for the present view. */
  readonly started: Set<NodeId>
  /** Enough of them have: the DOVIEWCHANGE is sent. */
  agreed: boolean
  /** At the new primary: what it has received. */
  readonly received: Map<NodeId, DoViewChange>
  /** The replica whose log the new primary is taking over. */
  source: NodeId | undefined
}

export const noViewChange = (): ViewChange => ({
  wanted: undefined,
  suspects: new Map(),
  started: new Set(),
  agreed: false,
  received: new Map(),
  source: undefined,
})

/** State transfer from whoever has the log of the present view. */
export interface Transfer {
  /** The highest position that it told of. */
  target: number
  /** Asked since the last heartbeat. */
  asked: boolean
  /** `matched` at the last heartbeat: a transfer that moves is left alone. */
  matched: number
}

export const noTransfer = (): Transfer => ({ target: 0, asked: false, matched: 0 })

/** A snapshot that somebody needs: what follows `floor` stays in memory for it. */
export interface Errand {
  /** While it is being sent. */
  readonly id: SnapshotId | undefined
  readonly floor: number
  /** Ticks until it is forgotten, and until it may be sent again. */
  ticks: number
  quiet: number
}
