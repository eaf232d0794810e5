/**
 * Zab, the protocol of ZooKeeper (Junqueira, Reed, Serafini: "Zab: High-performance broadcast for primary-backup systems", DSN 2011; reconfiguration: Shraer, Reed,
 * Malkhi, Junqueira, USENIX ATC 2012) as a pure state machine: inputs in, effects out.
 *
 * @example
 * ```ts
 * import { nodeId, seededRandom, type Monotonic } from '@conclave/interface'
 * import { zab } from '@conclave/engine-zab'
 *
 * const self = nodeId('a')
 * const engine = zab.create({
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
import { ZabEngine } from './engine.ts'
import { mostCounter } from './zxid.ts'

export interface ZabOptions {
  /** After so many transactions of an epoch its leader begins a new one, since the counter of a zxid has 32 bits (ZOOKEEPER-1277). At least 32. Default 2^32 - 1. */
  readonly transactionsPerEpoch?: number
}

/**
 * Makes a factory with these options.
 * @throws RangeError if `transactionsPerEpoch` is out of range.
 */
export const zabWith = ({ transactionsPerEpoch = mostCounter }: ZabOptions = {}): EngineFactory => {
  if (!Number.isInteger(transactionsPerEpoch) || transactionsPerEpoch < 32 || transactionsPerEpoch > mostCounter)
    throw new RangeError(`transactionsPerEpoch is a whole number from 32 to ${mostCounter}`)
  return { name: 'zab', contract: 1, create: (init) => new ZabEngine(init, transactionsPerEpoch), describe }
}

/** Makes Zab nodes. */
export const zab: EngineFactory = zabWith()
export default zab
