/**
 * The client protocol, `/conclave/client/1`: what a client and a node say to each other. Described in docs/formats/client.md.
 *
 * A message is a type in one byte and its body, little-endian. The channel delivers whole messages in order; everything that comes from
 * the other side is checked against the bounds given here, and what does not hold is `MalformedBytes`: the receiver closes the channel.
 *
 * @packageDocumentation
 */
import {
  ByteReader,
  ByteWriter,
  type Chunks,
  type Epoch,
  MalformedBytes,
  type NodeId,
  nodeId,
  type Refusal,
} from '@conclave/interface'

export * from './channel.ts'

export const clientProtocol = '/conclave/client/1'
export const protocolVersion = 1

/** Bytes of one message, type included. */
export const maxMessageBytes = 2 * 1024 * 1024
/** Bytes of the block of one `submit`. */
export const maxBlockBytes = 1.5 * 1024 * 1024
/** Reads that one message may hold. */
export const maxReads = 65_536
/** Bytes of one query, and of one watch request. */
export const maxQueryBytes = 64 * 1024
/** Bytes of one read's answer. A node splits answers over several messages so that each fits `maxMessageBytes`. */
export const maxReadReplyBytes = 1024 * 1024 + 64 * 1024
export const maxStatusBytes = 256 * 1024
const maxNodeIdBytes = 128
const maxNameBytes = 63
const maxAddresses = 16
const maxAddressBytes = 256
const maxMembers = 64

export const readLevels = ['linearizable', 'lease', 'local'] as const
/**
 * `linearizable`: sees every write that was acknowledged before the read began (a quorum round). `lease`: the same as long as clocks run at
 * nearly the same rate. `local`: what the asked node has applied, maybe stale.
 */
export type ReadLevel = (typeof readLevels)[number]

/** On the wire: the index + 1. 0 stands for `unknown` in an outcome and for "answered" in a read reply. */
export const refusals = [
  'not-leader',
  'overloaded',
  'disk-full',
  'not-ready',
  'unsupported',
  'invalid',
  'in-progress',
] as const satisfies readonly Refusal[]

export const watchEndReasons = ['ended', 'unsupported', 'overloaded', 'closing'] as const
/** `ended`: the feed told its end in its own events. `unsupported`: no such machine, or a malformed request. `overloaded`: too many watches. `closing`: the node stops; go to another. */
export type WatchEndReason = (typeof watchEndReasons)[number]

export const goodbyeReasons = ['closing', 'version', 'cluster', 'malformed', 'overloaded'] as const
/** `closing`: the node stops. `version`, `cluster`: the hello does not fit. `malformed`: what was sent did not parse. `overloaded`: too many clients. */
export type GoodbyeReason = (typeof goodbyeReasons)[number]

export interface LeaderNews {
  readonly epoch: Epoch
  /** Absent: no leader is known. */
  readonly id?: NodeId
  /** The leader's multiaddrs, without `/p2p`. Empty if unknown. */
  readonly addresses: readonly string[]
}

export interface MemberNews {
  readonly id: NodeId
  readonly name: string
  /** Multiaddrs, without `/p2p`. */
  readonly addresses: readonly string[]
}

export interface Read {
  /** Chosen by the client, unique among its reads on this channel. */
  readonly id: number
  /** 1 to 255. */
  readonly machine: number
  readonly query: Uint8Array
}

export type ClientMessage =
  /** The first message. `cluster` empty: whichever it is. `features` is 0 in this version; unknown bits are ignored. */
  | { readonly type: 'hello'; readonly version: number; readonly features: number; readonly cluster: string }
  /** Answered by exactly one `replies` or `outcome` with the same `blockId`, unless the channel closes before. */
  | { readonly type: 'submit'; readonly blockId: number; readonly block: Uint8Array }
  /** Each is answered once, in any order, in one or more `readReplies`. All are read at one level. */
  | { readonly type: 'reads'; readonly level: ReadLevel; readonly reads: readonly Read[] }
  /** Starts a feed of what this node has applied, until `unwatch` or `watchEnded`. */
  | { readonly type: 'watch'; readonly id: number; readonly machine: number; readonly request: Uint8Array }
  /** Not answered. Events that were on their way may still arrive. */
  | { readonly type: 'unwatch'; readonly id: number }
  | { readonly type: 'status'; readonly id: number }
  /** Answered by `pong` at once. */
  | { readonly type: 'ping' }

