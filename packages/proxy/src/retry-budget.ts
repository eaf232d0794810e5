/** Seconds over which requests and retries are weighed. */
const windowSeconds = 10

/**
 * Bounds retries to a part of the requests of the last ten seconds, and some more, so that retries do not multiply the load on instances that are in trouble:
 * the retry budget of Finagle.
 */
export class RetryBudget {
  readonly #ratio: number
  readonly #minimum: number
  readonly #requests = new Float64Array(windowSeconds)
  readonly #retries = new Float64Array(windowSeconds)
  #second = 0

  /** @param ratio retries for each request. @param minimum retries a second that are always allowed. */
  constructor(ratio: number, minimum: number) {
    this.#ratio = ratio
    this.#minimum = minimum
  }

  /** A first attempt was made. @param now monotonic milliseconds. */
  request(now: number): void {
    const at = this.#at(now)
    this.#requests[at] = (this.#requests[at] ?? 0) + 1
  }

  /** Whether there may be one more retry, which is counted if so. */
  retry(now: number): boolean {
    const at = this.#at(now)
    const allowed = total(this.#requests) * this.#ratio + this.#minimum * windowSeconds
    if (total(this.#retries) + 1 > allowed) return false
    this.#retries[at] = (this.#retries[at] ?? 0) + 1
    return true
  }

  /** The cell of this second; those of the seconds in between are emptied. */
  #at(now: number): number {
    const second = Math.floor(now / 1000)
    const first = Math.max(this.#second + 1, second - windowSeconds + 1)
    for (let passed = first; passed <= second; passed++) {
      this.#requests[passed % windowSeconds] = 0
      this.#retries[passed % windowSeconds] = 0
    }
    this.#second = Math.max(this.#second, second)
    return second % windowSeconds
  }
}

const total = (cells: Float64Array): number => cells.reduce((sum, cell) => sum + cell, 0)
