/**
 * Sessions and locks without a client's connections: for worlds of one's own, such as simulations, that implement `LockPort`.
 *
 * @packageDocumentation
 */
export { FileProblem, LockHeld, LockLost, SessionLost, StaleToken } from './locks/errors.ts'
export type { Lock } from './locks/lock.ts'
export type { LockPort } from './locks/port.ts'
export { Session, type SessionOptions } from './locks/session.ts'
