import type { Cancel, Clock, Monotonic } from '@conclave/interface'

/** A `Clock` that can also hold the process open: while a call waits, a program must not end. */
export interface ClientClock extends Clock {
  afterHolding(ms: number, run: () => void): Cancel
}

/** A timer that is set for longer fires at once instead. */
const maxTimerMillis = 2 ** 31 - 1

/** The clock of this process. */
export const systemClock: ClientClock = {
  now: () => performance.now() as Monotonic,
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(ms, maxTimerMillis))
    timer.unref()
    return () => clearTimeout(timer)
  },
  afterHolding: (ms, run) => {
    const timer = setTimeout(run, Math.min(ms, maxTimerMillis))
    return () => clearTimeout(timer)
  },
  defer: (run) => {
    setImmediate(run)
  },
}

/** How a client's calls and links are timed, in milliseconds. */
export const timing = {
  /** While calls wait, their deadlines are looked at so often. */
  sweep: 50,
  /** While calls wait, every connection is pinged so often; two pings without a word give it up. */
  ping: 250,
  /** The same while only watches wait. */
  idlePing: 1000,
  /** For a dial, and again for the greeting. */
  dial: 2000,
  /** The first back-off; it doubles up to `backoffMost`, each time shortened by up to half at random. */
  backoff: 25,
  backoffMost: 1000,
  /** A session that is idle is used so often. The cluster forgets it after an hour of log time. */
  keepAlive: 10 * 60 * 1000,
  /** `close` waits so long for the cluster to forget the session. */
  goodbye: 300,
} as const

/** The wait before attempt number `failures` + 1. @param random in [0, 1). */
export const backoff = (failures: number, random: number): number =>
  Math.min(timing.backoffMost, timing.backoff * 2 ** Math.min(failures, 10)) * (0.5 + random / 2)