export type ReadReply =
  | { readonly id: number; readonly reply: Uint8Array }
  | { readonly id: number; readonly refused: Refusal }

export type ServerMessage =
  /** Answers `hello`; sent again when the members change. `node` is the sender. */
  | {
      readonly type: 'welcome'
      readonly version: number
      readonly node: NodeId
      readonly cluster: string
      readonly leader: LeaderNews
      readonly members: readonly MemberNews[]
    }
  /** Pushed at every change that the node learns of. */
  | ({ readonly type: 'leader' } & LeaderNews)
  /** The block was decided. The bytes are those of `visitReplies`. */
  | { readonly type: 'replies'; readonly blockId: number; readonly replies: Uint8Array }
  /** `refused` is definite for this attempt: it was not and will not be decided. `unknown`: it may have been, or may yet be. */
  | { readonly type: 'outcome'; readonly blockId: number; readonly outcome: Refusal | 'unknown' }
  | { readonly type: 'readReplies'; readonly replies: readonly ReadReply[] }
  /** What `Feed.poll` gave. */
  | { readonly type: 'watchEvents'; readonly id: number; readonly events: Uint8Array }
  | { readonly type: 'watchEnded'; readonly id: number; readonly reason: WatchEndReason }
  /** A `NodeStatus` as JSON. */
  | { readonly type: 'status'; readonly id: number; readonly json: string }
  | { readonly type: 'pong' }
  /** The node closes the channel. Nothing follows; what was not answered is unknown. */
  | { readonly type: 'goodbye'; readonly reason: GoodbyeReason }

/** What a node says of itself: the JSON of `status`. Positions are numbers, epochs decimal strings. More fields may come. */
export interface NodeStatus {
  readonly id: string
  readonly name: string
  readonly cluster: string
  readonly engine: string
  /** In the engine's own words. */
  readonly role: string
  readonly leading: boolean
  readonly epoch: string
  /** The id of the leader that this node knows. */
  readonly leader?: string
  readonly decided: number
  readonly applied: number
  readonly last: number
  readonly snapshot: number
  readonly members: readonly { readonly id: string; readonly name: string; readonly addresses: readonly string[] }[]
  /** State hash by machine name, taken at `applied`. */
  readonly machines?: Readonly<Record<string, string>>
  readonly [more: string]: unknown
}

const clientTypes = { hello: 1, submit: 2, reads: 3, watch: 4, unwatch: 5, status: 6, ping: 7 } as const
const serverTypes = {
  welcome: 0x81,
  leader: 0x82,
  replies: 0x83,
  outcome: 0x84,
  readReplies: 0x85,
  watchEvents: 0x86,
  watchEnded: 0x87,
  status: 0x88,
  pong: 0x89,
  goodbye: 0x8a,
} as const

const pick = <T>(values: readonly T[], index: number, what: string): T => {
  const value = values[index]
  if (value === undefined) throw new MalformedBytes(`${what} ${index}`)
  return value
}

const count = (value: number, most: number, what: string): number => {
  if (value > most) throw new MalformedBytes(`${value} ${what}; at most ${most} are allowed`)
  return value
}

/** The chunks share memory with the message's own bytes. */
export const encodeClientMessage = (message: ClientMessage): Chunks => {
  const writer = new ByteWriter().u8(clientTypes[message.type])
  switch (message.type) {
    case 'hello':
      return [writer.u8(message.version).u32(message.features).string(message.cluster).take()]
    case 'submit':
      return [writer.u32(message.blockId).take(), message.block]
    case 'reads':
      writer.u8(readLevels.indexOf(message.level)).u32(message.reads.length)
      for (const { id, machine, query } of message.reads) writer.u32(id).u8(machine).bytes(query)
      return [writer.take()]
    case 'watch':
      return [writer.u32(message.id).u8(message.machine).raw(message.request).take()]
    case 'unwatch':
    case 'status':
      return [writer.u32(message.id).take()]
    case 'ping':
      return [writer.take()]
  }
}

