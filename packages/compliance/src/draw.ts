import { type Random, seededRandom } from '@conclave/interface'

/** Draws of one seed. */
export interface Draw extends Random {
  /** An integer in [0, below). */
  below(below: number): number
  bytes(length: number): Uint8Array
  /** True with this probability. */
  chance(probability: number): boolean
}

export const drawOf = (seed: number): Draw => {
  const random = seededRandom(seed)
  const below = (most: number): number => Math.floor(random.next() * most)
  return {
    next: () => random.next(),
    below,
    bytes: (length) => Uint8Array.from({ length }, () => below(256)),
    chance: (probability) => random.next() < probability,
  }
}

/** The same bytes as a view in the middle of a larger array, as they come from a frame. */
export const asView = (bytes: Uint8Array): Uint8Array => {
  const larger = new Uint8Array(bytes.length + 14).fill(0xa5)
  larger.set(bytes, 7)
  return larger.subarray(7, 7 + bytes.length)
}

/** Cut short, with a flipped bit, longer, or something else altogether. */
export const mangled = (draw: Draw, bytes: Uint8Array): Uint8Array => {
  switch (draw.below(5)) {
    case 0:
      return bytes.slice(0, draw.below(bytes.length))
    case 1: {
      const longer = new Uint8Array(bytes.length + 1 + draw.below(9))
      longer.set(bytes)
      return longer
    }
    case 2:
      return draw.bytes(draw.below(64))
    default: {
      const flipped = new Uint8Array(bytes)
      for (let flips = 1 + draw.below(3); flips > 0 && flipped.length > 0; flips--) {
        const at = draw.below(flipped.length)
        flipped[at] = (flipped[at] ?? 0) ^ (1 << draw.below(8))
      }
      return flipped
    }
  }
}

/** For messages of failures. */
export const hex = (bytes: Uint8Array | undefined): string => {
  if (bytes === undefined) return 'undefined'
  const shown = Buffer.from(bytes.subarray(0, 32)).toString('hex')
  return bytes.length > 32 ? `${shown}… (${bytes.length} bytes)` : shown
}

export const sameBytes = (one: Uint8Array | undefined, other: Uint8Array | undefined): boolean =>
  one === undefined || other === undefined ? one === other : Buffer.compare(one, other) === 0
