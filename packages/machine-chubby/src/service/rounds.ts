/** Rounds to a quorum that confirm the reign: one at a time, for all who wait. What comes while one is under way waits for the next, since only a later one says anything to it. */
export class Rounds {
  #number = 0
  /** The last one failed: the next waits for `retry`, or a node that cannot ask now would be asked without end. */
  #failed = false
  /** When the round under way began. */
  #began: number | undefined
  #waiting: ((began: number) => void)[] = []
  #asked: ((began: number) => void)[] = []

  /** Calls `confirmed` once a round has succeeded that begins after this call, with the time at which it began. */
  await(confirmed: (began: number) => void): void {
    this.#waiting.push(confirmed)
  }

  /** Begins a round if one is needed. @returns its number. */
  begin(now: number): number | undefined {
    if (this.#failed || this.#began !== undefined || this.#waiting.length === 0) return undefined
    this.#began = now
    this.#asked = this.#waiting
    this.#waiting = []
    this.#number += 1
    return this.#number
  }

  /** @param reigns false: those who waited wait for the next one. */
  ended(round: number, reigns: boolean): void {
    if (round !== this.#number || this.#began === undefined) return
    const [began, asked] = [this.#began, this.#asked]
    this.#began = undefined
    this.#asked = []
    if (reigns) for (const confirmed of asked) confirmed(began)
    else {
      this.#failed = true
      this.#waiting = [...asked, ...this.#waiting]
    }
  }

  /** Some time has passed. */
  retry(): void {
    this.#failed = false
  }
}
