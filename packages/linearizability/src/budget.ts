/** A clock in milliseconds. Only differences count. */
export type Now = () => number

/** Ticks of the clock are not free: it is asked once in so many steps. */
const stepsPerLook = 512

/** How much longer a search may go on: a number of steps, the same in every run, and maybe a time. */
export class Budget {
  readonly #limit: number
  readonly #deadline: number
  readonly #now: Now | undefined
  #steps = 0
  #nextLook = 0
  #late = false

  /** @param deadline by `now`; Infinity: none. */
  constructor(limit: number, deadline = Number.POSITIVE_INFINITY, now?: Now) {
    this.#limit = limit
    this.#deadline = deadline
    this.#now = now
  }

  get steps(): number {
    return this.#steps
  }
  get left(): number {
    return Math.max(0, this.#limit - this.#steps)
  }
  /** Why nothing is left. */
  get spentOn(): 'steps' | 'time' {
    return this.#late ? 'time' : 'steps'
  }

  /** @returns false if the search must stop. */
  spend(steps: number): boolean {
    if (this.#late || this.#steps >= this.#limit) return false
    this.#steps += steps
    if (this.#now !== undefined && this.#steps >= this.#nextLook) {
      this.#nextLook = this.#steps + stepsPerLook
      this.#late = this.#now() >= this.#deadline
    }
    return !this.#late
  }

  /** At most `limit` steps of this one's, which are charged with `charge` when they are done. */
  share(limit: number): Budget {
    return new Budget(Math.min(limit, this.left), this.#deadline, this.#now)
  }

  /** Steps for work after this one's, until the same deadline. */
  again(limit: number): Budget {
    return new Budget(limit, this.#deadline, this.#now)
  }

  charge(share: Budget): void {
    this.#steps += share.steps
    if (share.#late) this.#late = true
  }
}
