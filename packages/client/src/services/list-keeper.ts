import type { ListStore } from './list-store.ts'

/** Saves the last of what it is given, one after the other: what is overtaken while another is being saved is left out. */
export class ListKeeper {
  readonly #store: ListStore
  readonly #failed: (error: unknown) => void
  #next: string | undefined
  #saving: Promise<void> | undefined

  constructor(store: ListStore, failed: (error: unknown) => void) {
    this.#store = store
    this.#failed = failed
  }

  save(text: string): void {
    this.#next = text
    this.#saving ??= this.#save()
  }

  async #save(): Promise<void> {
    while (this.#next !== undefined) {
      const text = this.#next
      this.#next = undefined
      try {
        await this.#store.save(text)
      } catch (error) {
        this.#failed(error)
      }
    }
    this.#saving = undefined
  }

  /** Resolves when nothing is left to be saved. */
  async settled(): Promise<void> {
    await this.#saving
  }
}
