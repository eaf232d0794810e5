import type { Clock, Monotonic } from '@conclave/interface'

/** Time that passes only when it is told to. Timers of the same instant fire in the order in which they were set. */
export class VirtualClock implements Clock {
  #now = 0
  #order = 0
  #timers: { at: number; order: number; run: () => void }[] = []

  now(): Monotonic {
    return this.#now as Monotonic
  }
  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, order: this.#order++, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }
  defer(run: () => void): void {
    this.after(0, run)
  }
  /** Lets `ms` pass. */
  pass(ms: number): void {
    const until = this.#now + ms
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at || a.order - b.order)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#now = next.at
      next.run()
    }
    this.#now = until
  }
  /** Lets time pass until `done` settled, with a turn for promises between the steps. */
  async until<T>(done: Promise<T>): Promise<T> {
    let settled = false
    const mark = (): void => {
      settled = true
    }
    done.then(mark, mark)
    for (let step = 0; !settled && step < 100_000; step++) {
      this.pass(1)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return done
  }
}
