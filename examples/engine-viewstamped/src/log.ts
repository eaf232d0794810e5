import { assert } from '@conclave/interface'
import type { Entry, View } from './entry.ts'

/** A stretch of a log: the entries after `after`, which is an op-number; the entry there is of `afterView`. */
export interface LogPart {
  readonly after: number
  readonly afterView: View
  readonly entries: readonly Entry[]
}

/** Bytes of an entry in a part before its encoding: its length. */
const lengthBytes = 4

/** The tail of the log that is kept in memory: every entry above `base`. What lies at or below `base` is decided, and in a snapshot or in the journal only. */
export class Log {
  #base: number
  #entries: Entry[] = []
  /** Where the entries of each view begin, from the last snapshot on: it is known of evicted entries too. */
  #runs: { readonly at: number; readonly view: View }[]

  constructor(base: number, baseView: View) {
    this.#base = base
    this.#runs = [{ at: base, view: baseView }]
  }

  /** The position before the first entry in memory. */
  get base(): number {
    return this.#base
  }
  /** The op-number (section 4): that of the newest entry. */
  get last(): number {
    return this.#base + this.#entries.length
  }

  /** The entry at a position in (base, last]. */
  entry(position: number): Entry {
    const entry = this.#entries[position - this.#base - 1]
    assert(entry !== undefined, `entry ${position} is not in memory: it holds ${this.#base + 1} to ${this.last}`)
    return entry
  }

  /** The view of the entry at a position from the last snapshot to `last`. */
  viewAt(position: number): View {
    const run = this.#runs.findLast(({ at }) => at <= position)
    assert(run !== undefined && position <= this.last, `the view of entry ${position} is not known`)
    return run.view
  }

  append(entry: Entry): void {
    const before = this.viewAt(this.last)
    assert(entry.view >= before, `an entry of view ${entry.view} after one of view ${before}`)
    this.#entries.push(entry)
    if (entry.view > before) this.#runs.push({ at: this.last, view: entry.view })
  }

  truncateFrom(position: number): void {
    assert(position > this.#base, `truncation at ${position} reaches below what is in memory`)
    this.#entries.length = Math.min(this.#entries.length, position - this.#base - 1)
    while ((this.#runs.at(-1)?.at ?? 0) > this.last) this.#runs.pop()
  }

  /** Drops entries from memory up to and including `position`. The newest snapshot stands at `snapshot`: views that ended before both need not be known. */
  evictTo(position: number, snapshot: number): void {
    this.#entries.splice(0, position - this.#base)
    this.#base = position
    const oldest = Math.min(position, snapshot)
    while ((this.#runs[1]?.at ?? Number.POSITIVE_INFINITY) <= oldest) this.#runs.shift()
  }

  /** Starts over: the log is empty above `base`. */
  reset(base: number, baseView: View): void {
    this.#base = base
    this.#entries = []
    this.#runs = [{ at: base, view: baseView }]
  }

  /** Entries after a position in [base, last] that fit in `most` bytes, at least one if there is any. */
  partAfter(after: number, most: number): LogPart {
    const entries: Entry[] = []
    let bytes = 0
    for (let at = after + 1; at <= this.last; at++) {
      const entry = this.entry(at)
      bytes += lengthBytes + entry.size
      if (entries.length > 0 && bytes > most) break
      entries.push(entry)
    }
    return { after, afterView: this.viewAt(after), entries }
  }

  /** The newest entries above `floor` that fit in `most` bytes, at least one if there is any (section 5.3). */
  suffix(floor: number, most: number): LogPart {
    let after = this.last
    let bytes = 0
    while (after > Math.max(floor, this.#base)) {
      bytes += lengthBytes + this.entry(after).size
      if (after < this.last && bytes > most) break
      after--
    }
    return this.partAfter(after, Number.POSITIVE_INFINITY)
  }
}

export const partBytes = ({ entries }: LogPart): number =>
  entries.reduce((sum, { size }) => sum + lengthBytes + size, 0)
