import type { Cancel } from '@conclave/interface'
import { type ClientClock, timing } from './time.ts'

export interface Ticking {
  /** Calls that wait for an answer. */
  calls(): number
  watches(): number
  sweep(now: number): void
  ping(): void
}

/** Looks at deadlines and at the other side's pulse while something waits, and is still otherwise. */
export class Ticker {
  readonly #clock: ClientClock
  readonly #ticking: Ticking
  #cancel: Cancel | undefined
  /** The running timer is the short one. */
  #short = false
  #sincePing = 0
  #open = true

  constructor(clock: ClientClock, ticking: Ticking) {
    this.#clock = clock
    this.#ticking = ticking
  }

  /** Something waits from now on. */
  wake(): void {
    if (this.#short || !this.#open) return
    const calls = this.#ticking.calls() > 0
    if (this.#cancel !== undefined && !calls) return
    this.#cancel?.()
    this.#cancel = undefined
    this.#arm(calls)
  }

  #arm(calls: boolean): void {
    this.#short = calls
    // A program must not end while it awaits a call: its sockets may be closed between two attempts.
    this.#cancel = this.#clock.afterHolding(calls ? timing.sweep : timing.idlePing, () => this.#tick(calls))
  }

  #tick(calls: boolean): void {
    this.#cancel = undefined
    this.#short = false
    if (!this.#open) return
    this.#ticking.sweep(this.#clock.now())
    this.#sincePing += calls ? timing.sweep : timing.ping
    if (this.#sincePing >= timing.ping) {
      this.#sincePing = 0
      this.#ticking.ping()
    }
    const still = this.#ticking.calls() > 0
    if (still || this.#ticking.watches() > 0) this.#arm(still)
    else this.#sincePing = 0
  }

  stop(): void {
    this.#open = false
    this.#cancel?.()
    this.#cancel = undefined
  }
}
