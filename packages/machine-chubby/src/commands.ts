/**
 * What changes the state: the commands of clients, and those that the leader's session service has decided on its own behalf. Every one of them goes through
 * the log. The bytes are described in docs/formats/chubby.md.
 */
import type { Epoch } from '@conclave/interface'

export type LockMode = 'exclusive' | 'shared'

/** What a handle lets its holder do; checked against the node's access control lists when it is opened. */
export interface Access {
  readonly read: boolean
  /** Writing contents, creating children of a directory, deleting, locking. */
  readonly write: boolean
  readonly changeAcl: boolean
}

/** Names of access control lists: files in `/ls/CELL/acl`. Empty: everybody. */
export interface AclNames {
  readonly read: string
  readonly write: string
  readonly changeAcl: string
}

/** What a handle's holder wants to be told of its node. `acquired` and `conflicting` are about its lock. */
export const subscriptions = ['contents', 'children', 'acquired', 'conflicting'] as const
export type Subscription = (typeof subscriptions)[number]

export interface OpenCommand {
  readonly type: 'open'
  readonly session: bigint
  /** Chosen by the client, never used twice in a session. Opening it again under the same number is answered as the first time. */
  readonly handle: number
  readonly path: string
  readonly access: Access
  readonly subscriptions: readonly Subscription[]
  /** Log time in milliseconds for which nobody gets the lock if the holder fails. */
  readonly lockDelay: number
  /** `no`: it has to be there. `missing`: made if it is not. `new`: it must not be there. */
  readonly create: 'no' | 'missing' | 'new'
  /** Of what is made. */
  readonly kind: 'file' | 'directory'
  /** Of what is made: it goes when no handle is left on it (a directory: and it is empty). */
  readonly ephemeral: boolean
  /** Directories on the way that are missing are made too, permanent. */
  readonly parents: boolean
  /** Contents of a file that is made. */
  readonly contents: Uint8Array
  /** Ask for the lock in the same step. `queue`: wait in line if it is not to be had. Needs `access.write`. */
  readonly lock?: { readonly mode: LockMode; readonly queue: boolean }
}

/** What a client asks for. */
export type ClientCommand =
  /** `principal` is the client's peer id, as the leader verified it. Again under the same id: answered as the first time. */
  | { readonly type: 'createSession'; readonly session: bigint; readonly principal: string; readonly lease: number }
  /** Ends it in good order: locks go at once, without lock-delay. No such session: done already. */
  | { readonly type: 'endSession'; readonly session: bigint }
  | OpenCommand
  /** Releases what the handle holds or waits for. No such handle: closed already. */
  | { readonly type: 'close'; readonly session: bigint; readonly handle: number }
  | {
      readonly type: 'acquire'
      readonly session: bigint
      readonly handle: number
      readonly mode: LockMode
      readonly queue: boolean
    }
  /** Gives the lock back, or leaves the line: the reply says what it had. */
  | { readonly type: 'release'; readonly session: bigint; readonly handle: number }
  | {
      readonly type: 'write'
      readonly session: bigint
      readonly handle: number
      readonly contents: Uint8Array
      /** Only if the content generation is this. */
      readonly ifGeneration?: bigint
    }
  | {
      readonly type: 'setAcl'
      readonly session: bigint
      readonly handle: number
      readonly acl: AclNames
      readonly ifGeneration?: bigint
    }
  /** A directory must be empty, and no other handle may hold the lock or wait for it. Every other handle on the node becomes invalid. Needs `write` on node and parent. */
  | { readonly type: 'delete'; readonly session: bigint; readonly handle: number }
  /** From now on calls on the handle fail unless this sequencer is valid (section 2.4). */
  | { readonly type: 'setSequencer'; readonly session: bigint; readonly handle: number; readonly sequencer: Uint8Array }
  /** Lets the next fencing token be above `above`: after a cell was restored from a backup. */
  | { readonly type: 'raiseToken'; readonly session: bigint; readonly above: bigint }

/** What the leader decides for itself. Without effect under another reign than `epoch`. */
export type ServiceCommand =
  /** The session's lease is over: its handles, locks and ephemeral nodes go in this one step. */
  | { readonly type: 'expire'; readonly session: bigint; readonly epoch: Epoch }
  /** Lock-delays have run out: who waits gets the lock. Judged by log time, so that one that comes early does nothing. */
  | { readonly type: 'lift'; readonly epoch: Epoch }

export type ChubbyCommand = ClientCommand | ServiceCommand
