import { KeyBytes } from './key-bytes.ts'
import { murmur3 } from './murmur3.ts'

/** Not that of any strategy: what a decorator decides by a key has nothing to do with where the key goes then. */
const seed = 0x756e6974

/** A key as a number in [0, 1), in the place of a draw: the same for the same key. Allocates nothing. */
export class UnitHash {
  readonly #bytes = new KeyBytes()

  of(key: string | Uint8Array): number {
    this.#bytes.set(key)
    const hash = murmur3(this.#bytes.bytes, this.#bytes.length, seed)
    this.#bytes.release()
    return (hash >>> 0) / 0x1_0000_0000
  }
}
