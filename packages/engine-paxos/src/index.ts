/**
 * Multi-Paxos (Lamport, "The Part-Time Parliament", 1998, and "Paxos Made Simple", 2001; Chandra, Griesemer, Redstone, "Paxos Made Live", 2007;
 * van Renesse and Altinbuken, "Paxos Made Moderately Complex", 2015; Howard, Malkhi, Spiegelman, "Flexible Paxos", 2016) as a pure state machine:
 * inputs in, effects out.
 *
 * @example
 * ```ts
 * import { nodeId, seededRandom, type Monotonic } from '@conclave/interface'
 * import { paxos } from '@conclave/engine-paxos'
 *
 * const self = nodeId('a')
 * const engine = paxos.create({
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
import type { QuorumSizes } from './configuration.ts'
import { PaxosEngine } from './engine.ts'
import { describe } from './messages.ts'

export type { QuorumSizes } from './configuration.ts'
export * from './synod.ts'

export interface MultiPaxosOptions {
  /**
   * Sizes of the quorums of the two phases for a number of voters (Flexible Paxos): smaller ones for phase 2 make decisions wait for fewer nodes, at
   * the price of larger ones for electing a leader. The same on every node. Absent: majorities.
   */
  readonly quorums?: QuorumSizes
}

/**
 * Makes a factory with these options. An engine that it makes throws `AssertionFailed` if the quorums of the two phases of the configuration do not intersect,
 * and refuses changes to a configuration whose quorums would not.
 */
export const multiPaxos = ({ quorums }: MultiPaxosOptions = {}): EngineFactory => ({
  name: 'paxos',
  contract: 1,
  create: (init) => new PaxosEngine(init, quorums),
  describe,
})

/** Makes Multi-Paxos nodes with majority quorums. */
export const paxos: EngineFactory = multiPaxos()
export default paxos
