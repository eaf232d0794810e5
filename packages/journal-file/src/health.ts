import type { DiskState } from '@conclave/interface'

/** What ails the disk, and who is told when it changes. `full` outweighs `slow`. */
export class Health {
  readonly #causes = new Set<string>()
  readonly #told: (state: DiskState) => void
  #state: DiskState = 'ok'

  constructor(told: (state: DiskState) => void) {
    this.#told = told
  }

  /** `slow` is the name of one cause; every other cause means that there is no room. */
  set(cause: 'slow' | 'no-segment' | 'no-room-for-group', present: boolean): void {
    if (present) this.#causes.add(cause)
    else this.#causes.delete(cause)
    const full = this.#causes.has('no-segment') || this.#causes.has('no-room-for-group')
    const state = full ? 'full' : this.#causes.has('slow') ? 'slow' : 'ok'
    if (state === this.#state) return
    this.#state = state
    this.#told(state)
  }
}
