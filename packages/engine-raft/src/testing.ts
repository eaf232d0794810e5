/**
 * Raft servers of other makes, for tests and simulations.
 *
 * @example
 * ```ts
 * import { raft } from '@conclave/engine-raft'
 * import { raftVersion1 } from '@conclave/engine-raft/testing'
 *
 * const makes = [raft, raftVersion1, raft] // a rolling upgrade, in the middle of it
 * ```
 *
 * @packageDocumentation
 */
import type { EngineFactory } from '@conclave/interface'
import { RaftEngine } from './engine.ts'

/**
 * The server of the release that spoke only version 1 of the messages: it drops those of version 2, and configurations with learners on their way to
 * voter or with removed members, as malformed; sends none; and offers neither changes of the membership, nor transfer, nor leases.
 */
export const raftVersion1: EngineFactory = { name: 'raft', contract: 1, create: (init) => new RaftEngine(init, 1) }
