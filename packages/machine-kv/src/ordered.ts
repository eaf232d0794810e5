import { assert } from '@conclave/interface'
import type { Entry } from './entry.ts'
import type { ByteString } from './keys.ts'

/** Entries of a leaf at most; a full leaf splits in halves. */
const leafEntries = 128
const mergeBelow = 32

interface Leaf {
  entries: Entry[]
  /** The generation that may change this leaf in place; an older leaf may be in a frozen view and is copied first. */
  readonly generation: number
}

/** The first index in `entries` whose key is not below `key`. */
const lowerBound = (entries: readonly Entry[], key: ByteString): number => {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((entries[middle] as Entry).key < key) low = middle + 1
    else high = middle
  }
  return low
}

/** A set of entries in key order as it was when it was taken. */
export interface View {
  get(key: ByteString): Entry | undefined
  /** From `from` (inclusive) up. */
  entriesFrom(from: ByteString): IterableIterator<Entry>
}

/** The last index in `leaves` whose first key is not above `key`; 0 if there is none. */
const leafFor = (leaves: readonly Leaf[], key: ByteString): number => {
  let low = 0
  let high = leaves.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (((leaves[middle] as Leaf).entries[0] as Entry).key <= key) low = middle + 1
    else high = middle
  }
  return Math.max(0, low - 1)
}

const getIn = (leaves: readonly Leaf[], key: ByteString): Entry | undefined => {
  const entries = leaves[leafFor(leaves, key)]?.entries
  if (entries === undefined) return undefined
  const entry = entries[lowerBound(entries, key)]
  return entry?.key === key ? entry : undefined
}

function* entriesIn(leaves: readonly Leaf[], from: ByteString): IterableIterator<Entry> {
  let at = leafFor(leaves, from)
  let index = lowerBound(leaves[at]?.entries ?? [], from)
  for (; at < leaves.length; at++, index = 0) {
    const { entries } = leaves[at] as Leaf
    for (; index < entries.length; index++) yield entries[index] as Entry
  }
}

/**
 * Entries in key order, in leaves of up to 128 under one array: like a B+tree of two levels. A search is two binary searches; an insertion moves
 * at most a leaf and, once in 64 insertions, part of the upper array (8 bytes for each leaf). `freeze` costs a copy of the upper array; leaves are
 * copied when they are next changed.
 */
export class OrderedEntries implements View {
  #leaves: Leaf[] = []
  #generation = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  get(key: ByteString): Entry | undefined {
    return getIn(this.#leaves, key)
  }

  entriesFrom(from: ByteString): IterableIterator<Entry> {
    return entriesIn(this.#leaves, from)
  }

  /** @returns how many entries lie in [from, to); an empty `to` has no end. Costs a step per leaf. */
  count(from: ByteString, to: ByteString): number {
    let count = 0
    for (let at = leafFor(this.#leaves, from); at < this.#leaves.length; at++) {
      const { entries } = this.#leaves[at] as Leaf
      if (to !== '' && (entries[0] as Entry).key >= to) break
      const end = to === '' ? entries.length : lowerBound(entries, to)
      count += Math.max(0, end - lowerBound(entries, from))
    }
    return count
  }

  /** The entries as they are now, unaffected by what follows. */
  freeze(): View {
    const leaves = this.#leaves.slice()
    this.#generation += 1
    return { get: (key) => getIn(leaves, key), entriesFrom: (from) => entriesIn(leaves, from) }
  }

  #writable(at: number): Leaf {
    const leaf = this.#leaves[at]
    assert(leaf !== undefined, 'a leaf was looked for beyond the last')
    if (leaf.generation === this.#generation) return leaf
    const copy = { entries: leaf.entries.slice(), generation: this.#generation }
    this.#leaves[at] = copy
    return copy
  }

  /** Sets `entry` under its key. @returns the one that it replaced. */
  set(entry: Entry): Entry | undefined {
    if (this.#leaves.length === 0) this.#leaves.push({ entries: [], generation: this.#generation })
    const at = this.#size === 0 ? 0 : leafFor(this.#leaves, entry.key)
    const leaf = this.#writable(at)
    const index = lowerBound(leaf.entries, entry.key)
    const before = leaf.entries[index]
    if (before?.key === entry.key) {
      leaf.entries[index] = entry
      return before
    }
    leaf.entries.splice(index, 0, entry)
    this.#size += 1
    if (leaf.entries.length > leafEntries) this.#split(at, leaf, index)
    return undefined
  }

  #split(at: number, leaf: Leaf, inserted: number): void {
    // Ascending keys are common: then the full leaf stays full.
    const last = at === this.#leaves.length - 1 && inserted === leafEntries
    const upper = leaf.entries.splice(last ? leafEntries - 1 : leafEntries >>> 1)
    this.#leaves.splice(at + 1, 0, { entries: upper, generation: this.#generation })
  }

  /** @returns the entry that was removed. */
  delete(key: ByteString): Entry | undefined {
    if (this.#size === 0) return undefined
    const at = leafFor(this.#leaves, key)
    const index = lowerBound(this.#leaves[at]?.entries ?? [], key)
    if (this.#leaves[at]?.entries[index]?.key !== key) return undefined
    const leaf = this.#writable(at)
    const [removed] = leaf.entries.splice(index, 1)
    this.#size -= 1
    if (leaf.entries.length < mergeBelow) this.#shrink(at, leaf)
    return removed
  }

  /** Keeps leaves from staying nearly empty: a small one is joined with its right neighbour, an empty one goes. */
  #shrink(at: number, leaf: Leaf): void {
    const next = this.#leaves[at + 1]
    if (leaf.entries.length === 0) this.#leaves.splice(at, 1)
    else if (next !== undefined && leaf.entries.length + next.entries.length <= leafEntries / 2) {
      leaf.entries.push(...next.entries)
      this.#leaves.splice(at + 1, 1)
    }
  }
}
