import type { ByteString } from './keys.ts'

/**
 * A key with its value as of one revision. Never changed: an update makes a new one, so that the index, the history and open captures share
 * them. In the history, an entry with `version` 0 is a deletion (its value is empty, its `created` 0).
 */
export interface Entry {
  readonly key: ByteString
  readonly value: Uint8Array
  /** The revision that made the key. */
  readonly created: number
  /** The revision that wrote this. */
  readonly modified: number
  /** 1 for the revision that made the key, one more with each put. */
  readonly version: number
  /** Two independent 32-bit hashes of all of the above, signed. */
  readonly low: number
  readonly high: number
}

const finish = (lane: number): number => {
  let mixed = lane
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

const mixLow = (lane: number, word: number): number => {
  const mixed = lane ^ Math.imul(word, 0xcc9e2d51)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

const mixHigh = (lane: number, word: number): number => {
  const mixed = lane ^ Math.imul(word, 0x1b873593)
  return (Math.imul((mixed << 17) | (mixed >>> 15), 9) + 0x38b34ae5) | 0
}

/**
 * Makes an entry and hashes it, a word at a time in two lanes with different multipliers (in the manner of MurmurHash3). The hash finds accidents, a bug or
 * a flipped bit, with a chance of about 2^-64 to miss one; it is no defence against someone who looks for collisions.
 */
export const makeEntry = (
  key: ByteString,
  value: Uint8Array,
  created: number,
  modified: number,
  version: number,
): Entry => {
  // No closure over the lanes, and signed results: either would box every number, and make hashing a third of the cost of a put.
  let low = 0x9e3779b9 ^ key.length
  let high = 0x7f4a7c15 ^ value.length
  for (let i = 0; i < key.length; i++) {
    const word = key.charCodeAt(i)
    low = mixLow(low, word)
    high = mixHigh(high, word)
  }
  const whole = value.length & ~3
  const words = new DataView(value.buffer, value.byteOffset, whole)
  for (let i = 0; i < whole; i += 4) {
    const word = words.getInt32(i, true)
    low = mixLow(low, word)
    high = mixHigh(high, word)
  }
  for (let i = whole; i < value.length; i++) {
    low = mixLow(low, value[i] as number)
    high = mixHigh(high, value[i] as number)
  }
  for (const number of [created, modified, version]) {
    low = mixLow(mixLow(low, number >>> 0), Math.floor(number / 0x1_0000_0000))
    high = mixHigh(mixHigh(high, number >>> 0), Math.floor(number / 0x1_0000_0000))
  }
  return { key, value, created, modified, version, low: finish(low) | 0, high: finish(high) | 0 }
}

/** Bytes that an entry counts in the history's budget. */
export const entryCost = (entry: Entry): number => entry.key.length + entry.value.length + 64

/** The order-independent sum of entries' hashes, kept up to date as entries come and go. */
export class HashSum {
  #low = 0
  #high = 0

  add(entry: Entry): void {
    this.#low = (this.#low + entry.low) >>> 0
    this.#high = (this.#high + entry.high) >>> 0
  }

  remove(entry: Entry): void {
    this.#low = (this.#low - entry.low) >>> 0
    this.#high = (this.#high - entry.high) >>> 0
  }

  get lanes(): readonly [number, number] {
    return [this.#low, this.#high]
  }
}

/** 16 hexadecimal digits that depend on every word, in order. */
export const hashWords = (words: readonly number[]): string => {
  let low = 0x243f6a88
  let high = 0x85a308d3
  for (const word of words) {
    low = finish(Math.imul(low, 31) + word)
    high = finish(Math.imul(high, 37) ^ word)
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
}
