import type { Cancel } from '@conclave/interface'
import type { ClientClock } from '../time.ts'

export interface WatchdogInit {
  readonly clock: ClientClock
  /** Milliseconds in jeopardy after which the session is given up. */
  readonly grace: number
  readonly jeopardy: () => void
  readonly safe: () => void
  readonly expired: () => void
}

type Judged = 'safe' | 'jeopardy' | 'over'

/** Judges a lease by the local clock: it is good until its deadline, then in jeopardy for the grace period, then over (section 2.8 of the Chubby paper). */
export class Watchdog {
  readonly #init: WatchdogInit
  #deadline: number
  #state: Judged = 'safe'
  #timer: Cancel = () => {}

  constructor(init: WatchdogInit, deadline: number) {
    this.#init = init
    this.#deadline = deadline
    this.#arm()
  }

  get deadline(): number {
    return this.#deadline
  }

  /** By the clock, whether or not a timer has had its turn since. */
  get good(): boolean {
    return this.#state === 'safe' && this.#init.clock.now() < this.#deadline
  }

  /** A deadline never falls. */
  extend(deadline: number): void {
    if (this.#state === 'over' || deadline <= this.#deadline) return
    // One that has passed unseen is seen first: whoever relied on it has to hear of that.
    if (this.#look() === 'over') return
    this.#deadline = deadline
    if (this.#state === 'jeopardy' && this.#init.clock.now() < deadline) {
      this.#state = 'safe'
      this.#arm()
      this.#init.safe()
    } else this.#arm()
  }

  #arm(): void {
    this.#timer()
    const { clock, grace } = this.#init
    const until = this.#state === 'safe' ? this.#deadline : this.#deadline + grace
    // At least a millisecond: a timer that comes a rounding too early must not set another for the same instant.
    this.#timer = clock.after(Math.max(1, until - clock.now()), () => {
      this.#look()
      if (this.#state !== 'over') this.#arm()
    })
  }

  #look(): Judged {
    const now = this.#init.clock.now()
    if (this.#state === 'safe' && now >= this.#deadline) {
      this.#state = 'jeopardy'
      this.#init.jeopardy()
    }
    if (this.#state === 'jeopardy' && now >= this.#deadline + this.#init.grace) {
      this.stop()
      this.#init.expired()
    }
    return this.#state
  }

  stop(): void {
    this.#state = 'over'
    this.#timer()
  }
}
