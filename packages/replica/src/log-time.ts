import type { LogTime, Monotonic } from '@conclave/interface'

/**
 * The stamp that a leader gives its batches: its own accumulated monotonic time, continuing from the last applied stamp. Wall clocks play no part,
 * and the time in which nobody led does not count.
 */
export class LogClock {
  #base = 0
  #at = 0

  /** This node begins to lead. */
  begin(applied: LogTime, now: Monotonic): void {
    this.#base = applied
    this.#at = now
  }

  /** Never below `applied`, which a predecessor's last batches may have moved on. */
  stamp(applied: LogTime, now: Monotonic): LogTime {
    const own = this.#base + Math.max(0, now - this.#at)
    if (own >= applied) return own as LogTime
    this.begin(applied, now)
    return applied
  }
}
