/**
 * The state of a replica without engine, journal and transport, for tests and simulations that replay a log.
 *
 * @example
 * ```ts
 * import { kvMachine } from '@conclave/machine-kv'
 * import { replay } from '@conclave/replica/testing'
 *
 * const state = replay([kvMachine()])
 * state.apply(decided, 1024)
 * console.log(state.hash())
 * ```
 *
 * @packageDocumentation
 */
export { type Replay, replay } from './replay.ts'
