/**
 * What happens in the state and is of interest to a session: told by `apply`, never part of the state, and only to the service of the leader. An event
 * follows its cause: it is told once the command that caused it is applied.
 */
import type { Grant } from './replies.ts'

export type ChubbyEvent =
  /** The lock that the handle waited for is its own now. Always told. */
  | ({ readonly type: 'granted'; readonly handle: number } & Grant)
  | { readonly type: 'contents'; readonly handle: number; readonly contentGeneration: bigint }
  | {
      readonly type: 'children'
      readonly handle: number
      readonly change: 'added' | 'removed' | 'modified'
      readonly name: string
    }
  /** The node was deleted: the handle is good for nothing but being closed. Always told. */
  | { readonly type: 'invalid'; readonly handle: number }
  /** Somebody holds the node's lock now. */
  | { readonly type: 'acquired'; readonly handle: number }
  /** Somebody else asks for the lock that this handle holds. */
  | { readonly type: 'conflicting'; readonly handle: number }

/** An event and whom it is for. */
export interface AddressedEvent {
  readonly session: bigint
  readonly event: ChubbyEvent
}
