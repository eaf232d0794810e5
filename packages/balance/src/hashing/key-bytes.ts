/** Texts up to this length are encoded into an array that is kept; a longer one gets an array of its own for the moment. */
const mostKept = 4096
const encoder = new TextEncoder()

/**
 * The bytes of a key: those of an array as they are, those of a text in UTF-8 (with U+FFFD for half a surrogate pair, as TextEncoder does). Allocates
 * for very long texts only.
 */
export class KeyBytes {
  /** The bytes of the last key; only the first `length` count. */
  bytes: Uint8Array
  length = 0
  readonly #kept = new Uint8Array(mostKept * 3)

  constructor() {
    this.bytes = this.#kept
  }

  set(key: string | Uint8Array): void {
    if (typeof key !== 'string') this.#use(key, key.length)
    else if (key.length > mostKept) {
      const encoded = encoder.encode(key)
      this.#use(encoded, encoded.length)
    } else this.#use(this.#kept, encodeInto(key, this.#kept))
  }

  /** Lets go of an array that belongs to a caller. */
  release(): void {
    this.bytes = this.#kept
  }

  #use(bytes: Uint8Array, length: number): void {
    this.bytes = bytes
    this.length = length
  }
}

/** As `TextEncoder.encodeInto`, which makes an object for each call. @returns how many bytes were written. */
const encodeInto = (text: string, bytes: Uint8Array): number => {
  let length = 0
  for (let at = 0; at < text.length; at++) {
    let point = text.charCodeAt(at)
    if (point < 0x80) {
      bytes[length++] = point
      continue
    }
    if (point >= 0xd800 && point < 0xe000) {
      const low = point < 0xdc00 && at + 1 < text.length ? text.charCodeAt(at + 1) : 0
      if (low >= 0xdc00 && low < 0xe000) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00)
        at++
      } else point = 0xfffd
    }
    if (point < 0x800) bytes[length++] = 0xc0 | (point >> 6)
    else {
      if (point < 0x10000) bytes[length++] = 0xe0 | (point >> 12)
      else {
        bytes[length++] = 0xf0 | (point >> 18)
        bytes[length++] = 0x80 | ((point >> 12) & 0x3f)
      }
      bytes[length++] = 0x80 | ((point >> 6) & 0x3f)
    }
    bytes[length++] = 0x80 | (point & 0x3f)
  }
  return length
}
