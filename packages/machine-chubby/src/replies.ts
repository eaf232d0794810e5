/** What commands and queries are answered. The bytes are described in docs/formats/chubby.md. */
import type { AclNames, LockMode } from './commands.ts'

/** Why something was not done. Nothing has changed then. */
export const problems = [
  'malformed',
  /** Never created, ended, or expired. */
  'no-session',
  /** The id stands for a session of somebody else or of another lease. */
  'session-exists',
  'no-node',
  'exists',
  'not-a-directory',
  'is-a-directory',
  'not-empty',
  /** The handle is closed, or its node was deleted since, even if there is a new one of that name. */
  'no-handle',
  /** The handle was not opened for this, or an access control list does not name the principal. */
  'denied',
  /** The generation is another one. */
  'mismatch',
  /** The sequencer that was set on the handle is no longer valid. */
  'stale-sequencer',
  /** The handle holds or awaits the lock already, in another mode; or another handle holds that of a node which was to be deleted. */
  'lock-in-use',
  /** A bound of `limits` is reached. */
  'too-many',
  /** Under another reign than its own. */
  'other-reign',
] as const
export type Problem = (typeof problems)[number]

/** A grant. There is none without a token. */
export interface Grant {
  readonly mode: LockMode
  /** The fencing token: cell-wide, higher than that of every earlier generation of any lock; the same for all that share a lock. */
  readonly token: bigint
  /** Of the lock: rises from free to held. */
  readonly lockGeneration: bigint
  /** Of the node: tells it from others of that name. */
  readonly instance: bigint
}

/** What a request for a lock came to. `position`: how many stand before it in line. `delayed`: it is under a lock-delay. */
export type LockAnswer =
  | ({ readonly state: 'held' } & Grant)
  | { readonly state: 'queued'; readonly position: number }
  | { readonly state: 'busy'; readonly delayed: boolean }

export type CommandReply =
  | { readonly status: 'refused'; readonly problem: Problem; readonly detail?: bigint }
  /** createSession, endSession, close, setSequencer, raiseToken, expire, lift. `token`: the highest fencing token so far. */
  | { readonly status: 'done'; readonly token: bigint }
  | {
      readonly status: 'opened'
      readonly created: boolean
      readonly instance: bigint
      readonly contentGeneration: bigint
      /** Absent if no lock was asked for. */
      readonly lock?: LockAnswer
    }
  | { readonly status: 'lock'; readonly lock: LockAnswer }
  /** What the handle had before: the lock, a place in line, or nothing. */
  | { readonly status: 'released'; readonly had: 'lock' | 'place' | 'nothing' }
  | { readonly status: 'written'; readonly contentGeneration: bigint }
  | { readonly status: 'aclSet'; readonly aclGeneration: bigint }
  | { readonly status: 'deleted' }

/** The four generation numbers and what else there is to know of a node (section 2.2 of the paper). */
export interface Stat {
  readonly path: string
  readonly kind: 'file' | 'directory'
  readonly ephemeral: boolean
  readonly instance: bigint
  /** 0 for directories. */
  readonly contentGeneration: bigint
  readonly lockGeneration: bigint
  readonly aclGeneration: bigint
  /** Bytes of a file; number of children of a directory. */
  readonly size: number
  /** CRC-32C of the contents, 0 for directories. */
  readonly checksum: number
  readonly acl: AclNames
  /** Open handles. */
  readonly handles: number
  readonly lock: {
    readonly mode: 'free' | LockMode
    readonly holders: number
    readonly waiters: number
    /** Milliseconds of log time for which nobody gets it. */
    readonly delay: number
  }
}

export interface FileContents {
  readonly instance: bigint
  readonly contentGeneration: bigint
  readonly checksum: number
  readonly contents: Uint8Array
}

/** What a handle has at present: for a client that comes back after a fail-over. */
export interface HandleInfo {
  readonly handle: number
  readonly path: string
  readonly lock: LockAnswer | { readonly state: 'none' }
  /** False: its node was deleted. */
  readonly valid: boolean
}

export interface SessionInfo {
  readonly session: bigint
  readonly principal: string
  readonly lease: number
  readonly handles: number
  readonly locks: number
}

/** Who holds a lock, or waits for it. */
export interface LockParty {
  readonly session: bigint
  readonly handle: number
  readonly principal: string
}

export interface LockInfo {
  readonly path: string
  readonly mode: 'free' | LockMode
  readonly token: bigint
  readonly lockGeneration: bigint
  /** At most a page of them. */
  readonly holders: readonly LockParty[]
  /** In line; at most a page. */
  readonly waiters: readonly (LockParty & { readonly mode: LockMode })[]
  readonly delay: number
}

export type QueryReply =
  | { readonly status: 'refused'; readonly problem: Problem }
  | { readonly status: 'stat'; readonly stat: Stat }
  | { readonly status: 'file'; readonly file: FileContents }
  /** In byte order; `more`: there are more after the last. */
  | { readonly status: 'children'; readonly children: readonly Stat[]; readonly more: boolean }
  | { readonly status: 'sequencer'; readonly valid: boolean }
  | { readonly status: 'sessions'; readonly sessions: readonly SessionInfo[]; readonly more: boolean }
  | {
      readonly status: 'session'
      readonly session: SessionInfo
      /** At most a page. */
      readonly handles: readonly HandleInfo[]
      readonly more: boolean
    }
  /** Locks that are held, waited for or under a delay. */
  | { readonly status: 'locks'; readonly locks: readonly LockInfo[]; readonly more: boolean }
  | { readonly status: 'info'; readonly token: bigint; readonly nodes: number; readonly sessions: number }
