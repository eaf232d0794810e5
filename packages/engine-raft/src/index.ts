/**
 * Raft (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", extended version, 2014; Ongaro's dissertation) as a pure
 * state machine: inputs in, effects out.
 *
 * @example
 * ```ts
 * import { nodeId, seededRandom, type Monotonic } from '@conclave/interface'
 * import { raft } from '@conclave/engine-raft'
 *
 * const self = nodeId('a')
 * const engine = raft.create({
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
import { RaftEngine } from './engine.ts'

/** Makes Raft servers. */
export const raft: EngineFactory = { name: 'raft', contract: 1, create: (init) => new RaftEngine(init), describe }
export default raft
