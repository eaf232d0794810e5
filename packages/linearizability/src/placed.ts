/**
 * Which calls of a timeline have been placed in the order that a search tries. Those that returned are kept as "all below `low`, and these few
 * ahead of it", so that a set costs as much as there is concurrency, however long the history; the open ones are a bit mask.
 */
export class Placed {
  readonly #closed: number
  readonly #ahead: number[] = []
  /** The first call that has returned and is not placed; all before it are. */
  low = 0
  /** A bit for each open call. */
  open = 0n

  /** @param closed how many calls have returned. */
  constructor(closed: number) {
    this.#closed = closed
  }

  /** Those that returned, as a text that is the same for the same set. */
  get key(): string {
    return this.#ahead.length === 0 ? `${this.low}` : `${this.low},${this.#ahead.join()}`
  }

  has(call: number): boolean {
    if (call >= this.#closed) return ((this.open >> BigInt(call - this.#closed)) & 1n) === 1n
    return call < this.low || this.#ahead.includes(call)
  }

  add(call: number): void {
    if (call >= this.#closed) {
      this.open |= 1n << BigInt(call - this.#closed)
      return
    }
    if (call === this.low) {
      this.low += 1
      while (this.#ahead[0] === this.low) {
        this.#ahead.shift()
        this.low += 1
      }
      return
    }
    let at = this.#ahead.length
    while (at > 0 && (this.#ahead[at - 1] as number) > call) at -= 1
    this.#ahead.splice(at, 0, call)
  }

  remove(call: number): void {
    if (call >= this.#closed) {
      this.open &= ~(1n << BigInt(call - this.#closed))
      return
    }
    if (call >= this.low) {
      this.#ahead.splice(this.#ahead.indexOf(call), 1)
      return
    }
    for (let above = this.low - 1; above > call; above--) this.#ahead.unshift(above)
    this.low = call
  }
}

/** Beyond so many entries nothing more is remembered: the search then goes on slower, within its budget. */
const maxEntries = 1_000_000

/**
 * Where a search has been (Lowe 2017, section 3.1): pairs of a set of placed calls and a state. Two that differ only in open calls are comparable: what
 * can be completed with more of them used up can be completed with fewer. So a pair is not worth a visit if one with the same calls that
 * returned, the same state and a subset of its open calls was visited.
 */
export class Memory {
  readonly #visited = new Map<string, bigint[]>()
  #entries = 0

  /** @returns whether it is worth a visit; it is then remembered. */
  visit(placed: Placed, stateKey: string): boolean {
    const key = `${placed.key}|${stateKey}`
    const masks = this.#visited.get(key)
    if (masks?.some((mask) => (mask & placed.open) === mask)) return false
    if (this.#entries >= maxEntries) return true
    this.#entries += 1
    if (masks === undefined) this.#visited.set(key, [placed.open])
    else masks.push(placed.open)
    return true
  }
}
