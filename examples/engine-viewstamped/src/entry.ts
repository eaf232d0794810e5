import {
  type Brand,
  ByteReader,
  ByteWriter,
  type Chunks,
  MalformedBytes,
  type NodeId,
  nodeId,
} from '@conclave/interface'

/** A view-number (section 4): rises with every view change, never falls. 0 is before the first view. */
export type View = Brand<number, 'View'>

export const view = (value: number): View => {
  if (!Number.isSafeInteger(value) || value < 0) throw new MalformedBytes(`a view-number of ${value}`)
  return value as View
}

/** What a log entry holds. The numbers stand on disk and on the wire. */
export const entryKind = { batch: 1, reign: 2 } as const
export type EntryKind = (typeof entryKind)[keyof typeof entryKind]

/**
 * One operation of the log, with the view in which a primary gave it its op-number: a viewstamp. `encoded` is what goes to the journal and, length
 * first, into messages.
 */
export interface Entry {
  readonly view: View
  readonly kind: EntryKind
  readonly payload: Uint8Array
  readonly encoded: Chunks
  /** Length of `encoded` in bytes. */
  readonly size: number
}

/** `view u53 · kind u8`, then the payload. */
export const entryHeadBytes = 9

export const makeEntry = (of: View, kind: EntryKind, payload: Uint8Array): Entry => {
  const head = new ByteWriter(entryHeadBytes).u53(of).u8(kind).take()
  return { view: of, kind, payload, encoded: [head, payload], size: entryHeadBytes + payload.length }
}

/** The entry that begins a view. It names the primary. */
export const makeReign = (of: View, primary: NodeId): Entry =>
  makeEntry(of, entryKind.reign, new ByteWriter().string(primary).take())

/** Parses one entry; its payload is a view on `bytes`. @throws MalformedBytes. */
export const decodeEntry = (bytes: Uint8Array): Entry => {
  const reader = new ByteReader(bytes)
  const of = view(reader.u53())
  const kind = reader.u8()
  if (of === 0) throw new MalformedBytes('an entry of view 0, in which nothing can be proposed')
  if (kind !== entryKind.batch && kind !== entryKind.reign) throw new MalformedBytes(`a log entry of kind ${kind}`)
  const payload = bytes.subarray(entryHeadBytes)
  if (kind === entryKind.reign) decodeReign(payload) // once it is in the log it is too late to refuse it
  return { view: of, kind, payload, encoded: [bytes], size: bytes.length }
}

/** @throws MalformedBytes. */
export const decodeReign = (payload: Uint8Array): NodeId => {
  const reader = new ByteReader(payload)
  const primary = reader.string(128)
  reader.end()
  if (primary.length === 0) throw new MalformedBytes('a reign of nobody')
  return nodeId(primary)
}
