/** Something that waits for an instance with room. */
export interface Waiter {
  /** Tries to go on, and leaves the line if it can. False: there is still no room for it. */
  attempt(): boolean
  /** Whether one instance only will do: those behind it need not wait for it. */
  readonly particular: boolean
}

/** Those that wait, in the order in which they came, and no more than `most`. */
export class WaitingLine {
  readonly #waiters = new Set<Waiter>()
  readonly #most: number
  #going = false

  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#waiters.size
  }

  /** False: the line is full. */
  join(waiter: Waiter): boolean {
    if (this.#waiters.size >= this.#most) return false
    this.#waiters.add(waiter)
    return true
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter)
  }

  /** Lets go on who can: called whenever there may be room. */
  advance(): void {
    // An attempt that fails at once calls this again.
    if (this.#going || this.#waiters.size === 0) return
    this.#going = true
    try {
      for (const waiter of this.#waiters) {
        if (!waiter.attempt() && !waiter.particular) return
      }
    } finally {
      this.#going = false
    }
  }
}
