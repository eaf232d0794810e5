/** What the soak's processes say to each other over Node's channel between parent and child. */
import type { NewMember, NodeStatus } from '@conclave/client'

/** What a process of clients is started with: one JSON argument. */
export interface ClientsInit {
  readonly name: string
  readonly endpoints: readonly string[]
  readonly cluster: string
  /** Clients of the public package, each with a session of its own. */
  readonly clients: number
  /** Workers, spread over the clients; each makes one call at a time. */
  readonly workers: number
  /** Workers that hold locks, each with a session of the lock service. */
  readonly lockers: number
  readonly keys: number
  readonly seed: number
  /** Microseconds of the shared clock at which the run began: it names the generation of keys that is in use. */
  readonly began: number
  /** Milliseconds after which a key is replaced by a fresh one, so that every key's history stays short enough to check. */
  readonly generationMillis: number
  /** Half of the reads ask for a lease instead of a round to a quorum; they are held to the same. */
  readonly leases: boolean
  /** Where operations go, and where the holds of locks. */
  readonly file: string
  readonly holds: string
}

export type ToClients = { readonly type: 'stop' }

/** Counts since the start, told every half second. */
export type FromClients =
  | { readonly type: 'progress'; readonly counts: Readonly<Record<string, number>> }
  | { readonly type: 'done'; readonly operations: number }

export interface ObserverInit {
  readonly endpoints: readonly string[]
  readonly cluster: string
  /** Where operations of the observer itself and the events of its watch go. */
  readonly file: string
  readonly events: string
}

/** What the observer does to the cluster, through the public client, on behalf of a fault. Tried once. */
export type Administration =
  | { readonly type: 'members' }
  | { readonly type: 'add'; readonly member: NewMember; readonly role: 'voter' | 'learner' }
  | { readonly type: 'promote' | 'remove' | 'move-leader'; readonly id: string }

export interface MemberSeen {
  readonly id: string
  readonly name: string
  readonly role: 'voter' | 'learner'
  readonly promote: boolean
}

export type ToObserver =
  | { readonly type: 'administer'; readonly id: number; readonly action: Administration }
  /** One write, tried until it is acknowledged or the time is up. */
  | { readonly type: 'probe'; readonly id: number; readonly withinMillis: number }
  /** Everything is healed: what each node has, once all have applied the same. */
  | { readonly type: 'final'; readonly withinMillis: number }
  | { readonly type: 'stop' }

export interface Seen {
  readonly name: string
  readonly status?: NodeStatus
}

export interface FinalEntry {
  readonly key: string
  readonly value: string
  readonly revision: number
  readonly version: number
}

export interface FinalState {
  /** The store's revision, read linearizably after everything had healed. */
  readonly revision: number
  /** Whether the watch told everything up to that revision. */
  readonly watched: boolean
  readonly nodes: readonly {
    readonly name: string
    readonly applied: number
    readonly hash: string
    readonly entries: readonly FinalEntry[]
  }[]
}

export type FromObserver =
  | { readonly type: 'ready' }
  | { readonly type: 'seen'; readonly nodes: readonly Seen[] }
  | {
      readonly type: 'probed'
      readonly id: number
      readonly ok: boolean
      readonly millis: number
      readonly error?: string
    }
  | {
      readonly type: 'administered'
      readonly id: number
      /** After `members`. */
      readonly members?: readonly MemberSeen[]
      /** It was not done, or nobody knows. */
      readonly error?: string
    }
  | { readonly type: 'final'; readonly state?: FinalState; readonly error?: string }
  /** The watch broke a promise: an event out of order or twice, a value that nobody wrote. */
  | { readonly type: 'violation'; readonly text: string }
  | { readonly type: 'stopped' }
