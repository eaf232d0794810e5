import { MalformedBytes } from './errors.ts'

/** Bytes as a list of chunks, so that a header and a payload travel together without a copy. Read only for everyone but the maker. */
export type Chunks = readonly Uint8Array[]

/** The bytes of `chunks` together. */
export const chunksLength = (chunks: Chunks): number => {
  let length = 0
  for (const chunk of chunks) length += chunk.length
  return length
}

/** One array with the bytes of `chunks`. A single chunk is returned as it is, not copied. */
export const concatChunks = (chunks: Chunks): Uint8Array => {
  const [only] = chunks
  if (chunks.length === 1 && only !== undefined) return only
  const whole = new Uint8Array(chunksLength(chunks))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

/** A copy. Not `slice`: what is typed `Uint8Array` may be a Node `Buffer`, whose `slice` shares memory. */
export const copyBytes = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Writes the little-endian formats of wire and disk into one growing array. Reusable after `take`. */
export class ByteWriter {
  #bytes: Uint8Array
  #view: DataView
  #length = 0

  /** @param capacity bytes to start with; it doubles as needed. */
  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#length
  }

  #room(more: number): number {
    const at = this.#length
    const need = at + more
    if (need > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(need, this.#bytes.length * 2))
      grown.set(this.#bytes.subarray(0, at))
      this.#bytes = grown
      this.#view = new DataView(grown.buffer)
    }
    this.#length = need
    return at
  }

  u8(value: number): this {
    const at = this.#room(1)
    this.#view.setUint8(at, value)
    return this
  }
  u16(value: number): this {
    const at = this.#room(2)
    this.#view.setUint16(at, value, true)
    return this
  }
  u32(value: number): this {
    const at = this.#room(4)
    this.#view.setUint32(at, value, true)
    return this
  }
  /** A safe integer ≥ 0 in eight bytes. */
  u53(value: number): this {
    const at = this.#room(8)
    this.#view.setUint32(at, value >>> 0, true)
    this.#view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true)
    return this
  }
  u64(value: bigint): this {
    const at = this.#room(8)
    this.#view.setBigUint64(at, value, true)
    return this
  }
  f64(value: number): this {
    const at = this.#room(8)
    this.#view.setFloat64(at, value, true)
    return this
  }
  /** The bytes as they are, copied, without a length. */
  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }
  /** A u32 length, then the bytes, copied. */
  bytes(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes)
  }
  /** A u32 length, then UTF-8. */
  string(text: string): this {
    return this.bytes(encoder.encode(text))
  }
  /** Hands over what was written, in an array of exactly that length which this writer no longer touches, and starts empty again. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length)
    this.#length = 0
    return taken
  }
}

/**
 * Reads the little-endian formats of wire and disk. Every read is checked against the end.
 * The views it returns share memory with `bytes`.
 */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = at
  }

  get at(): number {
    return this.#at
  }
  get left(): number {
    return this.#bytes.length - this.#at
  }

  #take(count: number): number {
    const at = this.#at
    if (count > this.#bytes.length - at)
      throw new MalformedBytes(`need ${count} bytes at offset ${at}, only ${this.#bytes.length - at} are left`)
    this.#at = at + count
    return at
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true)
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }
  /** @throws MalformedBytes if above `Number.MAX_SAFE_INTEGER`. */
  u53(): number {
    const at = this.#take(8)
    const high = this.#view.getUint32(at + 4, true)
    if (high > 0x1f_ffff) throw new MalformedBytes(`an integer at offset ${at} exceeds 2^53 - 1`)
    return high * 0x1_0000_0000 + this.#view.getUint32(at, true)
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true)
  }
  f64(): number {
    return this.#view.getFloat64(this.#take(8), true)
  }
  raw(length: number): Uint8Array {
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }
  /** What `ByteWriter.bytes` wrote. @param most an upper bound on the length: a larger one is malformed. */
  bytes(most = 0xffff_ffff): Uint8Array {
    const length = this.u32()
    if (length > most)
      throw new MalformedBytes(`a length of ${length} at offset ${this.#at - 4} exceeds its bound of ${most}`)
    return this.raw(length)
  }
  /** What `ByteWriter.string` wrote. @throws MalformedBytes if not UTF-8. */
  string(most = 0xffff): string {
    const bytes = this.bytes(most)
    try {
      return decoder.decode(bytes)
    } catch {
      throw new MalformedBytes(`the text that ends at offset ${this.#at} is not UTF-8`)
    }
  }
  /** @throws MalformedBytes if bytes are left. */
  end(): void {
    if (this.left !== 0) throw new MalformedBytes(`${this.left} bytes follow the end of the message`)
  }
}
