/**
 * What Zab peers say to each other (Junqueira, Reed, Serafini: "Zab: High-performance broadcast for primary-backup systems", DSN 2011; the names
 * are those of the paper and of ZooKeeper).
 *
 * Every message begins with `version u8 = 1 · type u8 · epoch u53`; integers are little-endian. `epoch` is the leader's, and in NOTIFICATION and CEPOCH the
 * sender's acceptedEpoch. Positions number the history from 1. A transaction travels in the encoding in which it is written to the journal, length first, so
 * that a follower writes a view on the frame that it received.
 */
import { readMembership, readNodeId, writeMembership } from '@conclave/engine-parts'
import { ByteReader, ByteWriter, type Chunks, MalformedBytes, type Membership, type NodeId } from '@conclave/interface'
import { decodeTransaction, type Transaction } from './transaction.ts'
import { readZxid, writeZxid, type ZabEpoch, type Zxid, zabEpoch, zxidBytes } from './zxid.ts'

export const messageVersion = 1

const types = {
  notification: 1,
  cepoch: 2,
  newEpoch: 3,
  ackEpoch: 4,
  trunc: 5,
  diff: 6,
  propose: 7,
  ack: 8,
  newLeader: 9,
  ackLeader: 10,
  commitLeader: 11,
  commit: 12,
  ping: 13,
  pong: 14,
  handOver: 15,
  takeOver: 16,
} as const

export const states = ['LOOKING', 'FOLLOWING', 'LEADING'] as const
export type PeerState = (typeof states)[number]

/** Whom a node would have lead, and how complete that node's history is: the greatest in this order wins. */
export interface Vote {
  readonly leader: NodeId
  /** The candidate's currentEpoch. */
  readonly epoch: ZabEpoch
  /** The candidate's last transaction. */
  readonly zxid: Zxid
  /** The candidate is no voter of its own latest configuration: it may be needed, but among equals another is better. */
  readonly leaving?: true
}

/** A message, by its type. */
export type Message = { readonly epoch: ZabEpoch } & (
  | /** Fast leader election: the sender's state and vote in round `round`. */ {
      readonly type: 'notification'
      readonly round: number
      readonly state: PeerState
      readonly vote: Vote | undefined
    }
  /** The sender takes the receiver for the leader, and has promised `epoch` to `acceptedFrom` (CEPOCH). */
  | { readonly type: 'cepoch'; readonly acceptedFrom: NodeId | undefined }
  /** The leader's epoch: promise to follow no earlier one (NEWEPOCH). */
  | { readonly type: 'newEpoch' }
  /** The promise, and the history of its sender in short: its currentEpoch, its last position and that one's zxid (ACK-E). Also the answer to TRUNC. */
  | { readonly type: 'ackEpoch'; readonly currentEpoch: ZabEpoch; readonly last: number; readonly zxid: Zxid }
  /** A history that ends with `last`, as its owner told, forgets every transaction above `zxid`; its owner says what is left. */
  | { readonly type: 'trunc'; readonly last: Zxid; readonly zxid: Zxid }
  /** What the receiver has up to `position`, which ends with `zxid`, is the leader's history; what is proposed from there on follows. */
  | { readonly type: 'diff'; readonly position: number; readonly zxid: Zxid }
  /** Transactions for the positions from `first` on. Every position up to `committed` is. */
  | {
      readonly type: 'propose'
      readonly first: number
      readonly committed: number
      readonly transactions: readonly Transaction[]
    }
  /** The leader's history is here, durably, up to `position`. With `resume` what follows there is wanted (again). */
  | { readonly type: 'ack'; readonly position: number; readonly resume: boolean }
  /** The initial history of this epoch ends at `position` (NEWLEADER). */
  | { readonly type: 'newLeader'; readonly position: number }
  /** It is here, durably, and so is that it counts (ACK-LD). */
  | { readonly type: 'ackLeader' }
  /** A quorum has acknowledged the leader; every position up to `committed` is committed (COMMIT-LD). */
  | { readonly type: 'commitLeader'; readonly committed: number }
  | { readonly type: 'commit'; readonly committed: number }
  /**
   * The leader is there; `established`: a quorum has acknowledged it. `round` makes it a quorum round for reads; `sent` asks whether everything up to that
   * position has arrived (0: it does not); with `lease` a pledge is asked for.
   */
  | {
      readonly type: 'ping'
      readonly established: boolean
      readonly lease: boolean
      readonly round: number
      readonly committed: number
      readonly sent: number
    }
  | { readonly type: 'pong'; readonly round: number; readonly pledged: boolean }
  /** The leader gives its epoch away to the receiver. */
  | { readonly type: 'handOver' }
  /** The sender begins anew, as the leader of `epoch` has asked it to: follow it. */
  | { readonly type: 'takeOver' }
)

