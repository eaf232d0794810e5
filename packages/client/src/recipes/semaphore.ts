import { millisOf } from '../locks/durations.ts'
import { LockHeld } from '../locks/errors.ts'
import type { Lock } from '../locks/lock.ts'
import type { LockOptions, Session } from '../locks/session.ts'

/**
 * At most `permits` holders at a time. Each permit is a lock of its own, with a token; a holder that fails loses its permit with its session. Waiters are served by turns, not strictly in the order
 * in which they came: each stands in one line of several.
 */
export class Semaphore {
  readonly #session: Session
  readonly #path: string
  readonly #permits: number

  /** @param path a directory, made if it is not there. The number of permits has to be the same for all. @throws RangeError */
  constructor(session: Session, path: string, permits: number) {
    if (!Number.isSafeInteger(permits) || permits < 1)
      throw new RangeError(`a semaphore has at least 1 permit, got ${permits}`)
    this.#session = session
    this.#path = path
    this.#permits = permits
  }

  /** Takes a permit: any that is free, else the first that becomes so of one line. Give it back by `release`. @throws as `Session.lock`. */
  async acquire(options: Omit<LockOptions, 'mode'> = {}): Promise<Lock> {
    const first = Math.floor(Math.random() * this.#permits)
    const wait = options.wait === undefined ? undefined : millisOf(options.wait, 'a wait')
    const until = this.#session.now + (wait ?? 0)
    /** What is left of the wait, which is for all that is done here. */
    const terms = (): typeof options =>
      wait === undefined || wait === 0 ? options : { ...options, wait: Math.max(1, until - this.#session.now) }
    for (let at = 0; at < this.#permits; at++) {
      const lock = await this.#session.tryLock(this.#permit(first + at), terms())
      if (lock !== undefined) return lock
    }
    return this.#session.lock(this.#permit(first), terms())
  }

  /** Takes a permit if one is free. */
  async tryAcquire(options: Omit<LockOptions, 'mode' | 'wait'> = {}): Promise<Lock | undefined> {
    try {
      return await this.acquire({ ...options, wait: 0 })
    } catch (error) {
      if (error instanceof LockHeld) return undefined
      throw error
    }
  }

  #permit(number: number): string {
    return `${this.#path}/${number % this.#permits}`
  }
}
