/** Numbers that wait in a line: first in, first out. */
export class Line {
  #waiting: number[] = []
  /** How many of them are gone already. */
  #gone = 0

  get length(): number {
    return this.#waiting.length - this.#gone
  }

  push(request: number): void {
    this.#waiting.push(request)
  }

  /** Takes out the first; undefined if there is none. */
  shift(): number | undefined {
    const first = this.#waiting[this.#gone]
    if (first === undefined) return undefined
    this.#gone++
    // Cut off only when they are half of it: O(1) on average.
    if (this.#gone * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#gone)
      this.#gone = 0
    }
    return first
  }
}
