/**
 * A lock service in the manner of Chubby (Burrows, OSDI 2006) as a deterministic state machine, with a session service for the node that leads: a name space of small files, advisory locks
 * with a fencing token on every grant, sessions, events and consistent caches. Formats: docs/formats/chubby.md.
 *
 * @example
 * ```ts
 * import { chubbyMachine, decodeReply, encodeCommand } from '@conclave/machine-chubby'
 *
 * const machine = chubbyMachine()
 * const reply = machine.apply(encodeCommand({ type: 'createSession', session: 1n, principal: 'me', lease: 12_000 }), context)
 * decodeReply(reply) // { status: 'done', token: 0n }
 * ```
 *
 * @packageDocumentation
 */
export * from './calls.ts'
export {
  decodeAnswer,
  decodeCall,
  decodeCallReply,
  decodeCommand,
  decodeQuery,
  decodeReply,
  encodeAnswer,
  encodeCall,
  encodeCallReply,
  encodeCommand,
  encodeQuery,
  encodeReply,
} from './codec.ts'
export * from './commands.ts'
export * from './events.ts'
export { limits } from './limits.ts'
export { chubbyMachine } from './machine.ts'
export { isComponent, isPath, nameOf, parentOf, root } from './paths.ts'
export * from './queries.ts'
export * from './replies.ts'
export { decodeSequencer, encodeSequencer, parseSequencer, type Sequencer, sequencerText } from './sequencer.ts'
export { sessionService } from './service/service.ts'
export type { ChubbyView, SessionView } from './view.ts'
