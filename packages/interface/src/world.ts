import type { Monotonic } from './brands.ts'

/** Stops a timer. Harmless after it fired and when called twice. */
export type Cancel = () => void

/** Time and turns, as the replica and the plug-ins see them. The simulator replaces it by virtual time. */
export interface Clock {
  now(): Monotonic
  /** Calls `run` once, not before `ms` milliseconds have passed. In production it does not keep the process alive by itself. */
  after(ms: number, run: () => void): Cancel
  /** Calls `run` once at the end of the present turn of the event loop, after the input that is already there (`setImmediate`). */
  defer(run: () => void): void
}

/** A source of random numbers; seeded in tests and simulations. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number
}

/** What a package writes its log lines to. pino's logger fits as it is. Fields first, then the message. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Says nothing. */
export const silentLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** A seeded `Random`: mulberry32, a 32-bit state, good enough for jitter and simulation, never for keys. */
export const seededRandom = (seed: number): Random => {
  let state = seed >>> 0
  return {
    next: () => {
      state = (state + 0x6d2b79f5) >>> 0
      let mixed = Math.imul(state ^ (state >>> 15), state | 1)
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
    },
  }
}
