import type { Cancel, Clock, Monotonic } from '@conclave/interface'

/**
 * The time of one node, as if it were a process of its own: while it is paused nothing of it runs, though time passes, and what came due meanwhile
 * runs when it goes on. Its timers keep the program alive, as a listening socket would.
 */
export class ProcessClock implements Clock {
  #paused = false
  #held: (() => void)[] = []

  now(): Monotonic {
    return performance.now() as Monotonic
  }

  after(ms: number, run: () => void): Cancel {
    let cancelled = false
    const timer = setTimeout(() => {
      this.#run(() => {
        if (!cancelled) run()
      })
    }, ms)
    return () => {
      cancelled = true
      clearTimeout(timer)
    }
  }

  defer(run: () => void): void {
    setImmediate(() => this.#run(run))
  }

  #run(run: () => void): void {
    if (this.#paused) this.#held.push(run)
    else run()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    for (const run of this.#held.splice(0)) this.#run(run)
  }
}

/**
 * The time of the network: delays below a millisecond end with the turn of the event loop, since timers know no fractions. Its timers do not keep the
 * program alive.
 */
export const networkClock: Clock = {
  now: () => performance.now() as Monotonic,
  after: (ms, run) => {
    if (ms < 1) {
      const turn = setImmediate(run)
      return () => clearImmediate(turn)
    }
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
  defer: (run) => void setImmediate(run),
}
