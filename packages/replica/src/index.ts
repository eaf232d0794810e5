/**
 * The driver: runs an engine on a journal, a transport and state machines, with exactly-once client sessions.
 *
 * @example
 * ```ts
 * import { createReplica, systemClock } from '@conclave/replica'
 *
 * const replica = createReplica({ self, engine: raft, founders, journal, transport, machines: [kv], clock: systemClock, random, logger })
 * await replica.start()
 * replica.submit(encodeBlock(session, 0, commands), (outcome) => console.log(outcome.type))
 * ```
 *
 * @packageDocumentation
 */
export type { ChangeDone, ChangeOutcome } from './changes.ts'
export { systemClock } from './clock.ts'
export { defaultLimits, lanTiming, type ReplicaLimits } from './limits.ts'
export type { BlockDone, BlockOutcome } from './proposals.ts'
export type { ReadDone, ReadOutcome } from './reads.ts'
export { createReplica, type Replica, type ReplicaInit, type ReplicaStatus } from './replica.ts'
export type { AskDone, AskOutcome } from './services.ts'
export { sessionLimits } from './sessions.ts'
export type { Point } from './snapshot-body.ts'
