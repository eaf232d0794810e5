/**
 * What Multi-Paxos nodes say to each other (Paxos Made Simple, sections 2.2 and 3; the names are those of Paxos Made Moderately Complex where the two differ).
 *
 * Every message begins with `version u8 = 1 · type u8 · configuration u53 · ballot (round u53 · ordinal u32) · decided u53`; integers are little-endian.
 * `ballot` is the one that the message belongs to, and in a refusal the higher one that the sender has promised; every slot up to `decided` is decided
 * and known to the sender, durably unless the message is a proposer's own. A value travels in the encoding in which it is written to the journal,
 * length first, so that an acceptor writes a view on the frame that it received.
 */
import { ByteReader, ByteWriter, type Chunks, MalformedBytes } from '@conclave/interface'
import { type Ballot, ballotBytes, readBallot, showBallot, writeBallot } from './ballot.ts'
import { type Configuration, readConfiguration, writeConfiguration } from './configuration.ts'
import { type Accepted, decodeValue, type Value } from './value.ts'

export const messageVersion = 1

const types = {
  canvass: 1,
  canvassReply: 2,
  prepare: 3,
  promise: 4,
  nack: 5,
  accept: 6,
  accepted: 7,
  heartbeat: 8,
  heartbeatReply: 9,
  learn: 10,
  watermark: 11,
  handOver: 12,
} as const

interface Head {
  /** Number of the sender's configuration. */
  readonly configuration: number
  readonly ballot: Ballot
  /** The sender has every slot up to here, and they are decided. */
  readonly decided: number
}

/** A slot and what is proposed, or was decided, for it. */
export interface Filled {
  readonly slot: number
  readonly value: Value
}

/** A slot and what an acceptor has accepted for it. */
export interface Report extends Accepted {
  readonly slot: number
}

/** `count` slots from `from` up. */
export interface Range {
  readonly from: number
  readonly count: number
}

export type Message = Head &
  (
    | /** Would a prepare with `ballot` be promised? Changes nothing. */ { readonly type: 'canvass' }
    | { readonly type: 'canvassReply'; readonly asked: Ballot; readonly granted: boolean }
    /** Phase 1a, for every slot from `from` on; `cursor` asks for the page of the promise that begins at that slot. `given` is the reign that its leader itself gave away to the sender, if it did. */
    | { readonly type: 'prepare'; readonly from: number; readonly cursor: number; readonly given: Ballot }
    /** Phase 1b: what was accepted from `cursor` on, up to but not including `next`; `next` 0 ends the promise. */
    | { readonly type: 'promise'; readonly cursor: number; readonly next: number; readonly reports: readonly Report[] }
    /** Refuses what was sent in ballot `refused`. */
    | { readonly type: 'nack'; readonly refused: Ballot }
    /** Phase 2a for several slots; the answer echoes `sequence`. Without slots it asks how far the peer has come. */
    | { readonly type: 'accept'; readonly sequence: number; readonly slots: readonly Filled[] }
    /** Phase 2b: `slots` are accepted in this ballot, durably, and so is every slot up to `reached`, or decided. */
    | {
        readonly type: 'accepted'
        readonly sequence: number
        readonly reached: number
        readonly slots: readonly Range[]
      }
    /** The leader reigns; `round` makes it a quorum round for reads. With `lease` it asks for a pledge. */
    | { readonly type: 'heartbeat'; readonly round: number; readonly lease: boolean }
    | { readonly type: 'heartbeatReply'; readonly round: number; readonly pledged: boolean }
    /** Decided values, whatever ballot or configuration the receiver is in. */
    | { readonly type: 'learn'; readonly slots: readonly Filled[] }
    /** How far the sender has come: the answer to `learn`, and to messages of a configuration that it does not know yet. */
    | { readonly type: 'watermark' }
    /** The leader of `ballot` asks the receiver to take over at once. */
    | { readonly type: 'handOver' }
  )

export type MessageOf<Type extends Message['type']> = Message & { readonly type: Type }
/** A message without its head, which the state of the sender fills in. */
export type Body = Message extends infer M ? (M extends Message ? Omit<M, keyof Head> : never) : never

/** Bytes of a head, and of what surrounds values. */
export const headBytes = 2 + 8 + ballotBytes + 8
export const slotsHeadBytes = headBytes + 8
export const slotOverhead = 12
export const reportOverhead = slotOverhead + ballotBytes
export const promiseHeadBytes = headBytes + 20
/** Around a value in the largest of its messages: a promise. */
export const mostOverhead = promiseHeadBytes + reportOverhead

