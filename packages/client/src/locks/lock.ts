import { type Grant, type LockMode, sequencerText } from '@conclave/machine-chubby'
import { LockLost } from './errors.ts'
import type { Handle } from './handle.ts'
import type { Session } from './session.ts'

/** A lock that was granted. Show its token, or its sequencer, to whatever it guards: see `createFence`. */
export class Lock implements AsyncDisposable {
  readonly path: string
  readonly mode: LockMode
  readonly #session: Session
  readonly #handle: Handle
  readonly #grant: Grant
  #abort = new AbortController()
  #why = 'the lease of its session has run out by the local clock'
  #released = false

  /** @internal by `Session.lock`. */
  constructor(session: Session, handle: Handle, grant: Grant) {
    this.#session = session
    this.#handle = handle
    this.#grant = grant
    this.path = handle.path
    this.mode = grant.mode
  }

  /** Until when the lock can be relied on, by the local monotonic clock (`performance.now()`). It moves on while the session is kept alive. */
  get validUntil(): number {
    return this.#released ? 0 : this.#session.validUntil
  }

  /** Whether it can be relied on now: judged by the clock, not by timers, so that a process that was stopped finds out. */
  get held(): boolean {
    return !this.#released && this.#session.isGood && this.#handle.grant?.token === this.#grant.token
  }

  /** @throws LockLost unless it is `held`. */
  assertHeld(): void {
    if (!this.held) throw new LockLost(this.path, this.#released ? 'it was released' : this.#why)
  }

  /** The fencing token: higher than that of everybody who held the lock before. @throws LockLost unless it is `held`. */
  get token(): bigint {
    this.assertHeld()
    return this.#grant.token
  }

  /** For servers that ask the cell, or a fence, whether their client still holds the lock. Opaque. @throws LockLost unless it is `held`. */
  get sequencer(): string {
    this.assertHeld()
    return sequencerText({ ...this.#grant, path: this.path })
  }

  /**
   * Fires when the lock can no longer be relied on: at the next turn of the event loop after `validUntil` has passed, which is before the cluster could grant it to another. Should the
   * session turn out to be safe after all, a new signal is here.
   */
  get signal(): AbortSignal {
    if (this.#abort.signal.aborted && this.held) this.#abort = new AbortController()
    else if (!this.#abort.signal.aborted && !this.held) this.lost()
    return this.#abort.signal
  }

  /** @internal It cannot be relied on. */
  lost(why?: string): void {
    if (why !== undefined) this.#why = why
    if (!this.#abort.signal.aborted) this.#abort.abort(new LockLost(this.path, this.#why))
  }

  /** Gives it back: resolves once the cluster has taken it. Safe to call twice, and after it was lost. */
  async release(): Promise<void> {
    this.#released = true
    this.#session.forget(this)
    await this.#handle.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }
}
