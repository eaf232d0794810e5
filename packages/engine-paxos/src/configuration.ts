import {
  assert,
  ByteReader,
  ByteWriter,
  MalformedBytes,
  type Member,
  type Membership,
  mostRemoved,
  type NodeId,
  nodeId,
} from '@conclave/interface'
import { flexible, intersects, majority, mostAddresses, type Quorum } from '@conclave/quorum'
import { mostOrdinal } from './ballot.ts'

/** How many of so many voters phase 1 and phase 2 need. They must intersect: phase1 + phase2 > voters. */
export type QuorumSizes = (voters: number) => { readonly phase1: number; readonly phase2: number }

/**
 * One configuration of the chain. It governs the slots from the one after the stop-sign that named it, up to its own stop-sign.
 * The founders' is number 0.
 */
export interface Configuration {
  readonly number: number
  readonly membership: Membership
  /** Each member's part of its ballots. Kept for ever, never given twice. */
  readonly ordinals: ReadonlyMap<NodeId, number>
  /** The ordinal of the next member that joins. */
  readonly nextOrdinal: number
}

/** The founders count from 1 in the order of their ids (by UTF-16 code unit): the same on every founder. */
export const foundingConfiguration = (membership: Membership): Configuration => {
  const ids = membership.members.map(({ id }) => id).sort()
  assert(new Set(ids).size === ids.length, 'a founder is named twice')
  return {
    number: 0,
    membership,
    ordinals: new Map(ids.map((id, i) => [id, i + 1])),
    nextOrdinal: ids.length + 1,
  }
}

/** The configuration that follows, with these members: whoever is new gets the next ordinals. */
export const nextConfiguration = (before: Configuration, membership: Membership): Configuration => {
  const ordinals = new Map<NodeId, number>()
  let { nextOrdinal } = before
  for (const { id } of membership.members) ordinals.set(id, before.ordinals.get(id) ?? nextOrdinal++)
  return { number: before.number + 1, membership, ordinals, nextOrdinal }
}

export const votersOfConfiguration = ({ membership }: Configuration): readonly NodeId[] =>
  membership.members.filter(({ role }) => role === 'voter').map(({ id }) => id)

export const isVoter = ({ membership }: Configuration, id: NodeId): boolean =>
  membership.members.some((member) => member.id === id && member.role === 'voter')

/** The quorums of the two phases (Flexible Paxos, section 3: only these two need to intersect). */
export interface Quorums {
  readonly phase1: Quorum
  readonly phase2: Quorum
}

/** @throws AssertionFailed if sizes are given and some quorum of phase 1 misses some quorum of phase 2. */
export const quorumsOf = (configuration: Configuration, sizes: QuorumSizes | undefined): Quorums => {
  const voters = votersOfConfiguration(configuration)
  if (sizes === undefined || voters.length === 0) return { phase1: majority(voters), phase2: majority(voters) }
  const fault = quorumFault(voters.length, sizes)
  assert(fault === undefined, fault ?? '')
  const { phase1, phase2 } = sizes(voters.length)
  const quorums = { phase1: flexible(voters, phase1), phase2: flexible(voters, phase2) }
  assert(intersects(quorums.phase1, quorums.phase2), 'the quorums of the two phases do not intersect')
  return quorums
}

/** What is wrong with these sizes for so many voters; undefined if nothing is. */
export const quorumFault = (voters: number, sizes: QuorumSizes): string | undefined => {
  const { phase1, phase2 } = sizes(voters)
  for (const need of [phase1, phase2])
    if (!Number.isInteger(need) || need < 1 || need > voters)
      return `a quorum of ${need} out of ${voters} voters; it takes a whole number from 1 to ${voters}`
  if (phase1 + phase2 > voters) return undefined
  return `quorums of ${phase1} in phase 1 and ${phase2} in phase 2 of ${voters} voters do not intersect: together they must exceed ${voters}`
}

// ---- bytes --------------------------------------------------------------------------------------------------------------------------

export const mostMembers = 1_000
/** Leaves room for the rest of a snapshot's header, which has 64 KiB. */
export const mostConfigurationBytes = 60_000
const roles = { voter: 1, learner: 2, promoted: 3 } as const

export const encodeConfiguration = (configuration: Configuration): Uint8Array => {
  const writer = new ByteWriter(256)
  writeConfiguration(writer, configuration)
  return writer.take()
}

export const writeConfiguration = (writer: ByteWriter, configuration: Configuration): void => {
  const { members, removed = [] } = configuration.membership
  writer.u53(configuration.number).u32(configuration.nextOrdinal).u16(members.length)
  for (const member of members) {
    writer
      .u32(configuration.ordinals.get(member.id) ?? 0)
      .string(member.id)
      .string(member.name)
      .u8(member.role === 'voter' ? roles.voter : member.promote === true ? roles.promoted : roles.learner)
      .u8(member.addresses.length)
    for (const address of member.addresses) writer.string(address)
  }
  writer.u16(removed.length)
  for (const id of removed) writer.string(id)
}

export const decodeConfiguration = (bytes: Uint8Array): Configuration => {
  const reader = new ByteReader(bytes)
  const configuration = readConfiguration(reader)
  reader.end()
  return configuration
}

/** @throws MalformedBytes if a bound is exceeded, or an id or ordinal stands there twice. */
export const readConfiguration = (reader: ByteReader): Configuration => {
  const number = reader.u53()
  const nextOrdinal = reader.u32()
  const count = reader.u16()
  if (count > mostMembers) throw new MalformedBytes(`a configuration of ${count} members`)
  if (nextOrdinal > mostOrdinal) throw new MalformedBytes(`a next ordinal of ${nextOrdinal}`)
  const members: Member[] = []
  const ordinals = new Map<NodeId, number>()
  for (let i = 0; i < count; i++) {
    const ordinal = reader.u32()
    const member = readMember(reader)
    if (ordinal === 0 || ordinal >= nextOrdinal) throw new MalformedBytes(`a member with ordinal ${ordinal}`)
    members.push(member)
    ordinals.set(member.id, ordinal)
  }
  if (ordinals.size !== count || new Set(ordinals.values()).size !== count)
    throw new MalformedBytes('a member or an ordinal stands twice in a configuration')
  const removed = readRemoved(reader)
  return { number, membership: removed.length === 0 ? { members } : { members, removed }, ordinals, nextOrdinal }
}

const readRemoved = (reader: ByteReader): NodeId[] => {
  const count = reader.u16()
  if (count > mostRemoved) throw new MalformedBytes(`a configuration with ${count} removed members`)
  return Array.from({ length: count }, () => readNodeId(reader))
}

const readNodeId = (reader: ByteReader): NodeId => {
  const id = reader.string(512)
  if (id.length === 0 || id.length > 128) throw new MalformedBytes(`a node id of ${id.length} characters`)
  return nodeId(id)
}

const readMember = (reader: ByteReader): Member => {
  const id = readNodeId(reader)
  const name = reader.string(128)
  const role = reader.u8()
  if (role < roles.voter || role > roles.promoted) throw new MalformedBytes(`a member with role ${role}`)
  const count = reader.u8()
  if (count > mostAddresses) throw new MalformedBytes(`a member with ${count} addresses`)
  const addresses = Array.from({ length: count }, () => reader.string(1024))
  if (role === roles.voter) return { id, name, addresses, role: 'voter' }
  return { id, name, addresses, role: 'learner', ...(role === roles.promoted && { promote: true as const }) }
}
