/**
 * Keys. At the API a key is a string; on the wire and in the log it is its UTF-8; inside the store it is a *byte string*: one character
 * (0 to 255) for each byte. Byte strings compare with `<` in byte order, which UTF-16 strings do not, hash well, and cost one byte a character.
 */

import { copyBytes } from '@conclave/interface'

/** Bytes of a key: 1 to this. */
export const maxKeyBytes = 1024
/** Bytes of a value: 0 to this. */
export const maxValueBytes = 1024 * 1024

declare const byteString: unique symbol
export type ByteString = string & { readonly [byteString]: true }

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** @returns the bytes from `start` to `end` as a byte string. The range holds at most a few KiB. */
export const toByteString = (bytes: Uint8Array, start = 0, end = bytes.length): ByteString =>
  String.fromCharCode.apply(null, bytes.subarray(start, end) as unknown as number[]) as ByteString

/** Writes `key` into `target` from `at` on. @returns the offset behind it. */
export const writeByteString = (key: ByteString, target: Uint8Array, at: number): number => {
  for (let i = 0; i < key.length; i++) target[at + i] = key.charCodeAt(i)
  return at + key.length
}

export const fromByteString = (key: ByteString): Uint8Array => {
  const bytes = new Uint8Array(key.length)
  writeByteString(key, bytes, 0)
  return bytes
}

/**
 * The bytes of a key.
 * @throws RangeError if it is empty, longer than 1,024 bytes of UTF-8, or has a lone surrogate (which has no UTF-8).
 */
export const encodeKey = (key: string): Uint8Array => {
  const bytes = encodeBound(key)
  if (bytes.length === 0) throw new RangeError('a key must not be empty')
  return bytes
}

/** A key, or the end of an interval or a prefix, which may be empty. @throws RangeError as `encodeKey`. */
export const encodeBound = (bound: string): Uint8Array => {
  if (!bound.isWellFormed()) throw new RangeError('a key must be well-formed Unicode: it holds a lone surrogate')
  const bytes = encoder.encode(bound)
  if (bytes.length > maxKeyBytes) {
    throw new RangeError(`a key has at most ${maxKeyBytes} bytes of UTF-8, this one has ${bytes.length}`)
  }
  return bytes
}

/** Bytes that are no UTF-8 (put by something else than `encodeKey`) become U+FFFD. */
export const decodeKey = (bytes: Uint8Array): string => decoder.decode(bytes)

/** Keys from `from` (inclusive) to `to` (exclusive), in byte order. An empty `to` has no end; an empty `from` is the beginning. */
export interface Interval {
  readonly from: Uint8Array
  readonly to: Uint8Array
}

/** Everything that starts with `prefix`; an empty prefix is everything. */
export const prefixInterval = (prefix: Uint8Array): Interval => {
  let length = prefix.length
  while (length > 0 && prefix[length - 1] === 0xff) length--
  const to = copyBytes(prefix.subarray(0, length))
  const last = to[length - 1]
  if (last !== undefined) to[length - 1] = last + 1
  return { from: prefix, to }
}

/** The one key. */
export const keyInterval = (key: Uint8Array): Interval => ({ from: key, to: successor(key) })

/** The least key above `key`: where the next page of a list begins. */
export const successor = (key: Uint8Array): Uint8Array => {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}