const readReads = (reader: ByteReader): ClientMessage => {
  const level = pick(readLevels, reader.u8(), 'read level')
  const reads: Read[] = []
  for (let left = count(reader.u32(), maxReads, 'reads'); left > 0; left--) {
    reads.push({ id: reader.u32(), machine: reader.u8(), query: reader.bytes(maxQueryBytes) })
  }
  return { type: 'reads', level, reads }
}

const rest = (reader: ByteReader, most: number, what: string): Uint8Array =>
  reader.raw(count(reader.left, most, `bytes of ${what}`))

const readClientBody = (type: number, reader: ByteReader): ClientMessage => {
  switch (type) {
    case clientTypes.hello:
      return { type: 'hello', version: reader.u8(), features: reader.u32(), cluster: reader.string(maxNameBytes) }
    case clientTypes.submit:
      return { type: 'submit', blockId: reader.u32(), block: rest(reader, maxBlockBytes, 'a block') }
    case clientTypes.reads:
      return readReads(reader)
    case clientTypes.watch:
      return { type: 'watch', id: reader.u32(), machine: reader.u8(), request: rest(reader, maxQueryBytes, 'a watch') }
    case clientTypes.unwatch:
      return { type: 'unwatch', id: reader.u32() }
    case clientTypes.status:
      return { type: 'status', id: reader.u32() }
    case clientTypes.ping:
      return { type: 'ping' }
    default:
      throw new MalformedBytes(`a client message of type ${type}`)
  }
}

/**
 * What a node reads. The bytes inside are views; a block is not looked into (see `checkBlock`).
 * A `hello` of another version is returned as it is, so that it can be answered with `goodbye`.
 * @throws MalformedBytes
 */
export const decodeClientMessage = (bytes: Uint8Array): ClientMessage => {
  count(bytes.length, maxMessageBytes, 'bytes of a message')
  const reader = new ByteReader(bytes)
  const message = readClientBody(reader.u8(), reader)
  // A hello may grow in later versions: what follows is theirs.
  if (message.type !== 'hello' || message.version === protocolVersion) reader.end()
  return message
}

const writeAddresses = (writer: ByteWriter, addresses: readonly string[]): ByteWriter => {
  const some = addresses.slice(0, maxAddresses)
  writer.u8(some.length)
  for (const address of some) writer.string(address)
  return writer
}

const readAddresses = (reader: ByteReader): string[] => {
  const addresses: string[] = []
  for (let left = count(reader.u8(), maxAddresses, 'addresses'); left > 0; left--) {
    addresses.push(reader.string(maxAddressBytes))
  }
  return addresses
}

const writeLeader = (writer: ByteWriter, { epoch, id, addresses }: LeaderNews): ByteWriter =>
  writeAddresses(writer.u64(epoch).string(id ?? ''), addresses)

const readNodeId = (reader: ByteReader): NodeId => {
  const id = reader.string(maxNodeIdBytes)
  if (id === '') throw new MalformedBytes('an empty node id')
  return nodeId(id)
}

const readLeader = (reader: ByteReader): LeaderNews => {
  const epoch = reader.u64() as Epoch
  const id = reader.string(maxNodeIdBytes)
  const addresses = readAddresses(reader)
  return id === '' ? { epoch, addresses } : { epoch, id: nodeId(id), addresses }
}

const writeReadReplies = (writer: ByteWriter, replies: readonly ReadReply[]): ByteWriter => {
  writer.u32(replies.length)
  for (const reply of replies) {
    if ('reply' in reply) writer.u32(reply.id).u8(0).bytes(reply.reply)
    else writer.u32(reply.id).u8(refusals.indexOf(reply.refused) + 1)
  }
  return writer
}

