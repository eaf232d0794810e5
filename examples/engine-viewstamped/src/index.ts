/**
 * Viewstamped Replication (Liskov and Cowling, "Viewstamped Replication Revisited", MIT-CSAIL-TR-2012-021) with a durable log, as a pure state machine:
 * inputs in, effects out.
 *
 * @example
 * ```ts
 * import { nodeId, seededRandom, type Monotonic } from '@conclave/interface'
 * import viewstamped from 'conclave-engine-viewstamped'
 *
 * const self = nodeId('a')
 * const engine = viewstamped.create({
 *   self,
 *   founders: { members: [{ id: self, name: 'a', addresses: [], role: 'voter' }] },
 *   recovered: { entries: [] },
 *   timing: { heartbeatTicks: 5, electionTicks: 30, tickMillis: 10 },
 *   random: seededRandom(1),
 *   limits: { messageBytes: 1 << 22, inflightBytes: 1 << 23, undecidedBytes: 1 << 26, tailBytes: 1 << 24 },
 * })
 * engine.step({ type: 'tick' }, 10 as Monotonic)
 * const { write, send } = engine.drain() // hand both over; report `persisted` when the write is durable
 * ```
 *
 * @packageDocumentation
 */
import type { EngineFactory } from '@conclave/interface'
import { describe } from './describe.ts'
import { ViewstampedEngine } from './engine.ts'

export { insight } from './insight.ts'

/** Makes replicas. */
export const viewstamped: EngineFactory = {
  name: 'viewstamped',
  contract: 1,
  create: (init) => new ViewstampedEngine(init),
  describe,
}
export default viewstamped
