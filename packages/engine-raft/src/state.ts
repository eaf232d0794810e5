import {
  assert,
  ByteReader,
  ByteWriter,
  type Chunks,
  type Decided,
  type Effects,
  type EngineInit,
  type EngineLimits,
  type Epoch,
  type JournalOp,
  type JournalState,
  type Lane,
  MalformedBytes,
  type Membership,
  type NodeId,
  type Outcome,
  type Peer,
  type Position,
  position,
  type Random,
  type RequestId,
  type Send,
  type Settle,
  type SnapshotId,
  slot,
  type Timing,
  type WriteId,
  writeId,
} from '@conclave/interface'
import { type Quorum, quorumOf } from '@conclave/quorum'
import { decodeEntry, decodeMembers, decodeReign, type Entry, entryKind, readNodeId, type Term, term } from './entry.ts'
import { RaftLog } from './log.ts'
import { decodeSnapshotHeader, encodeMessage, type Message } from './messages.ts'
import type { Role } from './roles/role.ts'
import { StableMark } from './stable.ts'

/** A snapshot that is named in the journal. */
export interface NamedSnapshot {
  readonly id: SnapshotId
  readonly position: number
  readonly lastTerm: Term
  readonly membership: Membership
}

/** Mutable halves of `Effects`, collected between two drains. */
class Outbox {
  ops: JournalOp[] = []
  send: Send[] = []
  decide: Decided[] = []
  settle: Settle[] = []
  peers: readonly Peer[] | undefined
  capture = false
  sendSnapshot: { to: NodeId; id: SnapshotId; header: Uint8Array }[] = []
  answerSnapshot: { from: NodeId; accept: boolean }[] = []
  restore: { id: SnapshotId; position: Position; epoch: Epoch } | undefined
}

/**
 * What a Raft server holds (Raft, extended version, figure 2), and the primitive changes to it that keep it consistent with the journal. It knows
 * no protocol: who may do what, and when, is in `roles/` and in the file of each concern.
 */
export class RaftState {
  readonly self: NodeId
  readonly timing: Timing
  readonly limits: EngineLimits
  readonly random: Random
  readonly log: RaftLog
  readonly stable: StableMark
  role: Role
  /** currentTerm and votedFor: one durable record. */
  term: Term
  vote: NodeId | undefined
  leader: NodeId | undefined
  /** commitIndex. */
  commit: number
  /** Bytes of the decided entries in memory. */
  tailBytes = 0
  membership: Membership
  quorum: Quorum
  snapshot: NamedSnapshot | undefined
  disk: 'ok' | 'slow' | 'full' = 'ok'
  malformed = 0
  /** Ticks since a leader of this term was heard. */
  sinceLeader: number
  /** The leader's link was reset: it may be forgotten at once (never while leases are in use, which this engine does not offer). */
  leaderGone = false

  #metaDirty = false
  #configurations: { readonly position: number; readonly membership: Membership }[] = []
  #nextWrite = 1
  #toldTerm: Term | undefined
  #toldLeader: NodeId | undefined
  #out = new Outbox()

  constructor(init: EngineInit, role: Role) {
    this.self = init.self
    this.timing = init.timing
    this.limits = init.limits
    this.random = init.random
    this.role = role
    const { term: metaTerm, vote } = decodeMeta(init.recovered.meta)
    this.term = metaTerm
    this.vote = vote
    this.snapshot = recoveredSnapshot(init.recovered)
    const base = this.snapshot?.position ?? 0
    this.log = new RaftLog(base, this.snapshot?.lastTerm ?? term(0))
    this.commit = base
    this.membership = this.snapshot?.membership ?? init.founders
    this.#configurations.push({ position: base, membership: this.membership })
    for (const { slot: at, bytes } of init.recovered.entries) if (at > base) this.#recover(at, decodeEntry(bytes))
    assert(
      this.log.lastTerm <= this.term,
      `the log ends in term ${this.log.lastTerm}, but the journal's term is ${this.term}`,
    )
    this.stable = new StableMark(this.log.last)
    this.quorum = quorumOf(this.membership)
    this.sinceLeader = init.timing.electionTicks
    this.#out.peers = this.peers()
  }