/** The chunks share memory with the message's own bytes. */
export const encodeServerMessage = (message: ServerMessage): Chunks => {
  const writer = new ByteWriter().u8(serverTypes[message.type])
  switch (message.type) {
    case 'welcome':
      writer.u8(message.version).string(message.node).string(message.cluster)
      writeLeader(writer, message.leader).u8(message.members.length)
      for (const { id, name, addresses } of message.members) writeAddresses(writer.string(id).string(name), addresses)
      return [writer.take()]
    case 'leader':
      return [writeLeader(writer, message).take()]
    case 'replies':
      return [writer.u32(message.blockId).take(), message.replies]
    case 'outcome':
      writer.u32(message.blockId).u8(message.outcome === 'unknown' ? 0 : refusals.indexOf(message.outcome) + 1)
      return [writer.take()]
    case 'readReplies':
      return [writeReadReplies(writer, message.replies).take()]
    case 'watchEvents':
      return [writer.u32(message.id).take(), message.events]
    case 'watchEnded':
      return [writer.u32(message.id).u8(watchEndReasons.indexOf(message.reason)).take()]
    case 'status':
      return [writer.u32(message.id).string(message.json).take()]
    case 'pong':
      return [writer.take()]
    case 'goodbye':
      return [writer.u8(goodbyeReasons.indexOf(message.reason)).take()]
  }
}

const readWelcome = (reader: ByteReader): ServerMessage => {
  const version = reader.u8()
  if (version !== protocolVersion) {
    throw new MalformedBytes(`a welcome of protocol version ${version}; this build speaks ${protocolVersion}`)
  }
  const node = readNodeId(reader)
  const cluster = reader.string(maxNameBytes)
  const leader = readLeader(reader)
  const members: MemberNews[] = []
  for (let left = count(reader.u8(), maxMembers, 'members'); left > 0; left--) {
    members.push({ id: readNodeId(reader), name: reader.string(maxNameBytes), addresses: readAddresses(reader) })
  }
  return { type: 'welcome', version, node, cluster, leader, members }
}

const readReadReplies = (reader: ByteReader): ServerMessage => {
  const replies: ReadReply[] = []
  for (let left = count(reader.u32(), maxReads, 'read replies'); left > 0; left--) {
    const id = reader.u32()
    const status = reader.u8()
    if (status === 0) replies.push({ id, reply: reader.bytes(maxReadReplyBytes) })
    else replies.push({ id, refused: pick(refusals, status - 1, 'refusal') })
  }
  return { type: 'readReplies', replies }
}

const readOutcome = (reader: ByteReader): ServerMessage => {
  const blockId = reader.u32()
  const code = reader.u8()
  return { type: 'outcome', blockId, outcome: code === 0 ? 'unknown' : pick(refusals, code - 1, 'refusal') }
}

const readServerBody = (type: number, reader: ByteReader): ServerMessage => {
  switch (type) {
    case serverTypes.welcome:
      return readWelcome(reader)
    case serverTypes.leader:
      return { type: 'leader', ...readLeader(reader) }
    case serverTypes.replies:
      return { type: 'replies', blockId: reader.u32(), replies: reader.raw(reader.left) }
    case serverTypes.outcome:
      return readOutcome(reader)
    case serverTypes.readReplies:
      return readReadReplies(reader)
    case serverTypes.watchEvents:
      return { type: 'watchEvents', id: reader.u32(), events: reader.raw(reader.left) }
    case serverTypes.watchEnded:
      return { type: 'watchEnded', id: reader.u32(), reason: pick(watchEndReasons, reader.u8(), 'watch end reason') }
    case serverTypes.status:
      return { type: 'status', id: reader.u32(), json: reader.string(maxStatusBytes) }
    case serverTypes.pong:
      return { type: 'pong' }
    case serverTypes.goodbye:
      return { type: 'goodbye', reason: pick(goodbyeReasons, reader.u8(), 'goodbye reason') }
    default:
      throw new MalformedBytes(`a server message of type ${type}`)
  }
}

/** What a client reads. The bytes inside are views. @throws MalformedBytes */
export const decodeServerMessage = (bytes: Uint8Array): ServerMessage => {
  count(bytes.length, maxMessageBytes, 'bytes of a message')
  const reader = new ByteReader(bytes)
  const message = readServerBody(reader.u8(), reader)
  reader.end()
  return message
}
