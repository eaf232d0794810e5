import {
  type ByteReader,
  type ByteWriter,
  MalformedBytes,
  type Member,
  type MemberRole,
  type Membership,
  type MembershipChange,
  mostRemoved,
  type NodeId,
  type Peer,
} from '@conclave/interface'
import { count, maxNameBytes, pick, readAddresses, readNodeId, times, writeAddresses } from './fields.ts'

/** Members that a cluster may have, learners included. */
export const maxMembers = 64
export const maxReasonBytes = 1024

const changeTypes = ['add', 'promote', 'remove', 'update'] as const
const roles = ['voter', 'learner'] as const
/** A learner that becomes a voter by itself. */
const promoted = 3

const writePeer = (writer: ByteWriter, { id, name, addresses }: Peer): ByteWriter =>
  writeAddresses(writer.string(id).string(name), addresses)

const readPeer = (reader: ByteReader): Peer => ({
  id: readNodeId(reader),
  name: reader.string(maxNameBytes),
  addresses: readAddresses(reader),
})

const writeRole = (writer: ByteWriter, role: MemberRole): ByteWriter => writer.u8(roles.indexOf(role) + 1)
const readRole = (reader: ByteReader): MemberRole => pick(roles, reader.u8() - 1, 'role')

/** `type u8 · body`; see docs/formats/client.md. */
export const writeChange = (writer: ByteWriter, change: MembershipChange): ByteWriter => {
  writer.u8(changeTypes.indexOf(change.type) + 1)
  switch (change.type) {
    case 'add':
      return writeRole(writePeer(writer, change.member), change.role)
    case 'promote':
    case 'remove':
      return writer.string(change.id)
    case 'update':
      return writePeer(writer, change.member)
  }
}

/** @throws MalformedBytes */
export const readChange = (reader: ByteReader): MembershipChange => {
  const type = pick(changeTypes, reader.u8() - 1, 'change')
  switch (type) {
    case 'add':
      return { type, member: readPeer(reader), role: readRole(reader) }
    case 'promote':
    case 'remove':
      return { type, id: readNodeId(reader) }
    case 'update':
      return { type, member: readPeer(reader) }
  }
}

const writeMember = (writer: ByteWriter, member: Member): ByteWriter => {
  writePeer(writer, member)
  return member.promote === true ? writer.u8(promoted) : writeRole(writer, member.role)
}

const readMember = (reader: ByteReader): Member => {
  const peer = readPeer(reader)
  const role = reader.u8()
  if (role === promoted) return { ...peer, role: 'learner', promote: true }
  return { ...peer, role: pick(roles, role - 1, 'role') }
}

const readIds = (reader: ByteReader, most: number, what: string): NodeId[] =>
  times(count(reader.u16(), most, what), () => readNodeId(reader))

/** The latest of the removed are told if there is no room for all. */
export const writeMembership = (writer: ByteWriter, { members, outgoing, removed }: Membership): ByteWriter => {
  writer.u8(members.length)
  for (const member of members) writeMember(writer, member)
  for (const ids of [outgoing ?? [], (removed ?? []).slice(-mostRemoved)]) {
    writer.u16(ids.length)
    for (const id of ids) writer.string(id)
  }
  return writer
}

/** @throws MalformedBytes */
export const readMembership = (reader: ByteReader): Membership => {
  const members = times(count(reader.u8(), maxMembers, 'members'), () => readMember(reader))
  const outgoing = readIds(reader, maxMembers, 'outgoing voters')
  const removed = readIds(reader, mostRemoved, 'removed members')
  if (new Set(members.map(({ id }) => id)).size < members.length) throw new MalformedBytes('a member is listed twice')
  return {
    members,
    ...(outgoing.length > 0 && { outgoing }),
    ...(removed.length > 0 && { removed }),
  }
}
