import {
  type Brand,
  ByteReader,
  ByteWriter,
  type Chunks,
  MalformedBytes,
  type Member,
  type Membership,
  type NodeId,
  nodeId,
} from '@conclave/interface'

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

/** Parses one entry, its payload included unless that is a batch, of which it is a view on `bytes`. @throws MalformedBytes. */
export const decodeEntry = (bytes: Uint8Array): Entry => {
  const reader = new ByteReader(bytes)
  const entryTerm = term(reader.u53())
  const kind = reader.u8()
  if (kind !== entryKind.batch && kind !== entryKind.reign && kind !== entryKind.members)
    throw new MalformedBytes(`a log entry of kind ${kind}`)
  const payload = bytes.subarray(headerBytes)
  // Once an entry is in the log it is too late to refuse it.
  if (kind === entryKind.reign) decodeReign(payload)
  else if (kind === entryKind.members) decodeMembers(payload)
  return { term: entryTerm, kind, payload, encoded: [bytes], size: bytes.length }
}

export const encodeReign = (leader: NodeId): Uint8Array => new ByteWriter().string(leader).take()

export const decodeReign = (payload: Uint8Array): NodeId => {
  const reader = new ByteReader(payload)
  const leader = readNodeId(reader)
  reader.end()
  return leader
}

export const readNodeId = (reader: ByteReader): NodeId => {
  const id = reader.string(128)
  if (id.length === 0) throw new MalformedBytes('an empty node id')
  return nodeId(id)
}

const mostMembers = 1_000
const mostAddresses = 32

export const writeMembership = (writer: ByteWriter, membership: Membership): void => {
  writer.u16(membership.members.length)
  for (const member of membership.members) {
    writer
      .string(member.id)
      .string(member.name)
      .u8(member.role === 'voter' ? 1 : 2)
      .u8(member.addresses.length)
    for (const address of member.addresses) writer.string(address)
  }
  writer.u16(membership.outgoing?.length ?? 0)
  for (const id of membership.outgoing ?? []) writer.string(id)
}

export const readMembership = (reader: ByteReader): Membership => {
  const count = reader.u16()
  if (count > mostMembers) throw new MalformedBytes(`a configuration of ${count} members`)
  const members: Member[] = []
  for (let i = 0; i < count; i++) members.push(readMember(reader))
  const outgoing: NodeId[] = []
  const leaving = reader.u16()
  if (leaving > mostMembers) throw new MalformedBytes(`a configuration with ${leaving} outgoing members`)
  for (let i = 0; i < leaving; i++) outgoing.push(readNodeId(reader))
  return outgoing.length === 0 ? { members } : { members, outgoing }
}

export const decodeMembers = (payload: Uint8Array): Membership => {
  const reader = new ByteReader(payload)
  const membership = readMembership(reader)
  reader.end()
  return membership
}

const readMember = (reader: ByteReader): Member => {
  const id = readNodeId(reader)
  const name = reader.string(128)
  const role = reader.u8()
  if (role !== 1 && role !== 2) throw new MalformedBytes(`a member with role ${role}`)
  const count = reader.u8()
  if (count > mostAddresses) throw new MalformedBytes(`a member with ${count} addresses`)
  const addresses: string[] = []
  for (let i = 0; i < count; i++) addresses.push(reader.string(1024))
  return { id, name, addresses, role: role === 1 ? 'voter' : 'learner' }
}
