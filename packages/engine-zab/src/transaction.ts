import { decodeMembers, readNodeId } from '@conclave/engine-parts'
import { ByteReader, ByteWriter, type Chunks, MalformedBytes, type NodeId } from '@conclave/interface'
import { readZxid, writeZxid, type Zxid, zxidBytes } from './zxid.ts'

/** What a transaction holds. The numbers stand on disk and on the wire. */
export const transactionKind = { batch: 1, reign: 2, members: 3 } as const
export type TransactionKind = (typeof transactionKind)[keyof typeof transactionKind]

/** One transaction of the history. `encoded` is what goes to the journal and, length first, into PROPOSE: header and payload. */
export interface Transaction {
  readonly zxid: Zxid
  readonly kind: TransactionKind
  readonly payload: Uint8Array
  readonly encoded: Chunks
  /** Length of `encoded` in bytes. */
  readonly size: number
}

/** `zxid · kind u8`, then the payload. */
export const transactionHeadBytes = zxidBytes + 1

export const makeTransaction = (zxid: Zxid, kind: TransactionKind, payload: Uint8Array): Transaction => {
  const header = writeZxid(new ByteWriter(transactionHeadBytes), zxid).u8(kind).take()
  return { zxid, kind, payload, encoded: [header, payload], size: transactionHeadBytes + payload.length }
}

/**
 * Parses one transaction, its payload included unless that is a batch, of which it is a view on `bytes`.
 * @throws MalformedBytes.
 */
export const decodeTransaction = (bytes: Uint8Array): Transaction => {
  const reader = new ByteReader(bytes)
  const zxid = readZxid(reader)
  const kind = reader.u8()
  if (zxid.epoch === 0 || zxid.counter === 0)
    throw new MalformedBytes(`a transaction with zxid ${zxid.epoch}.${zxid.counter}`)
  if (kind !== transactionKind.batch && kind !== transactionKind.reign && kind !== transactionKind.members)
    throw new MalformedBytes(`a transaction of kind ${kind}`)
  const payload = bytes.subarray(transactionHeadBytes)
  // Once a transaction is in the history it is too late to refuse it.
  if (kind === transactionKind.reign) decodeReign(payload)
  else if (kind === transactionKind.members) decodeMembers(payload)
  return { zxid, kind, payload, encoded: [bytes], size: bytes.length }
}

export const encodeReign = (leader: NodeId): Uint8Array => new ByteWriter().string(leader).take()

export const decodeReign = (payload: Uint8Array): NodeId => {
  const reader = new ByteReader(payload)
  const leader = readNodeId(reader)
  reader.end()
  return leader
}
