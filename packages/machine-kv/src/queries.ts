/** The queries of the store and their replies (docs/formats/kv.md). Every reply carries the store's revision at which it was read. */
import { ByteReader, ByteWriter, MalformedBytes } from '@conclave/interface'
import { kvStatus } from './commands.ts'
import type { Entry } from './entry.ts'
import { decodeKey, type Interval, maxKeyBytes, successor, writeByteString } from './keys.ts'

export const kvQueries = { get: 1, list: 2, count: 3, info: 4 } as const

/** Bytes of a list's reply, but for its last entry: a page ends at the first entry that passes it. */
export const maxListBytes = 1024 * 1024
/** Entries of one page. */
export const maxListEntries = 65_536

export type KvQuery =
  | { readonly type: 'get'; readonly key: Uint8Array }
  /** @see maxListBytes */
  | ({ readonly type: 'list'; readonly limit: number; readonly keysOnly: boolean } & Interval)
  | ({ readonly type: 'count' } & Interval)
  | { readonly type: 'info' }

export const encodeQuery = (query: KvQuery): Uint8Array => {
  const writer = new ByteWriter().u8(kvQueries[query.type])
  switch (query.type) {
    case 'get':
      return writer.raw(query.key).take()
    case 'list':
      return writer
        .bytes(query.from)
        .bytes(query.to)
        .u32(query.limit)
        .u8(query.keysOnly ? 1 : 0)
        .take()
    case 'count':
      return writer.bytes(query.from).bytes(query.to).take()
    case 'info':
      return writer.take()
  }
}

const readInterval = (reader: ByteReader): Interval => ({
  // A page may begin at the successor of the longest key.
  from: reader.bytes(maxKeyBytes + 1),
  to: reader.bytes(maxKeyBytes + 1),
})

/** @throws MalformedBytes */
export const decodeQuery = (bytes: Uint8Array): KvQuery => {
  const reader = new ByteReader(bytes)
  const type = reader.u8()
  const query = readQuery(type, reader)
  reader.end()
  return query
}

const readQuery = (type: number, reader: ByteReader): KvQuery => {
  switch (type) {
    case kvQueries.get: {
      if (reader.left === 0 || reader.left > maxKeyBytes) throw new MalformedBytes(`a key of ${reader.left} bytes`)
      return { type: 'get', key: reader.raw(reader.left) }
    }
    case kvQueries.list: {
      const interval = readInterval(reader)
      const limit = reader.u32()
      const keysOnly = reader.u8()
      if (limit === 0 || keysOnly > 1) throw new MalformedBytes(`a list with limit ${limit} and flags ${keysOnly}`)
      return { type: 'list', ...interval, limit, keysOnly: keysOnly === 1 }
    }
    case kvQueries.count:
      return { type: 'count', ...readInterval(reader) }
    case kvQueries.info:
      return { type: 'info' }
    default:
      throw new MalformedBytes(`a query of type ${type}`)
  }
}

/** An entry as the API shows it. */
export interface KvEntry {
  readonly key: string
  readonly value: Uint8Array
  /** The revision that made the key. */
  readonly createRevision: bigint
  /** The revision that wrote this value: what `ifRevision` compares. */
  readonly modRevision: bigint
  /** 1 for the revision that made the key, one more with each put since. */
  readonly version: number
}

export interface GetReply {
  readonly revision: bigint
  readonly entry?: KvEntry
}
export interface ListReply {
  readonly revision: bigint
  /** In byte order of the keys. Without values if `keysOnly`. */
  readonly entries: readonly KvEntry[]
  /** There are more: where the next page begins. */
  readonly next?: Uint8Array
}
export interface CountReply {
  readonly revision: bigint
  readonly count: number
}
export interface InfoReply {
  readonly revision: bigint
  readonly keys: number
  /** Watches can begin at this revision or later. */
  readonly oldest: bigint
}

const writeEntry = (writer: ByteWriter, entry: Entry, keysOnly: boolean): void => {
  writer.u53(entry.created).u53(entry.modified).u53(entry.version).u16(entry.key.length)
  const key = new Uint8Array(entry.key.length)
  writeByteString(entry.key, key, 0)
  writer.raw(key)
  if (!keysOnly) writer.bytes(entry.value)
}

