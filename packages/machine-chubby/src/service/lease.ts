import type { CallId } from '@conclave/interface'
import type { Notice, NumberedNotice } from '../calls.ts'
import type { SessionView } from '../view.ts'

/** Notices kept for a session that does not fetch them; more collapse into one that says so. */
const maxNotices = 1024
/** Notices of one reply. */
const noticesPerReply = 256

/** A KeepAlive that is held, and when it came. */
export interface HeldCall {
  readonly call: CallId
  readonly since: number
}

/** What the leader keeps of one session while it reigns: until when it lives, and what it is still to be told. All times are the service's own. */
export class Lease {
  readonly session: SessionView
  /** Not ended by the leader before. Never falls. */
  end: number
  held: HeldCall | undefined
  /** It is being ended, by its client or since its lease is over: its commands wait until it is gone. */
  closing = false
  /** It is being ended, and what it cached was given up: it can hold nothing any more, and is waited for by nobody. */
  barred = false
  /** The held KeepAlive waits for a round that confirms the reign. */
  extending = false
  /** Its client has not heard of this lease, and may have little left of the one that the leader before gave: it is told as soon as it asks. */
  owed = false
  /** What it caches, as far as it was let. */
  readonly cached = new Set<string>()
  /** What it was told to drop, and by which notice. */
  readonly dropping = new Map<string, number>()
  #notices: NumberedNotice[] = []
  #serial = 0
  #acked = 0
  /** The last notice of a reply that is not acknowledged whole, and when that was first given. */
  #unheard: { readonly serial: number; readonly at: number } | undefined

  constructor(session: SessionView, end: number) {
    this.session = session
    this.end = end
  }

  get acked(): number {
    return this.#acked
  }
  /** The serial of the last notice. */
  get told(): number {
    return this.#serial
  }
  get pending(): boolean {
    return this.#notices.length > 0
  }
  /** What comes next would be more than is kept. */
  get full(): boolean {
    return this.#notices.length >= maxNotices
  }

  /** @returns its serial. */
  tell(notice: Notice): number {
    this.#serial += 1
    this.#notices.push({ serial: this.#serial, notice })
    return this.#serial
  }

  /** Forgets what was not fetched: it was too much. @returns the serial of the notice that says so. */
  collapse(): number {
    this.#notices = []
    return this.tell({ type: 'lost' })
  }

  /** The oldest notices that are not acknowledged: told at `now`. */
  batch(now: number): readonly NumberedNotice[] {
    const batch = this.#notices.slice(0, noticesPerReply)
    const last = batch.at(-1)
    if (last !== undefined) this.#unheard ??= { serial: last.serial, at: now }
    return batch
  }

  /** It has not acknowledged for a whole lease what it was told: it gets no other, or those who wait for it would wait for ever. */
  isDeaf(now: number): boolean {
    return this.#unheard !== undefined && now - this.#unheard.at > this.session.lease
  }

  /** A serial that was never told acknowledges nothing. @returns true if it is news. */
  acknowledge(serial: number): boolean {
    if (serial <= this.#acked || serial > this.#serial) return false
    this.#acked = serial
    if (this.#unheard !== undefined && serial >= this.#unheard.serial) this.#unheard = undefined
    const first = this.#notices.findIndex((notice) => notice.serial > serial)
    this.#notices = first < 0 ? [] : this.#notices.slice(first)
    return true
  }

  extend(end: number): void {
    if (end > this.end) this.end = end
  }
}
