import type { Roster } from '../roster.ts'
import { KeyBytes } from './key-bytes.ts'
import { murmur3 } from './murmur3.ts'

/** Seeds of the two hashes of an id and of the hash of a key: three functions that have nothing to do with each other. */
const seeds = { offset: 0x6d61676c, skip: 0x65762d73, key: 0x6b657931 } as const

/**
 * The lookup table of Maglev (Eisenbud et al., NSDI 2016, section 3.4): each candidate has a permutation of the slots, from two hashes of its id, and
 * the candidates take turns to take the next free slot of theirs. With weights, turns are as frequent as the weight relative to the greatest one, as
 * the paper suggests. Candidates take their turns in the order of their ids, so that the order of the list makes no difference.
 */
export class MaglevTable {
  readonly #owners: Uint32Array

  /**
   * Fills the table: O(m log m) on average for m slots.
   * @param roster has a candidate with a weight, and no more candidates than there are slots. @param slots a prime.
   */
  constructor({ ids, weights }: Roster, slots: number) {
    const owners = new Uint32Array(slots)
    const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0)
    const turns = turnsOf(ids, weights, heaviest, slots)
    const [only, ...others] = turns
    if (only !== undefined && others.length === 0) {
      this.#owners = owners.fill(only.owner)
      return
    }
    const taken = new Uint8Array(slots)
    let filled = 0
    for (let round = 1; filled < slots; round++) {
      for (const turn of turns) {
        if (filled === slots) break
        if (round * turn.weight < turn.due) continue
        turn.due += heaviest
        let { slot } = turn
        // No remainder: this is the inner loop of m log m steps.
        while (taken[slot] === 1) slot = slot + turn.skip < slots ? slot + turn.skip : slot + turn.skip - slots
        taken[slot] = 1
        owners[slot] = turn.owner
        turn.slot = slot
        filled++
      }
    }
    this.#owners = owners
  }

  /** The index of the candidate that a key belongs to. O(1). */
  ownerOf(key: string | Uint8Array): number {
    return this.ownerAt(hash(key, seeds.key) % this.#owners.length)
  }

  /** The index of the candidate that has a slot. */
  ownerAt(slot: number): number {
    return this.#owners[slot] ?? 0
  }
}

const bytes = new KeyBytes()

const hash = (key: string | Uint8Array, seed: number): number => {
  bytes.set(key)
  const hashed = murmur3(bytes.bytes, bytes.length, seed)
  bytes.release()
  return hashed >>> 0
}

/** Whose turn it is, and where that candidate looks next. */
interface Turn {
  readonly owner: number
  readonly weight: number
  readonly skip: number
  /** The next slot of its permutation. */
  slot: number
  /** It has a turn in the round in which its weight, once for each round, comes up to this. */
  due: number
}

const turnsOf = (ids: readonly string[], weights: readonly number[], heaviest: number, slots: number): Turn[] => {
  const turns: Turn[] = []
  for (const [owner, id] of [...ids.entries()].sort(([, a], [, b]) => (a < b ? -1 : 1))) {
    const weight = weights[owner] ?? 0
    if (weight === 0) continue
    const slot = hash(id, seeds.offset) % slots
    const skip = (hash(id, seeds.skip) % (slots - 1)) + 1
    turns.push({ owner, weight, skip, slot, due: heaviest })
  }
  return turns
}