const head = (message: Message, capacity = 48): ByteWriter =>
  writeBallot(
    new ByteWriter(capacity).u8(messageVersion).u8(types[message.type]).u53(message.configuration),
    message.ballot,
  ).u53(message.decided)

export const encodeMessage = (message: Message): Chunks => {
  const writer = head(message)
  switch (message.type) {
    case 'canvass':
    case 'watermark':
    case 'handOver':
      return [writer.take()]
    case 'canvassReply':
      return [
        writeBallot(writer, message.asked)
          .u8(message.granted ? 1 : 0)
          .take(),
      ]
    case 'prepare':
      return [writeBallot(writer.u53(message.from).u53(message.cursor), message.given).take()]
    case 'promise':
      return encodeReports(writer.u53(message.cursor).u53(message.next), message.reports)
    case 'nack':
      return [writeBallot(writer, message.refused).take()]
    case 'accept':
      return encodeSlots(writer.u32(message.sequence), message.slots)
    case 'learn':
      return encodeSlots(writer, message.slots)
    case 'accepted':
      writer.u32(message.sequence).u53(message.reached).u32(message.slots.length)
      for (const { from, count } of message.slots) writer.u53(from).u32(count)
      return [writer.take()]
    case 'heartbeat':
      return [
        writer
          .u53(message.round)
          .u8(message.lease ? 1 : 0)
          .take(),
      ]
    case 'heartbeatReply':
      return [
        writer
          .u53(message.round)
          .u8(message.pledged ? 1 : 0)
          .take(),
      ]
  }
}

const encodeSlots = (writer: ByteWriter, slots: readonly Filled[]): Chunks => {
  const chunks: Uint8Array[] = []
  writer.u32(slots.length)
  for (const { slot, value } of slots) {
    writer.u53(slot).u32(value.size)
    chunks.push(writer.take(), ...value.encoded)
  }
  if (slots.length === 0) chunks.push(writer.take())
  return chunks
}

const encodeReports = (writer: ByteWriter, reports: readonly Report[]): Chunks => {
  const chunks: Uint8Array[] = []
  writer.u32(reports.length)
  for (const { slot, ballot, value } of reports) {
    writeBallot(writer.u53(slot), ballot).u32(value.size)
    chunks.push(writer.take(), ...value.encoded)
  }
  if (reports.length === 0) chunks.push(writer.take())
  return chunks
}

/** @throws MalformedBytes on an unknown version or type, slots out of order, a length that does not fit, or bytes left over. */
export const decodeMessage = (bytes: Uint8Array): Message => {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== messageVersion)
    throw new MalformedBytes(`a Paxos message of version ${version}; this build speaks version ${messageVersion}`)
  const type = reader.u8()
  const its: Head = { configuration: reader.u53(), ballot: readBallot(reader), decided: reader.u53() }
  const message = decodeBody(type, its, reader)
  reader.end()
  return message
}

const decodeBody = (type: number, its: Head, reader: ByteReader): Message => {
  switch (type) {
    case types.canvass:
      return { type: 'canvass', ...its }
    case types.canvassReply:
      return { type: 'canvassReply', ...its, asked: readBallot(reader), granted: flag(reader) }
    case types.prepare:
      return { type: 'prepare', ...its, from: reader.u53(), cursor: reader.u53(), given: readBallot(reader) }
    case types.promise:
      return decodePromise(its, reader)
    case types.nack:
      return { type: 'nack', ...its, refused: readBallot(reader) }
    case types.accept:
      return { type: 'accept', ...its, sequence: reader.u32(), slots: decodeSlots(reader) }
    case types.accepted:
      return { type: 'accepted', ...its, sequence: reader.u32(), reached: reader.u53(), slots: decodeRanges(reader) }
    case types.heartbeat:
      return { type: 'heartbeat', ...its, round: reader.u53(), lease: flag(reader) }
    case types.heartbeatReply:
      return { type: 'heartbeatReply', ...its, round: reader.u53(), pledged: flag(reader) }
    case types.learn:
      return { type: 'learn', ...its, slots: decodeSlots(reader) }
    case types.watermark:
      return { type: 'watermark', ...its }
    case types.handOver:
      return { type: 'handOver', ...its }
    default:
      throw new MalformedBytes(`a Paxos message of type ${type}`)
  }
}

const flag = (reader: ByteReader): boolean => {
  const bit = reader.u8()
  if (bit > 1) throw new MalformedBytes(`a flag of ${bit}`)
  return bit === 1
}