const readEntry = (reader: ByteReader, keysOnly: boolean): { entry: KvEntry; key: Uint8Array } => {
  const createRevision = reader.u64()
  const modRevision = reader.u64()
  const version = reader.u53()
  const key = reader.raw(reader.u16())
  const value = keysOnly ? new Uint8Array(0) : reader.bytes()
  return { entry: { key: decodeKey(key), value, createRevision, modRevision, version }, key }
}

export const encodeGetReply = (revision: number, entry: Entry | undefined): Uint8Array => {
  const writer = new ByteWriter(entry === undefined ? 16 : 64 + entry.key.length + entry.value.length)
  writer
    .u8(kvStatus.done)
    .u53(revision)
    .u8(entry === undefined ? 0 : 1)
  if (entry !== undefined) writeEntry(writer, entry, false)
  return writer.take()
}

/** Takes entries until `limit`, `to` or the bound of a page is reached. */
export const encodeListReply = (
  revision: number,
  entries: Iterable<Entry>,
  to: string,
  limit: number,
  keysOnly: boolean,
): Uint8Array => {
  const body = new ByteWriter(1024)
  const most = Math.min(limit, maxListEntries)
  let count = 0
  let more = false
  for (const entry of entries) {
    if (to !== '' && entry.key >= to) break
    const size = 30 + entry.key.length + (keysOnly ? 0 : entry.value.length)
    if (count >= most || (count > 0 && body.length + size > maxListBytes)) {
      more = true
      break
    }
    writeEntry(body, entry, keysOnly)
    count += 1
  }
  const flags = (more ? 1 : 0) | (keysOnly ? 2 : 0)
  return new ByteWriter(body.length + 16).u8(kvStatus.done).u53(revision).u8(flags).u32(count).raw(body.take()).take()
}

export const encodeCountReply = (revision: number, count: number): Uint8Array =>
  new ByteWriter(24).u8(kvStatus.done).u53(revision).u53(count).take()

export const encodeInfoReply = (revision: number, keys: number, oldest: number): Uint8Array =>
  new ByteWriter(32).u8(kvStatus.done).u53(revision).u53(keys).u53(oldest).take()

const startReply = (reply: Uint8Array): { reader: ByteReader; revision: bigint } => {
  const reader = new ByteReader(reply)
  const status = reader.u8()
  if (status !== kvStatus.done) throw new MalformedBytes(`the store refused the query with status ${status}`)
  return { reader, revision: reader.u64() }
}

/** The value is a view on `reply`. @throws MalformedBytes, also if the store did not understand the query. */
export const decodeGetReply = (reply: Uint8Array): GetReply => {
  const { reader, revision } = startReply(reply)
  if (reader.u8() === 0) return { revision }
  const { entry } = readEntry(reader, false)
  reader.end()
  return { revision, entry }
}

/** The values are views on `reply`. @throws MalformedBytes, also if the store did not understand the query. */
export const decodeListReply = (reply: Uint8Array): ListReply => {
  const { reader, revision } = startReply(reply)
  const flags = reader.u8()
  const entries: KvEntry[] = []
  let last: Uint8Array = new Uint8Array(0)
  for (let left = reader.u32(); left > 0; left--) {
    const { entry, key } = readEntry(reader, (flags & 2) !== 0)
    entries.push(entry)
    last = key
  }
  reader.end()
  return (flags & 1) === 0 ? { revision, entries } : { revision, entries, next: successor(last) }
}

/** @throws MalformedBytes, also if the store did not understand the query. */
export const decodeCountReply = (reply: Uint8Array): CountReply => {
  const { reader, revision } = startReply(reply)
  return { revision, count: reader.u53() }
}

/** @throws MalformedBytes, also if the store did not understand the query. */
export const decodeInfoReply = (reply: Uint8Array): InfoReply => {
  const { reader, revision } = startReply(reply)
  return { revision, keys: reader.u53(), oldest: reader.u64() }
}
