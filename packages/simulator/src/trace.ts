/** What is seen of a run, in order of time: the source of timelines, diagrams and digests. */
import type { FaultType } from './plan.ts'

interface At {
  /** Milliseconds of the world. */
  readonly at: number
}

export type TraceEvent = At &
  (
    | {
        readonly type: 'started' | 'crashed' | 'stopped' | 'paused' | 'resumed' | 'joined' | 'removed'
        readonly node: string
        readonly why?: string
      }
    /** `id` names the copy that travels; the copy that arrives has the same. `what`: in the engine's words. */
    | { readonly type: 'sent'; readonly id: number; readonly from: string; readonly to: string; readonly what: string }
    | {
        readonly type: 'received' | 'lost'
        readonly id: number
        readonly from: string
        readonly to: string
        readonly what: string
      }
    | { readonly type: 'role'; readonly node: string; readonly role: string; readonly epoch: bigint }
    | { readonly type: 'appended'; readonly node: string; readonly slot: number; readonly what: string }
    | { readonly type: 'truncated'; readonly node: string; readonly slot: number }
    | { readonly type: 'durable'; readonly node: string; readonly write: number }
    | { readonly type: 'decided'; readonly node: string; readonly position: number; readonly what: string }
    | { readonly type: 'restored'; readonly node: string; readonly position: number }
    | {
        readonly type: 'fault'
        readonly fault: FaultType
        readonly id: number
        readonly what: string
        readonly nodes: readonly string[]
        readonly ends?: true
      }
    | { readonly type: 'healed' }
    | {
        readonly type: 'invoked' | 'returned'
        readonly client: number
        readonly operation: number
        readonly what: string
      }
    | { readonly type: 'marked'; readonly mark: string; readonly node?: string }
    | {
        readonly type: 'violation'
        readonly invariant: string
        readonly what: string
        readonly nodes: readonly string[]
      }
  )

export interface Trace {
  readonly nodes: readonly string[]
  readonly clients: number
  readonly events: readonly TraceEvent[]
}