const decodeSlots = (reader: ByteReader): Filled[] => {
  const slots: Filled[] = []
  let before = 0
  for (let left = reader.u32(); left > 0; left--) {
    const slot = ascending(reader.u53(), before)
    slots.push({ slot, value: decodeValue(reader.bytes()) })
    before = slot
  }
  return slots
}

const decodePromise = (its: Head, reader: ByteReader): Message => {
  const cursor = reader.u53()
  const next = reader.u53()
  if (next !== 0 && next <= cursor) throw new MalformedBytes(`a page from ${cursor} to ${next}`)
  const reports: Report[] = []
  let before = cursor - 1
  for (let left = reader.u32(); left > 0; left--) {
    const slot = ascending(reader.u53(), before)
    const ballot = readBallot(reader)
    reports.push({ slot, ballot, value: decodeValue(reader.bytes()) })
    before = slot
  }
  if (next !== 0 && before >= next) throw new MalformedBytes(`slot ${before} in a page that ends before ${next}`)
  return { type: 'promise', ...its, cursor, next, reports }
}

const decodeRanges = (reader: ByteReader): Range[] => {
  const ranges: Range[] = []
  let before = 0
  for (let left = reader.u32(); left > 0; left--) {
    const from = ascending(reader.u53(), before)
    const count = reader.u32()
    ranges.push({ from, count })
    before = from + count
  }
  return ranges
}

const ascending = (slot: number, before: number): number => {
  if (slot <= before) throw new MalformedBytes(`slot ${slot} after ${before}`)
  return slot
}

/** What a snapshot stands for: in the journal beside its body, and ahead of it on the wire. */
export interface SnapshotHeader {
  /** A ballot at or above every ballot in which a slot that it stands for was chosen. */
  readonly ballot: Ballot
  readonly position: number
  /** The ballot that reigned at `position`. */
  readonly reign: Ballot
  /** The configuration that governs the slot after `position`. */
  readonly configuration: Configuration
}

export const encodeSnapshotHeader = (header: SnapshotHeader): Uint8Array => {
  const writer = writeBallot(new ByteWriter(256).u8(messageVersion), header.ballot).u53(header.position)
  writeConfiguration(writeBallot(writer, header.reign), header.configuration)
  return writer.take()
}

/** @throws MalformedBytes. */
export const decodeSnapshotHeader = (bytes: Uint8Array): SnapshotHeader => {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== messageVersion)
    throw new MalformedBytes(
      `a Paxos snapshot header of version ${version}; this build reads version ${messageVersion}`,
    )
  const header = {
    ballot: readBallot(reader),
    position: reader.u53(),
    reign: readBallot(reader),
    configuration: readConfiguration(reader),
  }
  reader.end()
  if (header.position === 0) throw new MalformedBytes('a snapshot at position 0')
  return header
}

/** A message in a few words: `accept 7..9 ballot 3.1`. Undefined if it does not parse. */
export const describe = (bytes: Uint8Array): string | undefined => {
  try {
    return describeMessage(decodeMessage(bytes))
  } catch {
    return undefined
  }
}

const describeMessage = (message: Message): string => {
  const ballot = `ballot ${showBallot(message.ballot)}`
  switch (message.type) {
    case 'canvassReply':
      return `canvass ${message.granted ? 'granted' : 'refused'} for ballot ${showBallot(message.asked)}`
    case 'prepare':
      return `prepare ${message.from}.. ${ballot}`
    case 'promise':
      return `promise ${message.cursor}${message.next === 0 ? '..' : `..${message.next - 1}`} with ${message.reports.length} accepted, ${ballot}`
    case 'nack':
      return `nack of ballot ${showBallot(message.refused)}, promised ${showBallot(message.ballot)}`
    case 'accept':
    case 'learn':
      return `${message.type} ${span(message.slots.map(({ slot }) => slot))} ${ballot}`
    case 'accepted':
      return `accepted up to ${message.reached} ${ballot}`
    case 'heartbeat':
    case 'heartbeatReply':
      return `${message.type === 'heartbeat' ? 'heartbeat' : 'heartbeat reply'} round ${message.round} decided ${message.decided} ${ballot}`
    case 'canvass':
    case 'handOver':
      return `${message.type === 'canvass' ? 'canvass' : 'hand over'} ${ballot}`
    case 'watermark':
      return `watermark ${message.decided}`
  }
}

const span = (slots: readonly number[]): string => {
  const [first, last] = [slots.at(0), slots.at(-1)]
  if (first === undefined || last === undefined) return 'nothing'
  return first === last ? String(first) : `${first}..${last}`
}
