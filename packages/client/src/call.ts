import type { Refusal } from '@conclave/interface'
import { Aborted, type ClientClosed, Overloaded, Unavailable } from './errors.ts'

export interface CallOptions {
  /** Gives the call up: it rejects with `Aborted`. */
  readonly signal?: AbortSignal
  /** Milliseconds after which the call is given up, as `Unavailable` or `Overloaded`; looked at every 50 ms. Default: that of `connect`. */
  readonly timeout?: number
}

/** One call that waits for its answer; settled exactly once. */
export abstract class Call {
  readonly deadline: number
  settled = false
  /** Why the last attempt was refused. */
  refusal: Refusal | undefined
  #signal: AbortSignal | undefined
  #listener: (() => void) | undefined

  constructor(deadline: number) {
    this.deadline = deadline
  }

  /** Whether the call, given up now, certainly does not happen. */
  abstract get definite(): boolean
  protected abstract reject(error: unknown): void
  /** Told once when the call is settled, whichever way: frees what it holds. */
  protected abstract released(): void

  /** Rejects the call when `signal` fires. */
  listen(signal: AbortSignal): void {
    this.#signal = signal
    this.#listener = () => this.fail(new Aborted(this.definite, signal.reason))
    signal.addEventListener('abort', this.#listener, { once: true })
  }

  /** @returns false if it was settled before. */
  protected settle(): boolean {
    if (this.settled) return false
    this.settled = true
    if (this.#listener !== undefined) this.#signal?.removeEventListener('abort', this.#listener)
    this.released()
    return true
  }

  fail(error: Aborted | Unavailable | Overloaded | ClientClosed | Error): void {
    if (this.settle()) this.reject(error)
  }

  /** The time is up. @param problems what is known of the nodes. */
  expire(problems: string): void {
    const { definite, refusal } = this
    if (definite && refusal === 'overloaded') return this.fail(new Overloaded('the cluster stayed overloaded'))
    const why = refusal === undefined ? problems : `${problems}; last refusal: ${refusal}`
    const fate = definite ? 'it did not happen' : 'whether it happened is unknown'
    this.fail(new Unavailable(`no answer in time, ${fate} (${why})`, definite))
  }
}

/** Refusals that may pass: the call is tried again until its time is up. */
export const passing = (reason: Refusal): boolean => reason !== 'invalid' && reason !== 'unsupported'
