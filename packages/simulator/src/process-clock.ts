import type { Cancel, Clock, Monotonic, Random } from '@conclave/interface'
import type { VirtualClock } from './clock.ts'

/**
 * Whether a process runs. While it is stopped nothing that was to happen to it happens: what falls due waits, and happens when it goes on, in
 * the order in which it fell due.
 */
export class Gate {
  readonly #clock: VirtualClock
  #stops = 0
  #waiting: (() => void)[] = []

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  get paused(): boolean {
    return this.#stops > 0
  }

  /** Runs after `ms` of the world, and not before the process runs. */
  after(ms: number, run: () => void): Cancel {
    let live = true
    const due = (): void => {
      if (!live) return
      if (this.#stops > 0) this.#waiting.push(due)
      else run()
    }
    const cancel = this.#clock.after(ms, due)
    return () => {
      live = false
      cancel()
    }
  }

  /** Stops it once more: it goes on when it was resumed as often. */
  pause(): void {
    this.#stops++
  }

  resume(): void {
    if (this.#stops === 0) return
    this.#stops--
    if (this.#stops === 0) this.#release()
  }

  /** Another process begins, which nobody stopped. */
  reset(): void {
    this.#stops = 0
    this.#release()
  }

  #release(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const run of waiting) this.#clock.after(0, run)
  }
}

/** The time of a disk: it goes on when processes die, but a stopped process does not hear from it. */
export const diskClock = (world: VirtualClock, gate: Gate): Clock => ({
  now: () => world.now(),
  after: (ms, run) => gate.after(ms, run),
  defer: (run) => {
    gate.after(0, run)
  },
})

export interface ProcessClockInit {
  readonly world: VirtualClock
  readonly gate: Gate
  /** Milliseconds of this clock per millisecond of the world. */
  readonly rate: number
  /** A turn begins up to so many milliseconds of the world after its first input, and takes all that came in between. */
  readonly drainMillis: number
  readonly random: Random
}

/** The clock of one life of one process: it runs at its own rate from an origin of its own, and stops for good when the process dies. */
export class ProcessClock implements Clock {
  readonly #init: ProcessClockInit
  readonly #born: number
  readonly #deferred: (() => void)[] = []
  #turnAt = -1
  dead = false

  constructor(init: ProcessClockInit) {
    this.#init = init
    this.#born = init.world.now()
  }

  now(): Monotonic {
    const { world, rate } = this.#init
    return (1_000 + (world.now() - this.#born) * rate) as Monotonic
  }

  after(ms: number, run: () => void): Cancel {
    return this.#init.gate.after(ms / this.#init.rate, () => {
      if (!this.dead) run()
    })
  }

  /** Everything that is deferred before the next turn begins happens in that turn, in order. */
  defer(run: () => void): void {
    const { world, drainMillis, random, gate } = this.#init
    const now = world.now()
    if (this.#turnAt <= now) this.#turnAt = drainMillis === 0 ? now : now + random.next() * drainMillis
    this.#deferred.push(run)
    // Two timers for what is the same time may differ by a rounding: each runs the oldest that waits.
    gate.after(this.#turnAt - now, () => {
      const first = this.#deferred.shift()
      if (!this.dead) first?.()
    })
  }
}
