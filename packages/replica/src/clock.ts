import type { Clock, Monotonic } from '@conclave/interface'

/** The real clock. Its timers do not keep the process alive; a turn that is due does. */
export const systemClock: Clock = {
  now: () => performance.now() as Monotonic,
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
  defer: (run) => {
    setImmediate(run)
  },
}
