import { decodeMembers, readNodeId } from '@conclave/engine-parts'
import { type Brand, ByteReader, ByteWriter, type Chunks, MalformedBytes, type NodeId } from '@conclave/interface'

/** A Raft term: rises with every election, never falls. */
export type Term = Brand<number, 'Term'>

export const term = (value: number): Term => {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new MalformedBytes(`a term is a safe integer of at least 0, got ${value}`)
  return value as Term
}

/** What a log entry holds. The numbers stand on disk and on the wire. */
export const entryKind = { batch: 1, reign: 2, members: 3 } as const
export type EntryKind = (typeof entryKind)[keyof typeof entryKind]

/** One log entry. `encoded` is what goes to the journal and, length first, into AppendEntries: header and payload. */
export interface Entry {
  readonly term: Term
  readonly kind: EntryKind
  readonly payload: Uint8Array
  readonly encoded: Chunks
  /** Length of `encoded` in bytes. */
  readonly size: number
}

/** `term u53 · kind u8`, then the payload. */
const headerBytes = 9

export const makeEntry = (term: Term, kind: EntryKind, payload: Uint8Array): Entry => {
  const header = new ByteWriter(headerBytes).u53(term).u8(kind).take()
  return { term, kind, payload, encoded: [header, payload], size: headerBytes + payload.length }
}

/**
 * Parses one entry, its payload included unless that is a batch, of which it is a view on `bytes`.
 * @param newest the newest version that the reader knows, see `readMembership`.
 * @throws MalformedBytes.
 */
export const decodeEntry = (bytes: Uint8Array, newest: 1 | 2 = 2): Entry => {
  const reader = new ByteReader(bytes)
  const entryTerm = term(reader.u53())
  const kind = reader.u8()
  if (kind !== entryKind.batch && kind !== entryKind.reign && kind !== entryKind.members)
    throw new MalformedBytes(`a log entry of kind ${kind}`)
  const payload = bytes.subarray(headerBytes)
  // Once an entry is in the log it is too late to refuse it.
  if (kind === entryKind.reign) decodeReign(payload)
  else if (kind === entryKind.members) decodeMembers(payload, newest)
  return { term: entryTerm, kind, payload, encoded: [bytes], size: bytes.length }
}

export const encodeReign = (leader: NodeId): Uint8Array => new ByteWriter().string(leader).take()

export const decodeReign = (payload: Uint8Array): NodeId => {
  const reader = new ByteReader(payload)
  const leader = readNodeId(reader)
  reader.end()
  return leader
}
