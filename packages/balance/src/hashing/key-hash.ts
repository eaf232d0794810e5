import { KeyBytes } from './key-bytes.ts'
import { murmur3 } from './murmur3.ts'

/** Not that of any strategy: what a decorator decides by a key has nothing to do with where the key goes then. */
const seed = 0x756e6974

/** Hashes keys for decorators, without allocating. */
export class KeyHash {
  readonly #bytes = new KeyBytes()

  /** 32 bits, signed: an unsigned number or a fraction would be allocated where this call is not inlined. */
  of(key: string | Uint8Array): number {
    this.#bytes.set(key)
    const hash = murmur3(this.#bytes.bytes, this.#bytes.length, seed)
    this.#bytes.release()
    return hash
  }
}

/** A hash in the place of a draw, in [0, 1). */
export const unit = (hash: number): number => (hash >>> 0) / 0x1_0000_0000
