/**
 * The contracts of Conclave: what an engine, a journal, a transport and a state machine are to each other.
 *
 * @example
 * ```ts
 * import { type StateMachine, position } from '@conclave/interface'
 * ```
 *
 * @packageDocumentation
 */
export * from './balancer.ts'
export * from './brands.ts'
export * from './bytes.ts'
export * from './commands.ts'
export * from './engine.ts'
export * from './errors.ts'
export * from './journal.ts'
export * from './machine.ts'
export * from './membership.ts'
export * from './service.ts'
export * from './transport.ts'
export * from './world.ts'
