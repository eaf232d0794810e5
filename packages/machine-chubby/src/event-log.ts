import type { AddressedEvent, ChubbyEvent } from './events.ts'

/** What happened and was not fetched. Nothing is kept while nobody fetches: it is no part of the state. */
export class EventLog {
  #events: AddressedEvent[] | undefined

  tell(session: bigint, event: ChubbyEvent): void {
    this.#events?.push({ session, event })
  }

  /** From now on what happens is kept. */
  take(): readonly AddressedEvent[] {
    const taken = this.#events ?? []
    this.#events = []
    return taken
  }

  ignore(): void {
    this.#events = undefined
  }

  /** What happened is no part of what is the state now. */
  forget(): void {
    if (this.#events !== undefined) this.#events = []
  }
}
