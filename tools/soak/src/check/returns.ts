import type { Operation } from '../history.ts'

/** That an operation had returned by then, and where it stands in the order. */
export interface Return {
  readonly at: number
  readonly place: number
  readonly operation: Operation
}

/** Returns by time: a binary heap. */
export class Returns {
  readonly #heap: Return[] = []

  get first(): Return | undefined {
    return this.#heap[0]
  }

  push(item: Return): void {
    let at = this.#heap.length
    this.#heap.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = this.#heap[parent] as Return
      if (above.at <= item.at) break
      this.#heap[at] = above
      at = parent
    }
    this.#heap[at] = item
  }

  shift(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= this.#heap.length) break
      const right = this.#heap[child + 1]
      if (right !== undefined && right.at < (this.#heap[child] as Return).at) child += 1
      const below = this.#heap[child] as Return
      if (below.at >= last.at) break
      this.#heap[at] = below
      at = child
    }
    this.#heap[at] = last
  }
}
