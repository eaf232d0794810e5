import {
  ByteReader,
  ByteWriter,
  MalformedBytes,
  type Member,
  type Membership,
  type NodeId,
  nodeId,
} from '@conclave/interface'
import { mostAddresses } from '@conclave/quorum'

/** Bounds of a configuration; readers check them too. */
export const mostMembers = 1_000
const mostAddressBytes = 1_024
/** Together, so that a snapshot header stays below 64 KiB. */
export const mostConfigurationBytes = 60 << 10

const roles = { voter: 1, learner: 2, promoting: 3 } as const

const roleOf = ({ role, promote }: Member): number =>
  role === 'voter' ? roles.voter : promote === true ? roles.promoting : roles.learner

/** @throws MalformedBytes if there is none, or it is longer than any. */
export const readNodeId = (reader: ByteReader): NodeId => {
  const id = reader.string(128)
  if (id.length === 0) throw new MalformedBytes('an empty node id')
  return nodeId(id)
}

/** `members u16, then each: id string · name string · role u8 · addresses u8, then strings`, then the outgoing ones and, if there are any, the removed ones. */
export const writeMembership = (writer: ByteWriter, membership: Membership): void => {
  writer.u16(membership.members.length)
  for (const member of membership.members) {
    writer.string(member.id).string(member.name).u8(roleOf(member)).u8(member.addresses.length)
    for (const address of member.addresses) writer.string(address)
  }
  writeIds(writer, membership.outgoing ?? [])
  // Left out if there are none: an earlier release, which knows of no removals, can then read it.
  if (membership.removed !== undefined && membership.removed.length > 0) writeIds(writer, membership.removed)
}

const writeIds = (writer: ByteWriter, ids: readonly NodeId[]): void => {
  writer.u16(ids.length)
  for (const id of ids) writer.string(id)
}

/**
 * Reads a configuration that ends where the bytes end.
 * @param newest 1: refuses what releases that speak only version 1 did not know, learners on their way to voter and removed members.
 * @throws MalformedBytes.
 */
export const readMembership = (reader: ByteReader, newest: 1 | 2 = 2): Membership => {
  const count = reader.u16()
  if (count > mostMembers) throw new MalformedBytes(`a configuration of ${count} members`)
  const members: Member[] = []
  for (let i = 0; i < count; i++) members.push(readMember(reader, newest))
  const outgoing = readIds(reader, 'outgoing')
  const removed = newest > 1 && reader.left > 0 ? readIds(reader, 'removed') : []
  reader.end()
  return { members, ...(outgoing.length > 0 && { outgoing }), ...(removed.length > 0 && { removed }) }
}

const readIds = (reader: ByteReader, what: string): NodeId[] => {
  const count = reader.u16()
  if (count > mostMembers) throw new MalformedBytes(`a configuration with ${count} ${what} members`)
  return Array.from({ length: count }, () => readNodeId(reader))
}

export const encodeMembers = (membership: Membership): Uint8Array => {
  const writer = new ByteWriter(256)
  writeMembership(writer, membership)
  return writer.take()
}

/** @throws MalformedBytes. */
export const decodeMembers = (payload: Uint8Array, newest: 1 | 2 = 2): Membership =>
  readMembership(new ByteReader(payload), newest)

const readMember = (reader: ByteReader, newest: 1 | 2): Member => {
  const id = readNodeId(reader)
  const name = reader.string(128)
  const role = reader.u8()
  if (role < roles.voter || role > (newest > 1 ? roles.promoting : roles.learner))
    throw new MalformedBytes(`a member with role ${role}`)
  const count = reader.u8()
  if (count > mostAddresses) throw new MalformedBytes(`a member with ${count} addresses`)
  const addresses = Array.from({ length: count }, () => reader.string(mostAddressBytes))
  const member = { id, name, addresses }
  if (role === roles.voter) return { ...member, role: 'voter' }
  return role === roles.learner ? { ...member, role: 'learner' } : { ...member, role: 'learner', promote: true }
}
