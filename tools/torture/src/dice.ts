import { type Random, seededRandom } from '@conclave/interface'

/** Draws from a seed. */
export class Dice {
  readonly #random: Random

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  /** Uniform in [0, 1). */
  next(): number {
    return this.#random.next()
  }

  /** A whole number from 0 to `n` - 1. */
  below(n: number): number {
    return Math.floor(this.#random.next() * n)
  }

  any<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)]
  }
}
