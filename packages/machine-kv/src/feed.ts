import type { Feed } from '@conclave/interface'
import type { History } from './history.ts'
import { type ByteString, toByteString } from './keys.ts'
import { EventsWriter, encodeCompacted, type KvWatch } from './watches.ts'

/** What a feed needs to know of its store, whose parts a restore replaces. */
export interface FeedSource {
  readonly revision: number
  readonly history: History
}

/** After so many revisions without an event of interest, a feed tells how far it has come, so that its watcher can resume from there. */
const progressEvery = 4096

/** A cursor in the history of a store. */
export class KvFeed implements Feed {
  readonly #source: FeedSource
  readonly #from: ByteString
  readonly #to: ByteString
  readonly #keysOnly: boolean
  /** Everything up to this revision has been looked at. */
  #seen: number
  /** The revision that the watcher was last told. */
  #told: number
  #started = false
  #open = true

  constructor(source: FeedSource, watch: KvWatch) {
    this.#source = source
    this.#from = toByteString(watch.from)
    this.#to = toByteString(watch.to)
    this.#keysOnly = watch.keysOnly
    this.#seen = watch.fromRevision === 0n ? source.revision : Number(watch.fromRevision) - 1
    this.#told = this.#seen
  }

  poll(mostBytes: number): Uint8Array | undefined {
    const { history, revision } = this.#source
    if (!this.#open || (this.#started && this.#seen >= revision)) return undefined
    if (this.#seen < history.forgotten) {
      this.#open = false
      return encodeCompacted(history.forgotten + 1)
    }
    const events = new EventsWriter()
    const before = events.length
    let seen = Math.max(this.#seen, revision)
    for (const event of this.#seen < revision ? history.eventsFrom(this.#seen + 1) : []) {
      if (events.length >= mostBytes) {
        seen = event.modified - 1
        break
      }
      if (event.key >= this.#from && (this.#to === '' || event.key < this.#to)) events.add(event, this.#keysOnly)
    }
    this.#seen = seen
    if (this.#started && events.length === before && seen - this.#told < progressEvery) return undefined
    this.#started = true
    this.#told = seen
    return events.take(seen)
  }

  close(): void {
    this.#open = false
  }
}
