import { notNegative, positive } from '../checks.ts'

export interface RetryBudgetInit {
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Retries for each request, from 0 up: 0.2, the default, is one for five. */
  readonly ratio?: number
  /** Retries in a second that are allowed besides, so that a client with few requests has some. From 0 up. Default 10. */
  readonly minPerSecond?: number
  /** Milliseconds after which requests and retries are forgotten. Above 0. Default 10,000. */
  readonly window?: number
}

/** How finely a window is divided. */
const slots = 10

/**
 * How many retries are still allowed, so that retries do not bury a system that is in trouble: Finagle's `RetryBudget`, with its defaults. Within a
 * window, retries are at most `ratio` times the requests, and `minPerSecond` for each second besides. Each first try is a `deposit`; each retry has
 * to `withdraw`.
 *
 * Both take O(1) and allocate nothing; memory O(1).
 * @throws RangeError for a number out of its bounds.
 */
export class RetryBudget {
  readonly #now: () => number
  readonly #ratio: number
  readonly #reserve: number
  readonly #slotTime: number
  /** What came in and went out in each slot of the window, in retries; the slot of a time is its number modulo their count. */
  readonly #net = new Float64Array(slots)
  readonly #begin: number
  /** How many slots have begun since. */
  #slot = 0

  constructor({ now, ratio = 0.2, minPerSecond = 10, window = 10_000 }: RetryBudgetInit) {
    this.#now = now
    this.#ratio = notNegative('ratio', ratio)
    this.#reserve = (notNegative('minPerSecond', minPerSecond) * positive('window', window)) / 1000
    this.#slotTime = window / slots
    this.#begin = now()
  }

  /** Retries that are allowed at this moment; those below 1 are none. */
  get balance(): number {
    this.#forget()
    let sum = this.#reserve
    for (let at = 0; at < slots; at++) sum += this.#net[at] ?? 0
    // Tenths do not sum up exactly.
    return Math.max(0, Math.round(sum * 1e6) / 1e6)
  }

  /** A request that is no retry was sent. */
  deposit(): void {
    this.#forget()
    this.#add(this.#ratio)
  }

  /** Whether a retry is allowed; it counts as sent then. */
  withdraw(): boolean {
    if (this.balance < 1) return false
    this.#add(-1)
    return true
  }

  #add(amount: number): void {
    const at = this.#slot % slots
    this.#net[at] = (this.#net[at] ?? 0) + amount
  }

  /** Empties the slots that the time has come round to again. */
  #forget(): void {
    const slot = Math.floor((this.#now() - this.#begin) / this.#slotTime)
    for (let steps = Math.min(slots, slot - this.#slot); steps > 0; steps--) this.#net[(slot - steps + 1) % slots] = 0
    this.#slot = Math.max(this.#slot, slot)
  }
}
