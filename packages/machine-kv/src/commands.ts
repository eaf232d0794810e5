/**
 * The commands of the store and their replies (docs/formats/kv.md). Operation numbers 3 (transaction) and 4 (compaction) are reserved.
 */
import { ByteReader, MalformedBytes } from '@conclave/interface'
import { type ByteString, maxKeyBytes, maxValueBytes, toByteString } from './keys.ts'

export const kvOperations = { put: 1, delete: 2 } as const
/** Status bytes of replies to commands and queries. */
export const kvStatus = { done: 0, mismatch: 1, malformed: 2, unsupported: 3 } as const

/** The key's `modRevision` that a write requires; 0n: the key must not exist. Absent: whatever is there. */
export type Condition = bigint | undefined

const maxRevision = BigInt(Number.MAX_SAFE_INTEGER)

const checkRevision = (revision: bigint): number => {
  if (revision < 0n || revision > maxRevision)
    throw new RangeError(`a revision lies between 0 and 2^53 - 1, got ${revision}`)
  return Number(revision)
}

const writeU53 = (bytes: Uint8Array, at: number, value: number): void => {
  let low = value >>> 0
  let high = Math.floor(value / 0x1_0000_0000)
  for (let i = 0; i < 4; i++, low >>>= 8, high >>>= 8) {
    bytes[at + i] = low & 0xff
    bytes[at + 4 + i] = high & 0xff
  }
}

const readU53 = (bytes: Uint8Array, at: number): number => {
  let low = 0
  let high = 0
  for (let i = 3; i >= 0; i--) {
    low = low * 256 + (bytes[at + i] ?? 0)
    high = high * 256 + (bytes[at + 4 + i] ?? 0)
  }
  return high * 0x1_0000_0000 + low
}

const encodeWrite = (operation: number, key: Uint8Array, ifRevision: Condition, value: number): Uint8Array => {
  if (key.length === 0 || key.length > maxKeyBytes)
    throw new RangeError(`a key has 1 to ${maxKeyBytes} bytes, got ${key.length}`)
  const conditional = ifRevision !== undefined
  const start = conditional ? 10 : 2
  const bytes = new Uint8Array(start + 2 + key.length + value)
  bytes[0] = operation
  bytes[1] = conditional ? 1 : 0
  if (conditional) writeU53(bytes, 2, checkRevision(ifRevision))
  bytes[start] = key.length & 0xff
  bytes[start + 1] = key.length >>> 8
  bytes.set(key, start + 2)
  return bytes
}

/** @throws RangeError if key, value or revision exceed their bounds. */
export const encodePut = (key: Uint8Array, value: Uint8Array, ifRevision?: bigint): Uint8Array => {
  if (value.length > maxValueBytes)
    throw new RangeError(`a value has at most ${maxValueBytes} bytes, got ${value.length}`)
  const bytes = encodeWrite(kvOperations.put, key, ifRevision, value.length)
  bytes.set(value, bytes.length - value.length)
  return bytes
}

/** @throws RangeError if key or revision exceed their bounds. */
export const encodeDelete = (key: Uint8Array, ifRevision?: bigint): Uint8Array =>
  encodeWrite(kvOperations.delete, key, ifRevision, 0)

export interface KvCommand {
  readonly operation: 'put' | 'delete'
  readonly key: ByteString
  /** A view on the command. Empty for a deletion. */
  readonly value: Uint8Array
  /** The required `modRevision`, or -1 for any. */
  readonly condition: number
}

/** @returns the command, or the status that its reply carries. Never throws. */
export const decodeCommand = (bytes: Uint8Array): KvCommand | 'malformed' | 'unsupported' => {
  const operation = bytes[0]
  if (operation !== kvOperations.put && operation !== kvOperations.delete)
    return operation === undefined ? 'malformed' : 'unsupported'
  const flags = bytes[1]
  if (flags !== 0 && flags !== 1) return 'malformed'
  const start = flags === 1 ? 10 : 2
  if (bytes.length < start + 3) return 'malformed'
  const condition = flags === 1 ? readU53(bytes, 2) : -1
  const keyLength = (bytes[start] ?? 0) | ((bytes[start + 1] ?? 0) << 8)
  const end = start + 2 + keyLength
  if (keyLength === 0 || keyLength > maxKeyBytes || end > bytes.length || !Number.isSafeInteger(condition))
    return 'malformed'
  const key = toByteString(bytes, start + 2, end)
  if (operation === kvOperations.delete) {
    return end === bytes.length ? { operation: 'delete', key, value: bytes.subarray(end), condition } : 'malformed'
  }
  if (bytes.length - end > maxValueBytes) return 'malformed'
  return { operation: 'put', key, value: bytes.subarray(end), condition }
}

export type WriteReply =
  /** `revision` is that of the store after the write, `previous` the `modRevision` of what was there before; 0n: nothing was. */
  | { readonly status: 'done'; readonly revision: bigint; readonly previous: bigint }
  /** Nothing was written: the key's `modRevision` is `current`; 0n: it does not exist. */
  | { readonly status: 'mismatch'; readonly current: bigint }
  /** Nothing was written: the command does not parse, or this version of the store does not know its operation. */
  | { readonly status: 'malformed' | 'unsupported' }

export const encodeDone = (revision: number, previous: number): Uint8Array => {
  const bytes = new Uint8Array(17)
  writeU53(bytes, 1, revision)
  writeU53(bytes, 9, previous)
  return bytes
}

export const encodeMismatch = (current: number): Uint8Array => {
  const bytes = new Uint8Array(9)
  bytes[0] = kvStatus.mismatch
  writeU53(bytes, 1, current)
  return bytes
}

export const encodeRefusal = (status: 'malformed' | 'unsupported'): Uint8Array => Uint8Array.of(kvStatus[status])

/** Reads the reply to a put or a deletion. @throws MalformedBytes */
export const decodeWriteReply = (reply: Uint8Array): WriteReply => {
  const reader = new ByteReader(reply)
  const status = reader.u8()
  switch (status) {
    case kvStatus.done: {
      const done = { status: 'done', revision: reader.u64(), previous: reader.u64() } as const
      reader.end()
      return done
    }
    case kvStatus.mismatch: {
      const mismatch = { status: 'mismatch', current: reader.u64() } as const
      reader.end()
      return mismatch
    }
    case kvStatus.malformed:
      return { status: 'malformed' }
    case kvStatus.unsupported:
      return { status: 'unsupported' }
    default:
      throw new MalformedBytes(`a reply of status ${status}`)
  }
}
