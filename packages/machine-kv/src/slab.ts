/** Bytes of a slab; a value of more than a quarter of it gets an array of its own. */
const slabBytes = 64 * 1024

/**
 * Copies of many small values in few arrays. An array of its own costs each value several times what its bytes cost, in allocation and in work for the
 * garbage collector. In return one value keeps the whole slab alive: whoever keeps a value for long makes its own copy (`Store` does when the
 * history lets go of it).
 */
export class Slab {
  #bytes = new Uint8Array(0)
  #used = 0

  copy(value: Uint8Array): Uint8Array {
    if (value.length > slabBytes / 4) return new Uint8Array(value)
    if (this.#used + value.length > this.#bytes.length) {
      this.#bytes = new Uint8Array(slabBytes)
      this.#used = 0
    }
    const copy = this.#bytes.subarray(this.#used, this.#used + value.length)
    copy.set(value)
    this.#used += value.length
    return copy
  }
}
