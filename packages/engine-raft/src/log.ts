import { assert } from '@conclave/interface'
import type { Entry, Term } from './entry.ts'

/**
 * The tail of the replicated log that is kept in memory: every entry above `base`. What lies at or below `base` is decided, and is in a snapshot
 * or in the journal only.
 */
export class RaftLog {
  #entries: (Entry | undefined)[] = []
  /** Entries before this index of `#entries` are evicted; their places are cut off in bulk, since a shift costs a pass over the array. */
  #head = 0
  #base: number
  #baseTerm: Term
  /** Where each term begins, from the last snapshot on: what is left to know of evicted entries when a snapshot of them is named. */
  #termStarts: { readonly at: number; readonly term: Term }[]

  constructor(base: number, baseTerm: Term) {
    this.#base = base
    this.#baseTerm = baseTerm
    this.#termStarts = [{ at: base, term: baseTerm }]
  }

  /** The position before the first entry in memory. */
  get base(): number {
    return this.#base
  }
  get last(): number {
    return this.#base + this.#entries.length - this.#head
  }
  get lastTerm(): Term {
    return this.#entries.length === this.#head ? this.#baseTerm : this.#at(this.last).term
  }

  #at(position: number): Entry {
    const entry = this.#entries[this.#head + position - this.#base - 1]
    assert(
      entry !== undefined && position > this.#base,
      `entry ${position} is not in memory: it holds ${this.#base + 1} to ${this.last}`,
    )
    return entry
  }

  /** The entry at a position in (base, last]. */
  entry(position: number): Entry {
    return this.#at(position)
  }

  /** The term at a position in [base, last]; undefined outside. */
  term(position: number): Term | undefined {
    if (position === this.#base) return this.#baseTerm
    if (position < this.#base || position > this.last) return undefined
    return this.#at(position).term
  }

  append(entry: Entry): number {
    assert(entry.term >= this.lastTerm, `an entry of term ${entry.term} after one of term ${this.lastTerm}`)
    if (entry.term > this.lastTerm) this.#termStarts.push({ at: this.last + 1, term: entry.term })
    this.#entries.push(entry)
    return this.last
  }

  /** Forgets every entry from `position` up. */
  truncateFrom(position: number): void {
    assert(position > this.#base, `truncation at ${position} reaches below the tail, which begins after ${this.#base}`)
    this.#entries.length = Math.min(this.#entries.length, this.#head + position - this.#base - 1)
    while ((this.#termStarts.at(-1)?.at ?? 0) >= position) this.#termStarts.pop()
  }

  /** The term at a position from the last snapshot on, in memory or not. */
  termSinceSnapshot(position: number): Term {
    const start = this.#termStarts.findLast(({ at }) => at <= position)
    assert(start !== undefined && position <= this.last, `the term at ${position} is not known`)
    return start.term
  }

  /** A snapshot is named at `position`: terms that ended before it need no longer be known. */
  snapshotAt(position: number): void {
    const current = this.#termStarts.findLastIndex(({ at }) => at <= position)
    if (current > 0) this.#termStarts.splice(0, current)
  }

  /** Drops entries from memory up to and including `position`. */
  evictTo(position: number): void {
    if (position <= this.#base) return
    this.#baseTerm = this.#at(position).term
    const head = this.#head + position - this.#base
    this.#entries.fill(undefined, this.#head, head)
    this.#head = head
    this.#base = position
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }

  /** Starts over after a snapshot: the log is empty above `base`. */
  reset(base: number, baseTerm: Term): void {
    this.#entries = []
    this.#head = 0
    this.#base = base
    this.#baseTerm = baseTerm
    this.#termStarts = [{ at: base, term: baseTerm }]
  }

  /** The first position in memory (above base) of the term that stands at `position`, for the conflict back-off. */
  firstOfTerm(position: number): number {
    const wanted = this.term(position)
    let first = position
    while (first - 1 > this.#base && this.term(first - 1) === wanted) first--
    return first
  }

  /** The last position at or below `from` whose term is at most `limit`; never below base. */
  lastAtMost(limit: Term, from: number): number {
    if (limit === 0) return this.#base
    let at = Math.min(from, this.last)
    while (at > this.#base && (this.term(at) ?? limit) > limit) at--
    return at
  }

  /** Whether a candidate with this last entry has a log at least as up to date as this one (Raft, extended version, section 5.4.1). */
  isUpToDate(lastPosition: number, lastTerm: Term): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastPosition >= this.last)
  }
}
