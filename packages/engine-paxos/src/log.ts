import { assert } from '@conclave/interface'
import type { Accepted } from './value.ts'

/**
 * The slots in memory: decided ones above `base`, and whatever has been accepted above them, with holes. What lies at or below `base` is
 * decided, and is in a snapshot or in the journal only.
 */
export class SlotLog {
  readonly #slots = new Map<number, Accepted>()
  #base: number
  #top: number

  constructor(base: number) {
    this.#base = base
    this.#top = base
  }

  /** The slot before the first that may be in memory. */
  get base(): number {
    return this.#base
  }
  /** The highest slot that holds something, or `base`. */
  get top(): number {
    return this.#top
  }

  get(slot: number): Accepted | undefined {
    return this.#slots.get(slot)
  }

  /** A slot that must be there. */
  at(slot: number): Accepted {
    const accepted = this.#slots.get(slot)
    assert(accepted !== undefined, `slot ${slot} is not in memory: it begins after ${this.#base}`)
    return accepted
  }

  set(slot: number, accepted: Accepted): void {
    assert(slot > this.#base, `slot ${slot} lies below the memory, which begins after ${this.#base}`)
    this.#slots.set(slot, accepted)
    this.#top = Math.max(this.#top, slot)
  }

  /** Forgets every slot up to and including `to`. */
  dropTo(to: number): void {
    if (to - this.#base > this.#slots.size) {
      for (const slot of [...this.#slots.keys()]) if (slot <= to) this.#slots.delete(slot)
    } else for (let slot = this.#base + 1; slot <= to; slot++) this.#slots.delete(slot)
    this.#base = Math.max(this.#base, to)
    this.#top = Math.max(this.#top, this.#base)
  }

  /** Forgets every slot from `from` up. @returns whether there was any. */
  dropFrom(from: number): boolean {
    if (this.#top < from) return false
    let top = this.#base
    for (const slot of [...this.#slots.keys()]) {
      if (slot >= from) this.#slots.delete(slot)
      else top = Math.max(top, slot)
    }
    this.#top = top
    return true
  }
}
