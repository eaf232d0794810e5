/** The rules of one lock (section 2.4 of the Chubby paper): who gets it, in which order, and what that makes of its generation. Pure. */
import type { LogTime } from '@conclave/interface'
import type { LockMode } from './commands.ts'
import type { LockAnswer } from './replies.ts'
import { type HandleKey, type LockRecord, same, type Waiter } from './state.ts'

export interface Granted {
  readonly lock: LockRecord
  /** Who got it, in order. */
  readonly granted: readonly Waiter[]
  /** Its generation rose: it has a new token. */
  readonly isNew: boolean
}

/** Could somebody who comes now, or stands first in line, have it? */
const fits = ({ mode }: LockRecord, wanted: LockMode): boolean =>
  mode === 'free' || (mode === 'shared' && wanted === 'shared')

/** Nobody gets it, not even who could share it: one of its holders failed, and what that one has under way may still come. */
export const isDelayed = ({ delayUntil }: LockRecord, time: LogTime): boolean => delayUntil > time

/**
 * Gives it to whoever stands first in line, as far as they can have it together. From free to held its generation rises and it gets `next` as its token; who joins those who
 * share it has what they have.
 */
export const grant = (lock: LockRecord, time: LogTime, next: bigint): Granted => {
  const granted = isDelayed(lock, time) ? [] : together(lock)
  const [first] = granted
  if (first === undefined) return { lock, granted, isNew: false }
  const isNew = lock.mode === 'free'
  return {
    lock: {
      mode: first.mode,
      token: isNew ? next : lock.token,
      generation: isNew ? lock.generation + 1n : lock.generation,
      holders: [...lock.holders, ...granted.map(({ session, handle }) => ({ session, handle }))],
      waiters: lock.waiters.slice(granted.length),
      delayUntil: 0 as LogTime,
    },
    granted,
    isNew,
  }
}

/** The beginning of the line that can have it now: one, or as many as share it. */
const together = (lock: LockRecord): readonly Waiter[] => {
  const [first] = lock.waiters
  if (first === undefined || !fits(lock, first.mode)) return []
  if (first.mode === 'exclusive') return [first]
  const end = lock.waiters.findIndex(({ mode }) => mode === 'exclusive')
  return end < 0 ? lock.waiters : lock.waiters.slice(0, end)
}

/** Puts somebody at the end of the line. */
export const enqueue = (lock: LockRecord, waiter: Waiter): LockRecord => ({
  ...lock,
  waiters: [...lock.waiters, waiter],
})

/** Takes somebody out, holder or in line. @param delayUntil for a holder that failed: nobody gets it before. */
export const leave = (lock: LockRecord, key: HandleKey, delayUntil: LogTime): LockRecord => {
  const holders = lock.holders.filter((other) => !same(other, key))
  const waiters = lock.waiters.filter((other) => !same(other, key))
  const held = holders.length < lock.holders.length
  return {
    ...lock,
    mode: holders.length === 0 ? 'free' : lock.mode,
    holders,
    waiters,
    delayUntil: held && delayUntil > lock.delayUntil ? delayUntil : lock.delayUntil,
  }
}

export const holds = (lock: LockRecord, key: HandleKey): boolean => lock.holders.some((other) => same(other, key))

/** What a handle has of its node's lock. */
export const standing = (
  lock: LockRecord,
  instance: bigint,
  key: HandleKey,
): Exclude<LockAnswer, { state: 'busy' }> | { readonly state: 'none' } => {
  const { mode, token, generation } = lock
  if (mode !== 'free' && holds(lock, key)) return { state: 'held', mode, token, lockGeneration: generation, instance }
  // From the end: whoever has just come is there, however long the line.
  const position = lock.waiters.findLastIndex((other) => same(other, key))
  return position < 0 ? { state: 'none' } : { state: 'queued', position: lock.holders.length + position }
}
