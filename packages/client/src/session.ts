import type { Write } from './write.ts'

/** Serials of one session may be this far apart; the cluster's own bound is 65,536. */
const window = 65_536

/**
 * What makes a retried write apply once: the cluster keeps, per session, the replies of the serials that the client has not acknowledged.
 */
export class Session {
  readonly id: bigint
  state: 'closed' | 'opening' | 'open' | 'dead' = 'closed'
  /** Ascending by serial. */
  readonly unsettled = new Map<number, Write>()
  #next = 1

  constructor(id: bigint) {
    this.id = id
  }

  /** Every serial below is settled: its reply is needed no more. */
  get ackedBelow(): number {
    for (const serial of this.unsettled.keys()) return serial
    return this.#next
  }

  get full(): boolean {
    return this.#next - this.ackedBelow >= window
  }

  /** Gives the write the next serial. Not if `full`. */
  take(write: Write): void {
    write.serial = this.#next++
    write.session = this
    this.unsettled.set(write.serial, write)
  }
}