/** A sign of life, and nothing else. */
export const plainPing = (epoch: ZabEpoch): MessageOf<'ping'> => ({
  type: 'ping',
  epoch,
  established: false,
  lease: false,
  round: 0,
  committed: 0,
  sent: 0,
})

export type MessageOf<Type extends Message['type']> = Message & { readonly type: Type }

const head = ({ type, epoch }: Message): ByteWriter => new ByteWriter(48).u8(messageVersion).u8(types[type]).u53(epoch)

/** Bytes of a PROPOSE before its transactions, and of a transaction before its encoding. */
export const proposeHeadBytes = 30
export const transactionLengthBytes = 4

export const encodeMessage = (message: Message): Chunks =>
  message.type === 'propose' ? encodePropose(message) : [writeBody(head(message), message).take()]

/** All but the transactions. */
const writeBody = (writer: ByteWriter, message: Message): ByteWriter => {
  switch (message.type) {
    case 'propose':
      return writer.u53(message.first).u53(message.committed).u32(message.transactions.length)
    case 'notification':
      return writeVote(writer.u53(message.round).u8(states.indexOf(message.state)), message.vote)
    case 'cepoch':
      return writer.string(message.acceptedFrom ?? '')
    case 'ackEpoch':
      return writeZxid(writer.u53(message.currentEpoch).u53(message.last), message.zxid)
    case 'trunc':
      return writeZxid(writeZxid(writer, message.last), message.zxid)
    case 'diff':
      return writeZxid(writer.u53(message.position), message.zxid)
    case 'ack':
      return writer.u53(message.position).u8(message.resume ? 1 : 0)
    case 'newLeader':
      return writer.u53(message.position)
    case 'commitLeader':
    case 'commit':
      return writer.u53(message.committed)
    case 'ping':
      return writer
        .u8((message.established ? establishedFlag : 0) | (message.lease ? leaseFlag : 0))
        .u53(message.round)
        .u53(message.committed)
        .u53(message.sent)
    case 'pong':
      return writer.u53(message.round).u8(message.pledged ? 1 : 0)
    case 'newEpoch':
    case 'ackLeader':
    case 'handOver':
    case 'takeOver':
      return writer
  }
}

const establishedFlag = 1
const leaseFlag = 2

/** What stands before a vote. */
const plainVote = 1
const leavingVote = 2

const writeVote = (writer: ByteWriter, vote: Vote | undefined): ByteWriter =>
  vote === undefined
    ? writer.u8(0)
    : writeZxid(
        writer
          .u8(vote.leaving ? leavingVote : plainVote)
          .string(vote.leader)
          .u53(vote.epoch),
        vote.zxid,
      )

const encodePropose = (message: MessageOf<'propose'>): Chunks => {
  const { transactions } = message
  const chunks: Uint8Array[] = []
  const writer = writeBody(head(message), message)
  for (const { size, encoded } of transactions) {
    writer.u32(size)
    chunks.push(writer.take(), ...encoded)
  }
  if (transactions.length === 0) chunks.push(writer.take())
  return chunks
}

/** @throws MalformedBytes on an unknown version or type, transactions out of order, a length that does not fit, or bytes left over. */
export const decodeMessage = (bytes: Uint8Array): Message => {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== messageVersion)
    throw new MalformedBytes(`a Zab message of version ${version}; this build speaks version ${messageVersion}`)
  const type = reader.u8()
  const message = decodeBody(type, zabEpoch(reader.u53()), reader)
  reader.end()
  return message
}

const decodeBody = (type: number, epoch: ZabEpoch, reader: ByteReader): Message => {
  switch (type) {
    case types.notification:
      return { type: 'notification', epoch, round: reader.u53(), state: readState(reader), vote: readVote(reader) }
    case types.cepoch:
      return { type: 'cepoch', epoch, acceptedFrom: epoch === 0 ? readNobody(reader) : readNodeId(reader) }
    case types.newEpoch:
      return { type: 'newEpoch', epoch }
    case types.ackEpoch:
      return { type: 'ackEpoch', epoch, ...readReport(reader, epoch) }
    case types.trunc:
      return { type: 'trunc', epoch, last: readZxid(reader), zxid: readZxid(reader) }
    case types.diff:
      return { type: 'diff', epoch, position: reader.u53(), zxid: readZxid(reader) }
    case types.propose:
      return decodePropose(epoch, reader)
    case types.ack:
      return { type: 'ack', epoch, position: reader.u53(), resume: flags(reader, 1) === 1 }
    case types.newLeader:
      return { type: 'newLeader', epoch, position: reader.u53() }
    case types.ackLeader:
      return { type: 'ackLeader', epoch }
    case types.commitLeader:
      return { type: 'commitLeader', epoch, committed: reader.u53() }
    case types.commit:
      return { type: 'commit', epoch, committed: reader.u53() }
    case types.ping:
      return decodePing(epoch, reader)
    case types.pong:
      return { type: 'pong', epoch, round: reader.u53(), pledged: flags(reader, 1) === 1 }
    case types.handOver:
      return { type: 'handOver', epoch }
    case types.takeOver:
      return { type: 'takeOver', epoch }
    default:
      throw new MalformedBytes(`a Zab message of type ${type}`)
  }
}

