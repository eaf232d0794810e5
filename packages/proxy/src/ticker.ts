/** Something that waits for a moment that is moved away whenever it makes progress. */
export interface Timed {
  /** In the ticker's milliseconds. `Infinity`: waits for nothing. */
  deadline: number
  /** Called once the deadline has passed, with each tick until it is moved or this is removed. */
  expired(now: number): void
}

/**
 * One timer for all deadlines: what moves with every byte must cost no more than an assignment. Deadlines are kept to within one tick.
 */
export class Ticker {
  /** Milliseconds, as of the last tick. */
  now = performance.now()
  readonly #timed = new Set<Timed>()
  readonly #each: () => void
  readonly #timer: NodeJS.Timeout

  /** @param each called with every tick. */
  constructor(millis: number, each: () => void) {
    this.#each = each
    this.#timer = setInterval(() => this.#tick(), millis).unref()
  }

  add(timed: Timed): void {
    this.#timed.add(timed)
  }

  delete(timed: Timed): void {
    this.#timed.delete(timed)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timed.clear()
  }

  #tick(): void {
    this.now = performance.now()
    this.#each()
    for (const timed of this.#timed) if (timed.deadline <= this.now) timed.expired(this.now)
  }
}
