/**
 * The frame format: `length u32 LE · messages`, a message being `length u32 LE · bytes`. The messages fill their frame exactly and there is
 * at least one. An empty message is allowed. See docs/formats/transport.md.
 */
import { type Chunks, chunksLength } from '@conclave/interface'
import { MalformedFrame } from './errors.ts'

/** Bytes of a frame's or a message's length. */
export const lengthBytes = 4
/** The default bound on a frame's content in bytes. A message may have `lengthBytes` less. */
export const defaultFrameBytes = 4 * 1024 * 1024

/** A message that waits to be sent, with the bytes that it takes within a frame. */
export interface Queued {
  readonly chunks: Chunks
  readonly bytes: number
}

export const queued = (chunks: Chunks): Queued => ({ chunks, bytes: lengthBytes + chunksLength(chunks) })

const putU32 = (into: Uint8Array, at: number, value: number): void => {
  into[at] = value
  into[at + 1] = value >>> 8
  into[at + 2] = value >>> 16
  into[at + 3] = value >>> 24
}

const u32At = (from: Uint8Array, at: number): number =>
  ((from[at] ?? 0) | ((from[at + 1] ?? 0) << 8) | ((from[at + 2] ?? 0) << 16) | ((from[at + 3] ?? 0) << 24)) >>> 0

/** One frame with `messages[from..to)`, whose `bytes` sum up to `content`: one array, so that it is encrypted and written at once. */
export const encodeFrame = (
  messages: readonly (Queued | undefined)[],
  from: number,
  to: number,
  content: number,
): Uint8Array => {
  const frame = Buffer.allocUnsafe(lengthBytes + content)
  putU32(frame, 0, content)
  let at = lengthBytes
  for (let index = from; index < to; index++) {
    const message = messages[index]
    if (message === undefined) break
    putU32(frame, at, message.bytes - lengthBytes)
    at += lengthBytes
    for (const chunk of message.chunks) {
      frame.set(chunk, at)
      at += chunk.length
    }
  }
  return frame
}

/**
 * The messages of a frame's content, as views on it.
 * @throws MalformedFrame if they do not fill it exactly.
 */
export const splitFrame = (content: Uint8Array): Uint8Array[] => {
  const messages: Uint8Array[] = []
  let at = 0
  while (at < content.length) {
    if (content.length - at < lengthBytes)
      throw new MalformedFrame(`${content.length - at} bytes are left where the length of a message should be`)
    const length = u32At(content, at)
    at += lengthBytes
    if (length > content.length - at)
      throw new MalformedFrame(
        `a message of ${length} bytes does not fit the ${content.length - at} that are left of its frame`,
      )
    messages.push(content.subarray(at, at + length))
    at += length
  }
  return messages
}

/**
 * Cuts a stream of bytes into frames. A frame that lies within one chunk is handed over as views on that chunk; one that does not is
 * assembled in an array of its own, each byte copied once.
 */
export class FrameCutter {
  readonly #maxFrame: number
  readonly #deliver: (messages: Uint8Array[]) => void
  readonly #header = new Uint8Array(lengthBytes)
  #headerBytes = 0
  #partial: Uint8Array | undefined
  #partialBytes = 0

  /** @param deliver gets the messages of one frame; it must not throw. */
  constructor(maxFrame: number, deliver: (messages: Uint8Array[]) => void) {
    this.#maxFrame = maxFrame
    this.#deliver = deliver
  }

  /** True at a border between two frames. */
  get between(): boolean {
    return this.#partial === undefined && this.#headerBytes === 0
  }

  /** @throws MalformedFrame; nothing may be fed afterwards. The chunk must not change any more. */
  feed(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#partial !== undefined) at = this.#fill(this.#partial, chunk, at)
      else if (this.#headerBytes === 0 && chunk.length - at >= lengthBytes) {
        const length = this.#checked(u32At(chunk, at))
        at += lengthBytes
        if (chunk.length - at >= length) {
          this.#deliver(splitFrame(chunk.subarray(at, at + length)))
          at += length
        } else this.#begin(length)
      } else {
        this.#header[this.#headerBytes++] = chunk[at++] ?? 0
        if (this.#headerBytes === lengthBytes) {
          this.#headerBytes = 0
          this.#begin(this.#checked(u32At(this.#header, 0)))
        }
      }
    }
  }

  #checked(length: number): number {
    if (length < lengthBytes || length > this.#maxFrame)
      throw new MalformedFrame(`a frame of ${length} bytes; between ${lengthBytes} and ${this.#maxFrame} are allowed`)
    return length
  }

  #begin(length: number): void {
    // Zeroed pages cost nothing until they are written: a peer that only announces a big frame takes no memory.
    this.#partial = new Uint8Array(length)
    this.#partialBytes = 0
  }

  #fill(partial: Uint8Array, chunk: Uint8Array, at: number): number {
    const taken = Math.min(partial.length - this.#partialBytes, chunk.length - at)
    partial.set(taken === chunk.length ? chunk : chunk.subarray(at, at + taken), this.#partialBytes)
    this.#partialBytes += taken
    if (this.#partialBytes === partial.length) {
      this.#partial = undefined
      this.#deliver(splitFrame(partial))
    }
    return at + taken
  }
}
