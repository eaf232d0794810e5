import { assert } from '@conclave/interface'

/** Where a reign begins in the log. */
interface ReignStart<Reign> {
  readonly at: number
  readonly reign: Reign
}

/**
 * The tail of a contiguous log that is kept in memory: every entry above `base`. What lies at or below `base` is decided, and is in a snapshot or in the
 * journal only. Each entry was made under a reign (a Raft term, a Zab epoch), which never falls along the log.
 */
export abstract class LogTail<Entry, Reign extends number> {
  #entries: (Entry | undefined)[] = []
  /** Entries before this index of `#entries` are evicted; their places are cut off in bulk, since a shift costs a pass over the array. */
  #head = 0
  #base: number
  #baseReign: Reign
  /** Where each reign begins, from the last snapshot on: what is left to know of evicted entries. */
  #starts: ReignStart<Reign>[]

  /** @param start where the reign of `base` begins, if that is known to be below it. */
  constructor(base: number, baseReign: Reign, start = base) {
    this.#base = base
    this.#baseReign = baseReign
    this.#starts = [{ at: start, reign: baseReign }]
  }

  protected abstract reignOf(entry: Entry): Reign

  /** The position before the first entry in memory. */
  get base(): number {
    return this.#base
  }
  get last(): number {
    return this.#base + this.#entries.length - this.#head
  }
  get lastReign(): Reign {
    return this.#entries.length === this.#head ? this.#baseReign : this.reignOf(this.entry(this.last))
  }
  protected get starts(): readonly ReignStart<Reign>[] {
    return this.#starts
  }

  /** The entry at a position in (base, last]. */
  entry(position: number): Entry {
    const entry = this.#entries[this.#head + position - this.#base - 1]
    assert(
      entry !== undefined && position > this.#base,
      `entry ${position} is not in memory: it holds ${this.#base + 1} to ${this.last}`,
    )
    return entry
  }

  /** The reign at a position in [base, last]; undefined outside. */
  reign(position: number): Reign | undefined {
    if (position === this.#base) return this.#baseReign
    if (position < this.#base || position > this.last) return undefined
    return this.reignOf(this.entry(position))
  }

  append(entry: Entry): number {
    const [reign, before] = [this.reignOf(entry), this.lastReign]
    assert(reign >= before, `an entry of reign ${reign} after one of reign ${before}`)
    if (reign > before) this.#starts.push({ at: this.last + 1, reign })
    this.#entries.push(entry)
    return this.last
  }

  /** Forgets every entry from `position` up. */
  truncateFrom(position: number): void {
    assert(position > this.#base, `truncation at ${position} reaches below the tail, which begins after ${this.#base}`)
    this.#entries.length = Math.min(this.#entries.length, this.#head + position - this.#base - 1)
    while (this.#starts.length > 1 && (this.#starts.at(-1)?.at ?? 0) >= position) this.#starts.pop()
  }

  /** The reign at a position from the last snapshot on, in memory or not. */
  reignSinceSnapshot(position: number): Reign {
    const start = this.#starts.findLast(({ at }) => at <= position)
    assert(start !== undefined && position <= this.last, `the reign at ${position} is not known`)
    return start.reign
  }

  /** A snapshot is named at `position`: reigns that ended before it, and are not in memory, need no longer be known. */
  snapshotAt(position: number): void {
    const known = Math.min(position, this.#base)
    const current = this.#starts.findLastIndex(({ at }) => at <= known)
    if (current > 0) this.#starts.splice(0, current)
  }

  /** Drops entries from memory up to and including `position`. */
  evictTo(position: number): void {
    if (position <= this.#base) return
    this.#baseReign = this.reignOf(this.entry(position))
    const head = this.#head + position - this.#base
    this.#entries.fill(undefined, this.#head, head)
    this.#head = head
    this.#base = position
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }

  /** Starts over after a snapshot: the log is empty above `base`. @param start as for the constructor. */
  reset(base: number, baseReign: Reign, start = base): void {
    this.#entries = []
    this.#head = 0
    this.#base = base
    this.#baseReign = baseReign
    this.#starts = [{ at: start, reign: baseReign }]
  }
}
