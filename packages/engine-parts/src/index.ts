/**
 * Parts that engines are put together from, where they really are the same: the effects of a turn; and, for engines whose log has no holes, its tail in memory,
 * what of it is durable and what is on its way, the configurations that it holds, how they change by a joint one, and what is promised for leases.
 *
 * @example
 * ```ts
 * import { StableMark } from '@conclave/engine-parts'
 *
 * const stable = new StableMark(4)
 * stable.issued(1, 6) // a write brings the log on disk from 4 to 6
 * stable.truncatedFrom(6) // and 6 is replaced while it is in flight
 * stable.persisted(1)
 * stable.position // 5
 * ```
 *
 * @packageDocumentation
 */
export * from './configurations.ts'
export * from './inflight.ts'
export * from './joint.ts'
export * from './log-tail.ts'
export * from './membership-bytes.ts'
export * from './outbox.ts'
export * from './pledge.ts'
export * from './stable-mark.ts'
