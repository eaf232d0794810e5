/** What can be seen of a world from outside, without looking into any part: the one source of invariants, marks, traces and digests. */
import type { Effects, Input, JournalState, NodeId, Refusal, StateMachine, Status, Supports } from '@conclave/interface'
import type { Fault } from './plan.ts'

/** How a life of a process ended. `fatal`: it stopped by itself. `refused`: it did not start. */
export type Ending = 'power' | 'kill' | 'fatal' | 'refused'

export type Observation =
  /** The journal is open and the engine made. `version`: the engine's, 1 for the one before the newest, otherwise 2. */
  | {
      readonly type: 'started'
      readonly node: NodeId
      readonly life: number
      readonly recovered: JournalState
      readonly version: 1 | 2
      readonly supports: Supports
      /** Its disk came back from a loss of power with part of a write. */
      readonly torn: boolean
    }
  /** The engine took an input at `now` of its node. */
  | { readonly type: 'stepped'; readonly node: NodeId; readonly input: Input }
  /** The engine was drained; `status` is that after it, `before` that of the drain before (absent for the first of a life). */
  | {
      readonly type: 'drained'
      readonly node: NodeId
      readonly effects: Effects
      readonly status: Status
      readonly before?: Status
    }
  /** The journal said that a write is durable. The engine hears of it later. */
  | { readonly type: 'durable'; readonly node: NodeId; readonly write: number }
  /** A machine applied a command. */
  | {
      readonly type: 'applied'
      readonly node: NodeId
      readonly position: number
      readonly command: Uint8Array
      readonly reply: Uint8Array
    }
  /** The lock service applied a command, at `time` of the log, under this reign. `machine` may be asked how it stands now. */
  | {
      readonly type: 'locks'
      readonly node: NodeId
      readonly life: number
      readonly position: number
      readonly time: number
      readonly epoch: bigint
      readonly command: Uint8Array
      readonly reply: Uint8Array
      readonly machine: StateMachine
    }
  /** Everything up to `position` is applied. `restored`: it came out of a snapshot. */
  | {
      readonly type: 'state'
      readonly node: NodeId
      readonly position: number
      readonly hash: string
      readonly restored: boolean
    }
  | { readonly type: 'ended'; readonly node: NodeId; readonly how: Ending; readonly why: string }
  | { readonly type: 'paused' | 'resumed'; readonly node: NodeId }
  /** A fault strikes; one that makes no sense when its time comes is not told. */
  | {
      readonly type: 'fault'
      readonly fault: Fault
      readonly what: string
      readonly nodes: readonly NodeId[]
      readonly ends?: true
    }
  | { readonly type: 'healed' }
  /** A client sends an operation for the first time, again, or has its reply. */
  | { readonly type: 'invoked'; readonly client: number; readonly operation: number; readonly what: string }
  | { readonly type: 'retried'; readonly client: number; readonly operation: number }
  | { readonly type: 'returned'; readonly client: number; readonly operation: number; readonly what: string }
  /** A client is told that its write was refused, and why, or that nobody knows what became of it. */
  | { readonly type: 'refused'; readonly client: number; readonly reason: Refusal | 'unknown' }
  /** A command was acknowledged to a client, with this reply of the machine. */
  | {
      readonly type: 'acknowledged'
      readonly client: number
      readonly session: bigint
      readonly serial: number
      readonly command: Uint8Array
      readonly reply: Uint8Array
    }
  /** A linearizable or lease read was answered; `least`: the highest revision that was acknowledged to anybody before it was asked. */
  | {
      readonly type: 'read'
      readonly client: number
      readonly node: NodeId
      readonly level: 'linearizable' | 'lease' | 'local'
      readonly life: number
      readonly revision: bigint
      readonly least: bigint
    }
  /** What became of a change of the membership that the operator asked for. */
  | {
      readonly type: 'changed'
      readonly node: NodeId
      readonly change: 'add' | 'remove' | 'promote' | 'update'
      readonly outcome: string
    }
  /** The run is over: everything that is connected has come to one end, with so many nodes down and links cut. */
  | {
      readonly type: 'finished'
      readonly nodes: readonly FinalState[]
      readonly broken: { readonly nodes: number; readonly links: number }
    }

/** Where a node that had to converge stands at the end. */
export interface FinalState {
  readonly node: NodeId
  readonly position: number
  readonly hash: string
}

/** Looks on. */
export type Watcher = (observation: Observation) => void
