import type { Effects, Journal } from '@conclave/interface'
import type { Applier } from './applier.ts'
import type { Snapshots } from './snapshots.ts'

type Restore = NonNullable<Effects['restore']>

export interface RestoresOwner {
  readonly applier: Applier
  readonly snapshots: Snapshots
  readonly journal: Journal
  running(): boolean
  /** The machines hold another state. */
  restored(): void
  /** Calls for a turn. */
  wake(): void
  failed(error: unknown): void
}

/** Puts received snapshots in the place of the machines' state: each when the write that names it is durable, the newest in the place of older ones. */
export class Restores {
  readonly #owner: RestoresOwner
  #next: { readonly effect: Restore; readonly write: number } | undefined
  #runs = false
  #task: Promise<void> = Promise.resolve()
  count = 0

  constructor(owner: RestoresOwner) {
    this.#owner = owner
  }

  /** @param write the newest write emitted so far: the one that names the snapshot, or a later one. */
  later(effect: Restore, write: number): void {
    this.#owner.applier.beginRestore(effect.position)
    this.#next = { effect, write }
  }

  /** Begins what waits if its write is durable. A newer one takes the place of one that has not begun. */
  step(durable: number): void {
    const restore = this.#next
    if (restore === undefined || this.#runs || restore.write > durable) return
    this.#next = undefined
    this.#runs = true
    this.#task = this.#run(restore.effect).catch((error: unknown) => {
      if (this.#owner.running()) this.#owner.failed(error)
    })
  }

  async #run({ id, position }: Restore): Promise<void> {
    const { applier, snapshots, journal } = this.#owner
    await snapshots.abortCapture()
    if (this.#next !== undefined || !this.#owner.running()) return this.#end() // this body may be gone already
    await applier.restore(journal.readSnapshot(id), position)
    snapshots.startsAt(position)
    this.count++
    if (this.#owner.running() && this.#next === undefined) {
      applier.endRestore()
      this.#owner.restored()
    }
    this.#end()
  }

  #end(): void {
    this.#runs = false
    this.#owner.wake()
  }

  /** Settles when nothing runs any more. */
  stopped(): Promise<void> {
    return this.#task
  }
}