const flags = (reader: ByteReader, most: number): number => {
  const bits = reader.u8()
  if (bits > most) throw new MalformedBytes(`flags of ${bits}, at most ${most} are known`)
  return bits
}

const readNobody = (reader: ByteReader): undefined => {
  reader.string(0)
  return undefined
}

const readState = (reader: ByteReader): PeerState => {
  const number = reader.u8()
  const state = states[number]
  if (state === undefined) throw new MalformedBytes(`a state of ${number}`)
  return state
}

const readVote = (reader: ByteReader): Vote | undefined => {
  const kind = flags(reader, leavingVote)
  if (kind === 0) return undefined
  const vote = { leader: readNodeId(reader), epoch: zabEpoch(reader.u53()), zxid: readZxid(reader) }
  return kind === leavingVote ? { ...vote, leaving: true } : vote
}

const readReport = (reader: ByteReader, epoch: ZabEpoch): Omit<MessageOf<'ackEpoch'>, 'type' | 'epoch'> => {
  const report = { currentEpoch: zabEpoch(reader.u53()), last: reader.u53(), zxid: readZxid(reader) }
  if (report.currentEpoch > epoch || report.zxid.epoch > epoch)
    throw new MalformedBytes(`a history of epoch ${report.currentEpoch} that promises epoch ${epoch}`)
  if (report.last < report.zxid.counter)
    throw new MalformedBytes(
      `a history of ${report.last} transactions, ${report.zxid.counter} of them in its last epoch`,
    )
  return report
}

const decodePing = (epoch: ZabEpoch, reader: ByteReader): Message => {
  const bits = flags(reader, establishedFlag | leaseFlag)
  return {
    type: 'ping',
    epoch,
    established: (bits & establishedFlag) !== 0,
    lease: (bits & leaseFlag) !== 0,
    round: reader.u53(),
    committed: reader.u53(),
    sent: reader.u53(),
  }
}

const decodePropose = (epoch: ZabEpoch, reader: ByteReader): Message => {
  const first = reader.u53()
  const committed = reader.u53()
  if (first === 0) throw new MalformedBytes('a proposal for position 0')
  const transactions: Transaction[] = []
  for (let left = reader.u32(); left > 0; left--) {
    const transaction = decodeTransaction(reader.bytes())
    const before = transactions.at(-1)?.zxid
    checkOrder(before, transaction.zxid, epoch)
    transactions.push(transaction)
  }
  return { type: 'propose', epoch, first, committed, transactions }
}

/** Within an epoch counters follow each other; a later epoch begins with 1; none is later than the leader's. */
const checkOrder = (before: Zxid | undefined, { epoch, counter }: Zxid, leaders: ZabEpoch): void => {
  if (epoch > leaders) throw new MalformedBytes(`a transaction of epoch ${epoch} from the leader of ${leaders}`)
  if (before === undefined) return
  const follows = epoch === before.epoch ? counter === before.counter + 1 : epoch > before.epoch && counter === 1
  if (!follows)
    throw new MalformedBytes(`transaction ${epoch}.${counter} right after ${before.epoch}.${before.counter}`)
}

/** What a snapshot stands for: in the journal beside its body, and ahead of it on the wire (SNAP). */
export interface SnapshotHeader {
  /** Of the leader that sends it; in the journal, of the node's last promise. */
  readonly epoch: ZabEpoch
  readonly position: number
  /** Of the transaction at `position`. */
  readonly zxid: Zxid
  /** The configuration as of `position`. */
  readonly membership: Membership
}

export const encodeSnapshotHeader = ({ epoch, position, zxid, membership }: SnapshotHeader): Uint8Array => {
  const writer = writeZxid(new ByteWriter(256).u8(messageVersion).u53(epoch).u53(position), zxid)
  writeMembership(writer, membership)
  return writer.take()
}

/** @throws MalformedBytes. */
export const decodeSnapshotHeader = (bytes: Uint8Array): SnapshotHeader => {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== messageVersion)
    throw new MalformedBytes(`a Zab snapshot header of version ${version}; this build reads version ${messageVersion}`)
  const [epoch, position, zxid] = [zabEpoch(reader.u53()), reader.u53(), readZxid(reader)]
  const header = { epoch, position, zxid, membership: readMembership(reader) }
  if (position === 0 || position < zxid.counter) throw new MalformedBytes(`a snapshot at position ${position}`)
  if (zxid.epoch > epoch) throw new MalformedBytes(`a snapshot of epoch ${zxid.epoch} from a leader of epoch ${epoch}`)
  return header
}

/** Bytes around a transaction in the largest of its messages. */
export const mostOverhead = proposeHeadBytes + transactionLengthBytes + zxidBytes + 1