  #recover(at: number, entry: Entry): void {
    assert(at === this.log.last + 1, `the journal has slot ${at} after ${this.log.last}`)
    this.log.append(entry)
    if (entry.kind === entryKind.members) this.#configure(at, decodeMembers(entry.payload))
  }

  // ---- durable changes ------------------------------------------------------------------------------------------------------------

  /** Enters a term, with or without a vote. The journal gets it before any entry of that term and before any answer that rests on it. */
  enterTerm(next: Term, vote: NodeId | undefined): void {
    assert(
      next > this.term || (next === this.term && this.vote === undefined),
      `from term ${this.term} (vote ${this.vote}) to ${next} (vote ${vote})`,
    )
    if (next > this.term) this.leader = undefined
    this.term = next
    this.vote = vote
    this.#metaDirty = true
  }

  append(entry: Entry): number {
    const at = this.log.append(entry)
    this.#out.ops.push({ type: 'put', slot: slot(at), bytes: entry.encoded })
    if (entry.kind === entryKind.members) this.#configure(at, decodeMembers(entry.payload))
    return at
  }

  truncateFrom(at: number): void {
    assert(at > this.commit, `truncation at ${at} reaches into what is committed (${this.commit})`)
    this.log.truncateFrom(at)
    this.stable.truncatedFrom(at)
    this.#out.ops.push({ type: 'truncateFrom', slot: slot(at) })
    while ((this.#configurations.at(-1)?.position ?? 0) >= at) this.#configurations.pop()
    this.#adopt()
  }

  /** Names a snapshot; the journal keeps only what lies above it. */
  nameSnapshot(snapshot: NamedSnapshot, header: Uint8Array): void {
    this.snapshot = snapshot
    this.log.snapshotAt(snapshot.position)
    this.#out.ops.push(
      { type: 'snapshot', id: snapshot.id, position: position(snapshot.position), header },
      { type: 'compactTo', slot: slot(snapshot.position) },
    )
    const current = this.membershipAt(snapshot.position)
    this.#configurations = [
      { position: snapshot.position, membership: current },
      ...this.#configurations.filter((c) => c.position > snapshot.position),
    ]
  }

  /** Replaces log and state by a received snapshot (figure 13, steps 6 to 8 of the receiver). */
  installSnapshot(snapshot: NamedSnapshot, header: Uint8Array): void {
    assert(
      snapshot.position > this.commit,
      `a snapshot at ${snapshot.position} would take back what is committed (${this.commit})`,
    )
    this.#configurations = [{ position: snapshot.position, membership: snapshot.membership }]
    if (this.log.last > this.commit) this.#out.ops.push({ type: 'truncateFrom', slot: slot(this.commit + 1) })
    this.stable.reset()
    this.log.reset(snapshot.position, snapshot.lastTerm)
    this.tailBytes = 0
    this.nameSnapshot(snapshot, header)
    this.commit = snapshot.position
    this.#out.decide = []
    this.#out.restore = { id: snapshot.id, position: position(snapshot.position), epoch: epochOf(snapshot.lastTerm) }
    this.#adopt()
  }

  // ---- configurations: the latest in the log is used, committed or not (section 6) ---------------------------------------------------

  #configure(at: number, membership: Membership): void {
    this.#configurations.push({ position: at, membership })
    this.#adopt()
  }

  #adopt(): void {
    const latest = this.#configurations.at(-1)
    assert(latest !== undefined, 'there is always a configuration')
    this.membership = latest.membership
    this.quorum = quorumOf(latest.membership)
    this.#out.peers = this.peers()
  }

  /** The configuration as of a position at or above the last snapshot. */
  membershipAt(at: number): Membership {
    const found = this.#configurations.findLast((configuration) => configuration.position <= at)
    assert(found !== undefined, `no configuration is known at ${at}`)
    return found.membership
  }

  peers(): readonly Peer[] {
    return this.membership.members.filter((member) => member.id !== this.self)
  }

  get isVoter(): boolean {
    return this.membership.members.some((member) => member.id === this.self && member.role === 'voter')
  }

  // ---- commit -------------------------------------------------------------------------------------------------------------------------

  /** Advances commitIndex and hands over what became decided. Never goes back. */
  commitTo(to: number): void {
    for (let at = this.commit + 1; at <= to; at++) {
      const entry = this.log.entry(at)
      this.#out.decide.push(decided(at, entry))
      this.tailBytes += entry.size
    }
    this.commit = Math.max(this.commit, to)
  }

  /** Drops decided entries from memory beyond the tail's bound, but not above `keep` unless the bound is exceeded eightfold. */
  evictTail(keep: number): void {
    const { log, limits } = this
    if (this.tailBytes <= limits.tailBytes) return
    const floor = this.tailBytes > limits.tailBytes * 8 ? this.commit : Math.min(this.commit, keep)
    let to = log.base
    while (to < floor && this.tailBytes > limits.tailBytes) {
      to++
      this.tailBytes -= log.entry(to).size
    }
    log.evictTo(to)
  }

  // ---- effects ------------------------------------------------------------------------------------------------------------------------

  /** Sends a message that waits until everything written so far is durable. */
  sendDurable(to: NodeId, message: Message): void {
    this.#send(to, encodeMessage(message), 'urgent', false)
  }

  /** Sends a message that promises nothing that is not on disk yet. */
  sendEarly(to: NodeId, message: Message): void {
    this.#send(to, encodeMessage(message), message.type === 'append' ? 'bulk' : 'urgent', true)
  }

  #send(to: NodeId, message: Chunks, lane: Lane, early: boolean): void {
    this.#out.send.push(early ? { to, message, lane, early } : { to, message, lane })
  }

  settle(id: RequestId, outcome: Outcome): void {
    this.#out.settle.push({ id, outcome })
  }

  sendSnapshot(to: NodeId, id: SnapshotId, header: Uint8Array): void {
    this.#out.sendSnapshot.push({ to, id, header })
  }

  answerSnapshot(from: NodeId, accept: boolean): void {
    this.#out.answerSnapshot.push({ from, accept })
  }

  askForCapture(): void {
    this.#out.capture = true
  }

  /** The id that the next write will have, if this turn writes anything. */
  get nextWrite(): WriteId {
    return writeId(this.#nextWrite)
  }

  drain(): Effects {
    const out = this.#out
    this.#out = new Outbox()
    const ops = this.#metaDirty
      ? [{ type: 'meta', bytes: encodeMeta(this.term, this.vote) } as const, ...out.ops]
      : out.ops
    this.#metaDirty = false
    const leader = this.#leaderChange()
    return {
      send: out.send,
      decide: out.decide,
      settle: out.settle,
      ...(ops.length > 0 && { write: this.#issue(ops) }),
      ...(leader !== undefined && { leader }),
      ...(out.peers !== undefined && { peers: out.peers }),
      ...(out.capture && { capture: true as const }),
      ...(out.sendSnapshot.length > 0 && { sendSnapshot: out.sendSnapshot }),
      ...(out.answerSnapshot.length > 0 && { answerSnapshot: out.answerSnapshot }),
      ...(out.restore !== undefined && { restore: out.restore }),
    }
  }

  #issue(ops: readonly JournalOp[]): { id: WriteId; ops: readonly JournalOp[] } {
    const id = this.nextWrite
    this.#nextWrite++
    this.stable.issued(id, this.log.last)
    return { id, ops }
  }

  #leaderChange(): Effects['leader'] {
    if (this.#toldTerm === this.term && this.#toldLeader === this.leader) return undefined
    this.#toldTerm = this.term
    this.#toldLeader = this.leader
    return this.leader === undefined ? { epoch: epochOf(this.term) } : { epoch: epochOf(this.term), id: this.leader }
  }
}

export const epochOf = (of: Term): Epoch => BigInt(of) as Epoch

const decided = (at: number, entry: Entry): Decided => {
  const where = { position: position(at), epoch: epochOf(entry.term) }
  switch (entry.kind) {
    case entryKind.batch:
      return { type: 'batch', ...where, batch: entry.payload }
    case entryKind.reign:
      return { type: 'reign', ...where, leader: decodeReign(entry.payload) }
    case entryKind.members:
      return { type: 'members', ...where, membership: decodeMembers(entry.payload) }
  }
}

const metaVersion = 1

/** `version u8 = 1 · term u53 · voted u8 · vote string, if voted`. */
export const encodeMeta = (metaTerm: Term, vote: NodeId | undefined): Uint8Array => {
  const writer = new ByteWriter().u8(metaVersion).u53(metaTerm)
  return (vote === undefined ? writer.u8(0) : writer.u8(1).string(vote)).take()
}

export const decodeMeta = (bytes: Uint8Array | undefined): { term: Term; vote: NodeId | undefined } => {
  if (bytes === undefined) return { term: term(0), vote: undefined }
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== metaVersion)
    throw new MalformedBytes(`Raft's metadata is of version ${version}; this build reads version ${metaVersion}`)
  const meta = { term: term(reader.u53()), vote: reader.u8() === 0 ? undefined : readNodeId(reader) }
  reader.end()
  return meta
}

const recoveredSnapshot = ({ snapshot }: JournalState): NamedSnapshot | undefined => {
  if (snapshot === undefined) return undefined
  const header = decodeSnapshotHeader(snapshot.header)
  assert(
    header.position === snapshot.position,
    `the journal names a snapshot at ${snapshot.position}, its header says ${header.position}`,
  )
  return { id: snapshot.id, position: header.position, lastTerm: header.lastTerm, membership: header.membership }
}
