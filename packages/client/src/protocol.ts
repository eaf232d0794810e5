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
  nodeId,
  type Refusal,
} from '@conclave/interface'
import {
  count,
  maxNameBytes,
  maxNodeIdBytes,
  pick,
  readAddresses,
  readNodeId,
  times,
  writeAddresses,
} from './fields.ts'
import {
  maxMembers,
  maxReasonBytes,
  readChange,
  readMembership,
  writeChange,
  writeMembership,
} from './membership-wire.ts'
import {
  type ClientMessage,
  goodbyeReasons,
  type LeaderNews,
  maxAskBytes,
  maxBlockBytes,
  maxMessageBytes,
  maxQueryBytes,
  maxReadReplyBytes,
  maxReads,
  maxStatusBytes,
  protocolVersion,
  type Read,
  type ReadReply,
  readLevels,
  refusals,
  type ServerMessage,
  watchEndReasons,
} from './messages.ts'

export * from './channel.ts'
export { maxMembers, maxReasonBytes } from './membership-wire.ts'
export * from './messages.ts'

const clientTypes = {
  hello: 1,
  submit: 2,
  reads: 3,
  watch: 4,
  unwatch: 5,
  status: 6,
  ping: 7,
  reconfigure: 8,
  transfer: 9,
  members: 10,
  ask: 11,
  withdraw: 12,
} as const
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
  changed: 0x8b,
  members: 0x8c,
  answer: 0x8d,
} as const
/** The outcome of a change that is done; 0 is unknown, others are refusals. */
const doneCode = 255

const outcomeCode = (outcome: Refusal | 'unknown'): number =>
  outcome === 'unknown' ? 0 : refusals.indexOf(outcome) + 1
const outcomeOf = (code: number): Refusal | 'unknown' => (code === 0 ? 'unknown' : pick(refusals, code - 1, 'refusal'))

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
    case 'reconfigure':
      return [writeChange(writer.u32(message.id), message.change).take()]
    case 'transfer':
      return [writer.u32(message.id).string(message.to).take()]
    case 'members':
      return [writer.u32(message.id).u8(readLevels.indexOf(message.level)).take()]
    case 'ask':
      return [writer.u32(message.id).u8(message.machine).take(), message.request]
    case 'withdraw':
      return [writer.u32(message.id).take()]
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
    case clientTypes.reconfigure:
      return { type: 'reconfigure', id: reader.u32(), change: readChange(reader) }
    case clientTypes.transfer:
      return { type: 'transfer', id: reader.u32(), to: readNodeId(reader) }
    case clientTypes.members:
      return { type: 'members', id: reader.u32(), level: pick(readLevels, reader.u8(), 'read level') }
    case clientTypes.ask:
      return { type: 'ask', id: reader.u32(), machine: reader.u8(), request: rest(reader, maxAskBytes, 'a request') }
    case clientTypes.withdraw:
      return { type: 'withdraw', id: reader.u32() }
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

const writeLeader = (writer: ByteWriter, { epoch, id, addresses }: LeaderNews): ByteWriter =>
  writeAddresses(writer.u64(epoch).string(id ?? ''), addresses)

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
      if (message.features !== undefined) writer.u32(message.features)
      return [writer.take()]
    case 'leader':
      return [writeLeader(writer, message).take()]
    case 'replies':
      return [writer.u32(message.blockId).take(), message.replies]
    case 'outcome':
      return [writer.u32(message.blockId).u8(outcomeCode(message.outcome)).take()]
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
    case 'changed': {
      const code = message.outcome === 'done' ? doneCode : outcomeCode(message.outcome)
      return [writer.u32(message.id).u8(code).string(message.reason).take()]
    }
    case 'members':
      if ('refused' in message) return [writer.u32(message.id).u8(outcomeCode(message.refused)).take()]
      return [writeMembership(writer.u32(message.id).u8(0).u64(message.epoch), message.membership).take()]
    case 'answer':
      if ('refused' in message) return [writer.u32(message.id).u8(outcomeCode(message.refused)).take()]
      return [writer.u32(message.id).u8(0).take(), message.reply]
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
  const members = times(count(reader.u8(), maxMembers, 'members'), () => ({
    id: readNodeId(reader),
    name: reader.string(maxNameBytes),
    addresses: readAddresses(reader),
  }))
  const welcome = { type: 'welcome', version, node, cluster, leader, members } as const
  return reader.left === 0 ? welcome : { ...welcome, features: reader.u32() }
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

const readChanged = (reader: ByteReader): ServerMessage => {
  const id = reader.u32()
  const code = reader.u8()
  const outcome = code === doneCode ? 'done' : outcomeOf(code)
  return { type: 'changed', id, outcome, reason: reader.string(maxReasonBytes) }
}

const readMembers = (reader: ByteReader): ServerMessage => {
  const id = reader.u32()
  const code = reader.u8()
  if (code !== 0) return { type: 'members', id, refused: pick(refusals, code - 1, 'refusal') }
  return { type: 'members', id, epoch: reader.u64() as Epoch, membership: readMembership(reader) }
}

const readAnswer = (reader: ByteReader): ServerMessage => {
  const id = reader.u32()
  const code = reader.u8()
  if (code !== 0) return { type: 'answer', id, refused: pick(refusals, code - 1, 'refusal') }
  return { type: 'answer', id, reply: rest(reader, maxReadReplyBytes, 'an answer') }
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
      return { type: 'outcome', blockId: reader.u32(), outcome: outcomeOf(reader.u8()) }
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
    case serverTypes.changed:
      return readChanged(reader)
    case serverTypes.members:
      return readMembers(reader)
    case serverTypes.answer:
      return readAnswer(reader)
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
