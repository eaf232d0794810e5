/**
 * A lock service in the manner of Chubby (Burrows, OSDI 2006) as a deterministic state machine with a session service at its leader.
 *
 * @packageDocumentation
 */
export * from './calls.ts'
export * from './commands.ts'
export * from './events.ts'
export { limits } from './limits.ts'
export * from './queries.ts'
export * from './replies.ts'
export type { Sequencer } from './sequencer.ts'
