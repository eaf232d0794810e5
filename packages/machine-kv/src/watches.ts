/** Watch requests and events (docs/formats/kv.md). */
import { ByteReader, ByteWriter, MalformedBytes } from '@conclave/interface'
import type { Entry } from './entry.ts'
import { decodeKey, type Interval, maxKeyBytes, writeByteString } from './keys.ts'

export interface KvWatch extends Interval {
  /** The first revision of interest; 0n: what comes after the present state of the asked node. */
  readonly fromRevision: bigint
  /** Events carry no values. */
  readonly keysOnly: boolean
}

export const encodeWatch = ({ fromRevision, keysOnly, from, to }: KvWatch): Uint8Array =>
  new ByteWriter()
    .u8(1)
    .u8(keysOnly ? 1 : 0)
    .u64(fromRevision)
    .bytes(from)
    .bytes(to)
    .take()

/** @throws MalformedBytes */
export const decodeWatch = (bytes: Uint8Array): KvWatch => {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  const flags = reader.u8()
  if (version !== 1 || flags > 1) throw new MalformedBytes(`a watch of version ${version} with flags ${flags}`)
  const fromRevision = BigInt(reader.u53())
  const from = reader.bytes(maxKeyBytes + 1)
  const to = reader.bytes(maxKeyBytes + 1)
  reader.end()
  return { fromRevision, keysOnly: flags === 1, from, to }
}

export type KvEvent =
  | {
      readonly type: 'put'
      readonly key: string
      readonly value: Uint8Array
      /** The revision of this write. */
      readonly revision: bigint
      readonly createRevision: bigint
      readonly version: number
    }
  | { readonly type: 'delete'; readonly key: string; readonly revision: bigint }

/** What one `Feed.poll` of a store gives. */
export type KvEvents =
  /** Every event of interest up to `revision` has now been told, `events` included: a later watch goes on from `revision` + 1. */
  | { readonly type: 'events'; readonly revision: bigint; readonly events: readonly KvEvent[] }
  /** The end: history before `oldest` is gone. */
  | { readonly type: 'compacted'; readonly oldest: bigint }

const kinds = { put: 1, delete: 2, compacted: 3 } as const

/** Collects the events of one poll. */
export class EventsWriter {
  readonly #body = new ByteWriter(256)
  #count = 0

  get length(): number {
    return this.#body.length
  }

  add(event: Entry, keysOnly: boolean): void {
    this.#count += 1
    const put = event.version > 0
    this.#body.u8(put ? kinds.put : kinds.delete).u53(event.modified)
    if (put) this.#body.u53(event.created).u53(event.version)
    const key = new Uint8Array(event.key.length)
    writeByteString(event.key, key, 0)
    this.#body.u16(key.length).raw(key)
    if (put) this.#body.bytes(keysOnly ? new Uint8Array(0) : event.value)
  }

  /** @param revision up to which everything has been told. */
  take(revision: number): Uint8Array {
    return new ByteWriter(this.#body.length + 16).u8(0).u53(revision).u32(this.#count).raw(this.#body.take()).take()
  }
}

export const encodeCompacted = (oldest: number): Uint8Array => new ByteWriter(16).u8(kinds.compacted).u53(oldest).take()

const readEvent = (reader: ByteReader): KvEvent => {
  const kind = reader.u8()
  const revision = reader.u64()
  if (kind === kinds.delete) return { type: 'delete', key: decodeKey(reader.raw(reader.u16())), revision }
  if (kind !== kinds.put) throw new MalformedBytes(`an event of kind ${kind}`)
  const createRevision = reader.u64()
  const version = reader.u53()
  const key = decodeKey(reader.raw(reader.u16()))
  return { type: 'put', key, value: reader.bytes(), revision, createRevision, version }
}

/** The values are views on `bytes`. @throws MalformedBytes */
export const decodeEvents = (bytes: Uint8Array): KvEvents => {
  const reader = new ByteReader(bytes)
  const kind = reader.u8()
  const revision = reader.u64()
  if (kind === kinds.compacted) return { type: 'compacted', oldest: revision }
  if (kind !== 0) throw new MalformedBytes(`events of kind ${kind}`)
  const events: KvEvent[] = []
  for (let left = reader.u32(); left > 0; left--) events.push(readEvent(reader))
  reader.end()
  return { type: 'events', revision, events }
}
