import type { Roster } from '../roster.ts'
import { KeyBytes } from './key-bytes.ts'
import { Md5 } from './md5.ts'

/** Digests for each candidate of average weight, and points made of each digest: those of libketama. */
const digests = 40
const pointsPerDigest = 4

/**
 * The continuum of libketama (Jones, last.fm, 2007; `ketama.c`): for each candidate the MD5 digests of `id-0`, `id-1` and so on, each of which gives
 * four points on a circle of 32 bits. A key belongs to the candidate of the first point at or after the first four bytes of its own digest.
 *
 * An id takes the place of libketama's server address (`10.0.1.1:11211`), a weight that of its memory. Two candidates that share a point, which
 * libketama leaves to `qsort`, are ordered by id.
 */
export class KetamaRing {
  readonly #points: Uint32Array
  readonly #owners: Uint32Array

  /** Places the candidates. O(p log p) for p points, 160 for each candidate. */
  constructor({ ids, weights }: Roster) {
    const counts = digestCounts(weights)
    const size = counts.reduce((sum, count) => sum + count, 0) * pointsPerDigest
    const [points, owners] = [new Uint32Array(size), new Uint32Array(size)]
    let at = 0
    for (const [owner, id] of ids.entries()) {
      for (let index = 0; index < (counts[owner] ?? 0); index++) {
        for (const word of digest(`${id}-${index}`)) {
          points[at] = word
          owners[at++] = owner
        }
      }
    }
    const idOf = (index: number): string => ids[owners[index] ?? 0] ?? ''
    const order = Uint32Array.from(points.keys()).sort(
      (a, b) => (points[a] ?? 0) - (points[b] ?? 0) || (idOf(a) < idOf(b) ? -1 : 1),
    )
    this.#points = order.map((index) => points[index] ?? 0)
    this.#owners = order.map((index) => owners[index] ?? 0)
  }

  /** How many points there are; 0 when nobody has any weight. */
  get size(): number {
    return this.#points.length
  }

  /** The index of the point that a key belongs to. The ring is not empty. O(log p). */
  pointOf(key: string | Uint8Array): number {
    return this.at((digest(key)[0] ?? 0) >>> 0)
  }

  /** The index of the first point at or after `place`, a whole number below 2^32; the first of all if there is none. */
  at(place: number): number {
    const points = this.#points
    let low = 0
    let high = points.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((points[middle] ?? 0) < place) low = middle + 1
      else high = middle
    }
    return low === points.length ? 0 : low
  }

  /** The index of the candidate that a point belongs to. */
  ownerOf(point: number): number {
    return this.#owners[point] ?? 0
  }

  /** The point after another, around the circle. */
  after(point: number): number {
    return point + 1 === this.#points.length ? 0 : point + 1
  }
}

/** What a digest is computed in, one at a time. */
const [bytes, md5] = [new KeyBytes(), new Md5()]

/** The four words of the MD5 of a key, until the next one is computed. */
const digest = (key: string | Uint8Array): Int32Array => {
  bytes.set(key)
  md5.update(bytes.bytes, bytes.length)
  bytes.release()
  return md5.words
}

/**
 * How many digests each candidate has: its share of 40 times their number, rounded down, in the single precision of libketama's `float`. That
 * rounding takes one digest from everybody for some numbers of candidates of equal weight (61, 122 and nine more up to 1000), which is kept: other
 * clients of the same ring do so too.
 */
const digestCounts = (weights: readonly number[]): number[] => {
  const total = Math.fround(weights.reduce((sum, weight) => sum + weight, 0))
  const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0)
  if (heaviest === 0) return weights.map(() => 0)
  // Too large or too small for single precision.
  if (total === 0 || total === Number.POSITIVE_INFINITY) return digestCounts(weights.map((weight) => weight / heaviest))
  return weights.map((weight) => {
    const share = Math.fround(Math.fround(weight) / total)
    return Math.floor(Math.fround(share * digests * weights.length))
  })
}
