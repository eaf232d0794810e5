/**
 * What a client and the session service say to each other past the log: KeepAlives, cached reads and queries. A call goes to the service of a node as
 * `ask` of the client protocol. The bytes are described in docs/formats/chubby.md.
 */
import type { Epoch } from '@conclave/interface'
import type { ChubbyEvent } from './events.ts'
import type { ChubbyQuery } from './queries.ts'
import type { FileContents, Problem, QueryReply } from './replies.ts'

/** What a client is told besides its lease, in one sequence for each session and reign. */
export type Notice =
  /** The first of every reign that the session did not begin in: drop the whole cache, look at all handles anew. */
  | { readonly type: 'failedOver' }
  /** More happened than was kept: the same. */
  | { readonly type: 'lost' }
  /** Drop what is cached of this path before the acknowledgement, and what is on its way. Empty: of every path. */
  | { readonly type: 'invalidate'; readonly path: string }
  | ChubbyEvent

export interface NumberedNotice {
  /** From 1 in each reign. */
  readonly serial: number
  readonly notice: Notice
}

export type ChubbyCall =
  /**
   * Held until there are notices or the lease is nearly over. `acked`: notices of the reign `epoch` up to this serial have been acted on.
   */
  | { readonly type: 'keepAlive'; readonly session: bigint; readonly epoch: Epoch; readonly acked: number }
  /** The file at the leader; from then on the session counts as caching the path, there or not. */
  | { readonly type: 'read'; readonly session: bigint; readonly path: string }
  /** `local`: from this node, maybe stale, leader or not. */
  | { readonly type: 'query'; readonly local: boolean; readonly query: ChubbyQuery }

export type CallReply =
  | { readonly type: 'refused'; readonly problem: Problem }
  | {
      readonly type: 'alive'
      readonly epoch: Epoch
      /**
       * Milliseconds that the lease lasts from `heldFor` after the arrival of the KeepAlive on. 0: this reply extends nothing (it hurries to bring notices).
       * The client's deadline is sentAt + (heldFor + lease) × (1 - drift).
       */
      readonly lease: number
      /** Milliseconds from the arrival of the KeepAlive to the start of the round that confirmed the reign. */
      readonly heldFor: number
      readonly notices: readonly NumberedNotice[]
    }
  | {
      readonly type: 'file'
      /** The client may keep the answer until it is told otherwise. */
      readonly cacheable: boolean
      /** Absent: there is no such node. */
      readonly file?: FileContents
    }
  | { readonly type: 'answer'; readonly reply: QueryReply }
