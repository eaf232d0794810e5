/**
 * What Raft peers say to each other (Raft, extended version, figures 2 and 13; pre-vote: Ongaro's dissertation, section 9.6).
 *
 * Every message begins with `version u8 · type u8 · term u53`; integers are little-endian. An entry travels in the encoding in which it
 * is written to the journal, length first, so that a follower writes a view on the frame that it received.
 *
 * What version 1 can say is said in version 1, whatever the sender knows, so that servers of both run together: one that knows only version 1
 * drops the rest as malformed.
 */
import { readMembership, writeMembership } from '@conclave/engine-parts'
import { ByteReader, ByteWriter, type Chunks, MalformedBytes, type Membership } from '@conclave/interface'
import { decodeEntry, type Entry, type Term, term } from './entry.ts'

export type MessageVersion = 1 | 2

const types = {
  vote: 1,
  voteReply: 2,
  append: 3,
  appendReply: 4,
  heartbeat: 5,
  heartbeatReply: 6,
  timeoutNow: 7, // from version 2 on
} as const

export type Message =
  /**
   * RequestVote; with `pre`, PreVote: `term` is then the term that the sender would campaign for. With `transfer` (version 2) the leader itself
   * has asked for the election: it may be deposed although it is heard (dissertation, section 4.2.3).
   */
  | {
      readonly type: 'vote'
      readonly term: Term
      readonly pre: boolean
      readonly transfer?: true
      readonly last: number
      readonly lastTerm: Term
    }
  /** A grant of a pre-vote echoes the requested term; a refusal carries the term of the refuser. */
  | { readonly type: 'voteReply'; readonly term: Term; readonly pre: boolean; readonly granted: boolean }
  /** AppendEntries. Without entries it is a probe for the matching point. */
  | {
      readonly type: 'append'
      readonly term: Term
      readonly previous: number
      readonly previousTerm: Term
      readonly commit: number
      readonly entries: readonly Entry[]
    }
  /** The log matches the leader's up to `match`, durably. */
  | { readonly type: 'appendReply'; readonly term: Term; readonly ok: true; readonly match: number }
  /** The log does not match at `previous`: `conflict` is the first position of the term that stands there, or the one after the last entry (section 5.3). */
  | {
      readonly type: 'appendReply'
      readonly term: Term
      readonly ok: false
      readonly previous: number
      readonly conflict: number
      readonly conflictTerm: Term
    }
  /**
   * Authority without log matching; `round` makes it a quorum round for reads (dissertation, section 6.4). With `lease` (version 2) it asks for a
   * promise, see `Pledge`.
   */
  | {
      readonly type: 'heartbeat'
      readonly term: Term
      readonly commit: number
      readonly round: number
      readonly lease?: true
    }
  /** With `promise` (version 2): it is given. */
  | { readonly type: 'heartbeatReply'; readonly term: Term; readonly round: number; readonly promise?: true }
  /** Version 2: campaign at once (dissertation, section 3.10). */
  | { readonly type: 'timeoutNow'; readonly term: Term }

const head = (type: number, messageTerm: Term, version: MessageVersion = 1): ByteWriter =>
  new ByteWriter(48).u8(version).u8(type).u53(messageTerm)

const preFlag = 1
const transferFlag = 2
/** Of a heartbeat: it asks for a promise; of its reply: it gives one. */
const leaseFlag = 1

export const encodeMessage = (message: Message): Chunks => {
  switch (message.type) {
    case 'vote':
      return [
        head(types.vote, message.term, message.transfer ? 2 : 1)
          .u8((message.pre ? preFlag : 0) | (message.transfer ? transferFlag : 0))
          .u53(message.last)
          .u53(message.lastTerm)
          .take(),
      ]
    case 'voteReply':
      return [
        head(types.voteReply, message.term)
          .u8((message.pre ? 1 : 0) | (message.granted ? 2 : 0))
          .take(),
      ]
    case 'append':
      return encodeAppend(message)
    case 'appendReply':
      if (message.ok) return [head(types.appendReply, message.term).u8(1).u53(message.match).take()]
      return [
        head(types.appendReply, message.term)
          .u8(0)
          .u53(message.previous)
          .u53(message.conflict)
          .u53(message.conflictTerm)
          .take(),
      ]
    case 'heartbeat': {
      const writer = head(types.heartbeat, message.term, message.lease ? 2 : 1)
        .u53(message.commit)
        .u53(message.round)
      return [(message.lease ? writer.u8(leaseFlag) : writer).take()]
    }
    case 'heartbeatReply': {
      const writer = head(types.heartbeatReply, message.term, message.promise ? 2 : 1).u53(message.round)
      return [(message.promise ? writer.u8(leaseFlag) : writer).take()]
    }
    case 'timeoutNow':
      return [head(types.timeoutNow, message.term, 2).take()]
  }
}

/** Bytes of an append before its entries, and of an entry before its encoding. */
export const appendHeadBytes = 38
export const entryLengthBytes = 4

const encodeAppend = (message: Message & { type: 'append' }): Chunks => {
  const { previous, previousTerm, commit, entries } = message
  const chunks: Uint8Array[] = []
  const writer = head(types.append, message.term).u53(previous).u53(previousTerm).u53(commit).u32(entries.length)
  for (const entry of entries) {
    writer.u32(entry.size)
    chunks.push(writer.take(), ...entry.encoded)
  }
  if (entries.length === 0) chunks.push(writer.take())
  return chunks
}

