import { type NodeId, nodeId } from '@conclave/interface'
import type { MemoryNetwork } from '@conclave/transport-memory'
import type { VirtualClock } from './clock.ts'
import type { Scale } from './limits.ts'
import type { Watcher } from './observation.ts'
import type { ResolvedParts } from './parts.ts'
import type { NodeNumber, Plan } from './plan.ts'
import type { Streams } from './streams.ts'

/** What everything in a world shares. */
export interface Surroundings {
  readonly plan: Plan
  readonly parts: ResolvedParts
  readonly scale: Scale
  readonly clock: VirtualClock
  readonly streams: Streams
  readonly network: MemoryNetwork
  readonly tell: Watcher
  /** Something happened that must not: ends the run. */
  broken(invariant: string, what: string, ...nodes: readonly string[]): void
}

export const idOf = (number: NodeNumber): NodeId => nodeId(`n${number}`)
