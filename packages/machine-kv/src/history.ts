import { type Entry, entryCost, HashSum } from './entry.ts'

/** How much of the past is kept for watches. The same on every replica: it is part of the state. */
export interface HistoryLimits {
  readonly events: number
  /** Each event counts its key, its value and 64 bytes. */
  readonly bytes: number
}

/**
 * The newest events (puts, and deletions as entries of version 0), by ascending revision, within the limits. The newest event always stays.
 */
export class History {
  readonly limits: HistoryLimits
  readonly #sum = new HashSum()
  #events: Entry[] = []
  /** Index of the oldest; what lies before it is forgotten and cut off now and then. */
  #head = 0
  #bytes = 0
  /** The revision up to which events are gone. */
  #forgotten: number

  /** @param forgotten the revision after which events will be added. */
  constructor(limits: HistoryLimits, forgotten = 0) {
    this.limits = limits
    this.#forgotten = forgotten
  }

  /** Events after this revision are there; those up to it are gone. */
  get forgotten(): number {
    return this.#forgotten
  }
  get size(): number {
    return this.#events.length - this.#head
  }
  get lanes(): readonly [number, number] {
    return this.#sum.lanes
  }

  /** @param forgotten gets the events that are dropped for it, oldest first. */
  push(event: Entry, forgotten?: (event: Entry) => void): void {
    this.#events.push(event)
    this.#bytes += entryCost(event)
    this.#sum.add(event)
    while (this.size > 1 && (this.size > this.limits.events || this.#bytes > this.limits.bytes)) {
      const oldest = this.#drop()
      forgotten?.(oldest)
    }
    if (this.#head > 1024 && this.#head > this.#events.length / 2) {
      this.#events = this.#events.slice(this.#head)
      this.#head = 0
    }
  }

  #drop(): Entry {
    const oldest = this.#events[this.#head] as Entry
    // Undefined keeps no value alive until the array is cut.
    this.#events[this.#head] = undefined as unknown as Entry
    this.#head += 1
    this.#bytes -= entryCost(oldest)
    this.#sum.remove(oldest)
    this.#forgotten = oldest.modified
    return oldest
  }

  /** Events of revision ≥ `from`, oldest first. Not to be used any more after the next `push`. */
  *eventsFrom(from: number): IterableIterator<Entry> {
    let low = this.#head
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#events[middle] as Entry).modified < from) low = middle + 1
      else high = middle
    }
    for (; low < this.#events.length; low++) yield this.#events[low] as Entry
  }

  /** The events as they are now, unaffected by what follows. */
  freeze(): readonly Entry[] {
    return this.#events.slice(this.#head)
  }
}