/**
 * @param newest the newest version that the reader knows.
 * @throws MalformedBytes on an unknown version or type, a length that does not fit, or bytes left over.
 */
export const decodeMessage = (bytes: Uint8Array, newest: MessageVersion = 2): Message => {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version < 1 || version > newest)
    throw new MalformedBytes(`a Raft message of version ${version}; this build speaks versions up to ${newest}`)
  const type = reader.u8()
  const messageTerm = term(reader.u53())
  const message =
    version === 2 ? decodeVersion2(type, messageTerm, reader) : decodeVersion1(type, messageTerm, reader, newest)
  reader.end()
  return message
}

const decodeVersion1 = (type: number, messageTerm: Term, reader: ByteReader, newest: MessageVersion): Message => {
  switch (type) {
    case types.vote:
      return decodeVote(messageTerm, flags(reader, preFlag), reader)
    case types.voteReply: {
      const bits = flags(reader, 3)
      return { type: 'voteReply', term: messageTerm, pre: (bits & 1) !== 0, granted: (bits & 2) !== 0 }
    }
    case types.append:
      return decodeAppend(messageTerm, reader, newest)
    case types.appendReply:
      if (flags(reader, 1) === 1) return { type: 'appendReply', term: messageTerm, ok: true, match: reader.u53() }
      return {
        type: 'appendReply',
        term: messageTerm,
        ok: false,
        previous: reader.u53(),
        conflict: reader.u53(),
        conflictTerm: term(reader.u53()),
      }
    case types.heartbeat:
      return { type: 'heartbeat', term: messageTerm, commit: reader.u53(), round: reader.u53() }
    case types.heartbeatReply:
      return { type: 'heartbeatReply', term: messageTerm, round: reader.u53() }
    default:
      throw new MalformedBytes(`a Raft message of version 1 and type ${type}`)
  }
}

/** Only what version 1 cannot say: each message has one encoding. */
const decodeVersion2 = (type: number, messageTerm: Term, reader: ByteReader): Message => {
  switch (type) {
    case types.vote:
      return { ...decodeVote(messageTerm, exactly(reader, transferFlag), reader), transfer: true }
    case types.heartbeat: {
      const [commit, round] = [reader.u53(), reader.u53()]
      exactly(reader, leaseFlag)
      return { type: 'heartbeat', term: messageTerm, commit, round, lease: true }
    }
    case types.heartbeatReply: {
      const round = reader.u53()
      exactly(reader, leaseFlag)
      return { type: 'heartbeatReply', term: messageTerm, round, promise: true }
    }
    case types.timeoutNow:
      return { type: 'timeoutNow', term: messageTerm }
    default:
      throw new MalformedBytes(`a Raft message of version 2 and type ${type}`)
  }
}

const decodeVote = (messageTerm: Term, bits: number, reader: ByteReader): Message & { type: 'vote' } => {
  const pre = (bits & preFlag) !== 0
  return { type: 'vote', term: messageTerm, pre, last: reader.u53(), lastTerm: term(reader.u53()) }
}

const exactly = (reader: ByteReader, wanted: number): number => {
  const bits = reader.u8()
  if (bits !== wanted) throw new MalformedBytes(`flags of ${bits} where only ${wanted} makes sense`)
  return bits
}

const flags = (reader: ByteReader, most: number): number => {
  const bits = reader.u8()
  if (bits > most) throw new MalformedBytes(`flags of ${bits}, at most ${most} are known`)
  return bits
}

const decodeAppend = (messageTerm: Term, reader: ByteReader, newest: MessageVersion): Message => {
  const previous = reader.u53()
  const previousTerm = term(reader.u53())
  const commit = reader.u53()
  const entries: Entry[] = []
  let least = previousTerm
  for (let left = reader.u32(); left > 0; left--) {
    const entry = decodeEntry(reader.bytes(), newest)
    if (entry.term < least || entry.term > messageTerm)
      throw new MalformedBytes(`an entry of term ${entry.term} after ${least} in an append of term ${messageTerm}`)
    least = entry.term
    entries.push(entry)
  }
  return { type: 'append', term: messageTerm, previous, previousTerm, commit, entries }
}

/** What a snapshot stands for: in the journal beside its body, and ahead of it on the wire. */
export interface SnapshotHeader {
  /** Of the sender, on the wire; of the entry, in the journal. */
  readonly term: Term
  readonly position: number
  /** Term of the entry at `position` (lastIncludedTerm of figure 13). */
  readonly lastTerm: Term
  /** The configuration as of `position`. */
  readonly membership: Membership
}

const headerVersion = 1

export const encodeSnapshotHeader = (header: SnapshotHeader): Uint8Array => {
  const writer = new ByteWriter(256).u8(headerVersion).u53(header.term).u53(header.position).u53(header.lastTerm)
  writeMembership(writer, header.membership)
  return writer.take()
}

/** @throws MalformedBytes. */
export const decodeSnapshotHeader = (bytes: Uint8Array, newest: MessageVersion = 2): SnapshotHeader => {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== headerVersion)
    throw new MalformedBytes(`a Raft snapshot header of version ${version}; this build reads version ${headerVersion}`)
  const header = {
    term: term(reader.u53()),
    position: reader.u53(),
    lastTerm: term(reader.u53()),
    membership: readMembership(reader, newest),
  }
  reader.end()
  if (header.position === 0) throw new MalformedBytes('a snapshot at position 0')
  if (header.lastTerm > header.term)
    throw new MalformedBytes(`a snapshot of term ${header.lastTerm} from a leader of term ${header.term}`)
  return header
}
