/** A request whose work ends. */
export interface Departure {
  readonly time: number
  readonly request: number
  /** The index of the server. */
  readonly server: number
  readonly failed: boolean
}

interface Ordered extends Departure {
  readonly order: number
}

/** Requests that are being worked on, by when they end: a binary heap. Of equal times the one that was added first comes first. */
export class Departures {
  readonly #heap: Ordered[] = []
  #added = 0

  /** When the next one ends; never if there is none. */
  get next(): number {
    return this.#heap[0]?.time ?? Number.POSITIVE_INFINITY
  }

  add(departure: Departure): void {
    const heap = this.#heap
    const one = { ...departure, order: this.#added++ }
    let at = heap.length
    while (at > 0) {
      const parent = heap[(at - 1) >> 1]
      if (parent === undefined || !before(one, parent)) break
      heap[at] = parent
      at = (at - 1) >> 1
    }
    heap[at] = one
  }

  /** Takes out the one that ends next; undefined if there is none. */
  take(): Departure | undefined {
    const heap = this.#heap
    const [first] = heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]]
      const toRight = left !== undefined && right !== undefined && before(right, left)
      const child = toRight ? right : left
      if (child === undefined || !before(child, last)) break
      heap[at] = child
      at = 2 * at + (toRight ? 2 : 1)
    }
    heap[at] = last
    return first
  }
}

const before = (one: Ordered, other: Ordered): boolean =>
  one.time < other.time || (one.time === other.time && one.order < other.order)
