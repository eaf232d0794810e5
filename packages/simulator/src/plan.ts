/**
 * What happens in a run, decided before it begins: everything that goes wrong is in the plan, so that a run that fails can be shrunk by leaving
 * parts of its plan out, and replayed from a file.
 */

/** Numbers of nodes count from 1; nodes beyond `nodes` are spares that may join later. */
export type NodeNumber = number

/** What a node is like for the whole run. */
export interface NodeTraits {
  /** Milliseconds of its clock per millisecond of the world: 1 is exact. */
  readonly clockRate: number
  /** The protocol version that it speaks in its first lives; from life `upgradeAtLife` on it speaks the newest. */
  readonly upgradeAtLife: number
  /** Inputs are stepped together for up to so many milliseconds before a drain. */
  readonly drainMillis: number
  /** `persisted` is told so much later than the disk said it. */
  readonly persistedMillis: number
  /** The longest that a disk operation takes. */
  readonly diskMillis: number
}

/** What goes wrong with every message. Probabilities in [0, 1]; delays in milliseconds. */
export interface Weather {
  readonly drop: number
  readonly duplicate: number
  readonly reorder: number
  readonly delay: { readonly least: number; readonly most: number }
}

/**
 * One thing that goes wrong, or that an operator does, at a time. `node` may be `leader`: whoever leads when the time comes. A fault whose
 * time has come and that makes no sense then (a crash of a node that is down) does nothing.
 */
export type FaultAction =
  | {
      readonly type: 'crash'
      readonly node: NodeNumber | 'leader'
      readonly kind: 'power' | 'kill'
      readonly downMillis: number
    }
  | {
      readonly type: 'restart-storm'
      readonly times: number
      readonly kind: 'power' | 'kill'
      readonly everyMillis: number
    }
  | { readonly type: 'partition'; readonly groups: readonly (readonly NodeNumber[])[]; readonly millis: number }
  | { readonly type: 'isolate'; readonly node: NodeNumber | 'leader'; readonly millis: number }
  | { readonly type: 'one-way'; readonly from: NodeNumber; readonly to: NodeNumber; readonly millis: number }
  | { readonly type: 'reset'; readonly a: NodeNumber; readonly b: NodeNumber }
  | { readonly type: 'weather'; readonly weather: Weather; readonly millis: number }
  /** The process stops and goes on with its old beliefs; messages wait for it. */
  | { readonly type: 'pause'; readonly node: NodeNumber | 'leader'; readonly millis: number }
  | { readonly type: 'disk-stall'; readonly node: NodeNumber | 'leader'; readonly millis: number }
  | { readonly type: 'disk-full'; readonly node: NodeNumber | 'leader'; readonly millis: number }
  | { readonly type: 'disk-fails'; readonly node: NodeNumber | 'leader'; readonly millis: number }
  /** A bit of what is on disk changes; read at the next start. The node then has to refuse to start, and is replaced. */
  | { readonly type: 'disk-corruption'; readonly node: NodeNumber; readonly downMillis: number }
  /** The disk is gone for good. The node never comes back under its id. */
  | { readonly type: 'disk-lost'; readonly node: NodeNumber }
  /**
   * Armed at its time; so long after the next election, or after the first decision of who is elected next, the leader is cut off, and who elected it
   * restarts at once.
   */
  | {
      readonly type: 'coup'
      readonly on: 'election' | 'decision'
      readonly afterMillis: number
      readonly millis: number
      readonly kind: 'power' | 'kill'
    }
  | { readonly type: 'add'; readonly node: NodeNumber; readonly role: 'voter' | 'learner' }
  | { readonly type: 'remove'; readonly node: NodeNumber | 'leader' }
  /** Of this learner, or of another if it is none. */
  | { readonly type: 'promote'; readonly node: NodeNumber }
  | { readonly type: 'transfer'; readonly to: NodeNumber }

export type FaultType = FaultAction['type']

/** A fault and when it strikes, in milliseconds of the world. The id stays when other faults are taken out of the plan. */
export type Fault = FaultAction & { readonly id: number; readonly at: number }

export const workloads = ['kv', 'locks'] as const
/** What clients do. */
export type Workload = (typeof workloads)[number]

export interface Plan {
  readonly version: 1
  readonly seed: number
  /** The founders. */
  readonly nodes: number
  readonly clients: number
  readonly operationsEach: number
  readonly leases: boolean
  /** `locks`: clients use the lock service. Default: the key-value store. */
  readonly workload?: Workload
  /** Largest message of an engine. With a small one, what a peer lacks takes several, and a reign may end between two of them. */
  readonly messageBytes: number
  readonly weather: Weather
  /** By node, founders and spares. */
  readonly traits: readonly NodeTraits[]
  /** Ascending by time, all before `chaosMillis`. */
  readonly faults: readonly Fault[]
  /** Then everything heals but what is in `broken`. */
  readonly chaosMillis: number
  /** A minority that stays down, and links that stay cut in one direction. */
  readonly broken: {
    readonly nodes: readonly NodeNumber[]
    readonly links: readonly { readonly from: NodeNumber; readonly to: NodeNumber }[]
  }
  /** After the healing everything that is connected has to converge within this. */
  readonly patienceMillis: number
}
