import type { Command } from '@conclave/interface'
import { Call } from './call.ts'
import type { Connection } from './connection.ts'
import type { Session } from './session.ts'

/** One sending of a block. Once it is no longer live, its commands have been put back, and only replies still count. */
export interface Attempt {
  readonly connection: Connection
  readonly session: Session
  readonly writes: readonly Write[]
  readonly bytes: number
  live: boolean
}

/** A command on its way into the log. It is itself what `encodeBlock` packs. */
export class Write extends Call implements Command {
  readonly machine: number
  readonly bytes: Uint8Array
  serial = -1
  session: Session | undefined
  attempt: Attempt | undefined
  /** An attempt ended without telling what became of it: only a reply under the same serial can tell any more. */
  undecided = false
  readonly #complete: (reply: Uint8Array) => void
  readonly #reject: (error: unknown) => void
  readonly #released: (write: Write) => void

  constructor(
    machine: number,
    bytes: Uint8Array,
    deadline: number,
    complete: (reply: Uint8Array) => void,
    reject: (error: unknown) => void,
    released: (write: Write) => void,
  ) {
    super(deadline)
    this.machine = machine
    this.bytes = bytes
    this.#complete = complete
    this.#reject = reject
    this.#released = released
  }

  get definite(): boolean {
    return !this.undecided && this.attempt === undefined
  }

  protected reject(error: unknown): void {
    this.#reject(error)
  }

  protected released(): void {
    this.session?.unsettled.delete(this.serial)
    this.#released(this)
  }

  /** @param reply a view that the callback must not keep. */
  complete(reply: Uint8Array): void {
    if (this.settle()) this.#complete(reply)
  }
}
