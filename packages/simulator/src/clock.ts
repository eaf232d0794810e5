import type { Clock, Monotonic } from '@conclave/interface'

interface Timer {
  readonly at: number
  readonly order: number
  run: (() => void) | undefined
}

/** Time that passes only when it is told to. Timers of one instant fire in the order in which they were set. A binary heap. */
export class VirtualClock implements Clock {
  #now = 0
  #order = 0
  readonly #heap: Timer[] = []

  now(): Monotonic {
    return this.#now as Monotonic
  }

  after(ms: number, run: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, run }
    this.#push(timer)
    return () => {
      timer.run = undefined
    }
  }

  defer(run: () => void): void {
    this.after(0, run)
  }

  /** Live timers. */
  get pending(): number {
    return this.#heap.filter(({ run }) => run !== undefined).length
  }

  /** Runs the next timer if it is due by `until`; otherwise moves to `until`. True if one ran. */
  step(until: number): boolean {
    for (let first = this.#heap[0]; first !== undefined && first.at <= until; first = this.#heap[0]) {
      this.#pop()
      if (first.run === undefined) continue
      this.#now = first.at
      first.run()
      return true
    }
    this.#now = Math.max(this.#now, until)
    return false
  }

  /** Lets `ms` pass, with a turn for promises after every timer. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms
    await settlePromises()
    while (this.step(until)) await settlePromises()
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(timer)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (above === undefined || earlier(above, timer)) break
      heap[at] = above
      at = parent
    }
    heap[at] = timer
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      const left = heap[2 * at + 1]
      const right = heap[2 * at + 2]
      if (left === undefined) break
      const [child, index] = right !== undefined && earlier(right, left) ? [right, 2 * at + 2] : [left, 2 * at + 1]
      if (earlier(last, child)) break
      heap[at] = child
      at = index
    }
    heap[at] = last
  }
}

const earlier = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** Returns when every promise that can go on has gone on: `setImmediate` runs after all of them. */
export const settlePromises = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Lets the event loop breathe now and then; all else happens in microtasks, in the same order each time. */
const breath = 4_096

/** Runs a world: one timer, then a fixed number of turns for promises, and so on. What happens is a function of the timers alone. */
export class Loop {
  readonly #clock: VirtualClock
  readonly #turns: number
  events = 0

  /** @param turns for promises, after each timer. */
  constructor(clock: VirtualClock, turns: number) {
    this.#clock = clock
    this.#turns = turns
  }

  /** Runs until `done` holds after an event, or until `until`. */
  async run(until: number, done: () => boolean): Promise<void> {
    while (!done() && this.#clock.step(until)) {
      this.events++
      for (let turn = 0; turn < this.#turns; turn++) await undefined
      if (this.events % breath === 0) await settlePromises()
    }
  }
}
