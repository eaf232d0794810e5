import type { Lock } from '../locks/lock.ts'
import type { LockOptions, Session } from '../locks/session.ts'

/** Many readers or one writer, first come, first served: a reader that comes after a waiting writer waits behind it, so that no writer starves. */
export class ReadWriteLock {
  readonly #session: Session
  readonly #path: string

  constructor(session: Session, path: string) {
    this.#session = session
    this.#path = path
  }

  /** @throws as `Session.lock`. */
  read(options: Omit<LockOptions, 'mode'> = {}): Promise<Lock> {
    return this.#session.lock(this.#path, { ...options, mode: 'shared' })
  }

  /** @throws as `Session.lock`. */
  write(options: Omit<LockOptions, 'mode'> = {}): Promise<Lock> {
    return this.#session.lock(this.#path, { ...options, mode: 'exclusive' })
  }
}
