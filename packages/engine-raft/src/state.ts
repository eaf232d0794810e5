import { Configurations, decodeMembers, Outbox, Pledge, StableMark } from '@conclave/engine-parts'
import {
  assert,
  type Chunks,
  type Decided,
  type Effects,
  type EngineInit,
  type EngineLimits,
  type Epoch,
  type JournalState,
  type Lane,
  type Membership,
  type Monotonic,
  type NodeId,
  type Outcome,
  type Peer,
  position,
  type Random,
  type RequestId,
  type SnapshotId,
  slot,
  type Timing,
  type WriteId,
} from '@conclave/interface'
import { type Quorum, quorumOf } from '@conclave/quorum'
import { decodeEntry, decodeReign, type Entry, entryKind, type Term, term } from './entry.ts'
import { RaftLog } from './log.ts'
import { decodeSnapshotHeader, encodeMessage, type Message, type MessageVersion } from './messages.ts'
import { decodeMeta, encodeMeta } from './meta.ts'
import type { Role } from './roles/role.ts'

/** A snapshot that is named in the journal. */
export interface NamedSnapshot {
  readonly id: SnapshotId
  readonly position: number
  readonly lastTerm: Term
  readonly membership: Membership
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
  readonly configurations: Configurations
  quorum: Quorum
  /** Peers that are members no more, and are still told so: links to them are held. */
  readonly departing = new Map<NodeId, Peer>()
  snapshot: NamedSnapshot | undefined
  disk: 'ok' | 'slow' | 'full' = 'ok'
  malformed = 0
  /** Ticks since a leader of this term was heard. */
  sinceLeader: number
  /** The leader's link was reset: it may be forgotten at once, unless it was promised otherwise. */
  leaderGone = false
  /** The time of the present step. */
  now = 0 as Monotonic
  /** Whether this server, while it leads, serves reads under a lease. */
  readonly leases: boolean
  /** The newest version of messages that this server knows. */
  readonly version: MessageVersion
  readonly pledge: Pledge

  #metaDirty = false
  readonly #out = new Outbox()

  constructor(init: EngineInit, role: Role, version: MessageVersion) {
    this.self = init.self
    this.timing = init.timing
    this.limits = init.limits
    this.random = init.random
    this.role = role
    this.version = version
    this.leases = init.leases === true && version > 1
    const { term: metaTerm, vote, promised } = decodeMeta(init.recovered.meta)
    this.term = metaTerm
    this.vote = vote
    this.pledge = new Pledge(promised, init.timing.electionTicks * init.timing.tickMillis)
    this.snapshot = recoveredSnapshot(init.recovered)
    const base = this.snapshot?.position ?? 0
    this.log = new RaftLog(base, this.snapshot?.lastTerm ?? term(0))
    this.commit = base
    const guessed = this.snapshot === undefined && !init.founders.members.some(({ id }) => id === init.self)
    this.configurations = new Configurations(base, this.snapshot?.membership ?? init.founders, guessed)
    for (const { slot: at, bytes } of init.recovered.entries) if (at > base) this.#recover(at, decodeEntry(bytes))
    assert(
      this.log.lastTerm <= this.term,
      `the log ends in term ${this.log.lastTerm}, but the journal's term is ${this.term}`,
    )
    this.stable = new StableMark(this.log.last)
    this.quorum = quorumOf(this.membership)
    this.sinceLeader = init.timing.electionTicks
    this.#tellPeers()
  }

  #recover(at: number, entry: Entry): void {
    assert(at === this.log.last + 1, `the journal has slot ${at} after ${this.log.last}`)
    this.log.append(entry)
    if (entry.kind === entryKind.members) this.configurations.append(at, decodeMembers(entry.payload))
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

  /** Promises `to`, the leader, what a `Pledge` says. @returns whether it may be told at once. */
  promise(to: NodeId): boolean {
    if (!this.pledge.made) this.#metaDirty = true
    return this.pledge.give(to, this.now, this.#out.nextWrite)
  }

  append(entry: Entry): number {
    const at = this.log.append(entry)
    this.#out.ops.push({ type: 'put', slot: slot(at), bytes: entry.encoded })
    if (entry.kind === entryKind.members) {
      this.configurations.append(at, decodeMembers(entry.payload))
      this.#adopt()
    }
    return at
  }

  truncateFrom(at: number): void {
    assert(at > this.commit, `truncation at ${at} reaches into what is committed (${this.commit})`)
    this.log.truncateFrom(at)
    this.stable.truncatedFrom(at)
    this.#out.ops.push({ type: 'truncateFrom', slot: slot(at) })
    if (this.configurations.latest.position < at) return
    this.configurations.truncateFrom(at)
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
    this.configurations.snapshotAt(snapshot.position)
  }

  /** Replaces log and state by a received snapshot (figure 13, steps 6 to 8 of the receiver). */
  installSnapshot(snapshot: NamedSnapshot, header: Uint8Array): void {
    assert(
      snapshot.position > this.commit,
      `a snapshot at ${snapshot.position} would take back what is committed (${this.commit})`,
    )
    this.configurations.reset(snapshot.position, snapshot.membership)
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

  get membership(): Membership {
    return this.configurations.latest.membership
  }

  #adopt(): void {
    this.quorum = quorumOf(this.membership)
    this.#tellPeers()
  }

  /** Everyone to hold a link to: the members of every configuration that may still count, and who leaves. */
  peers(): readonly Peer[] {
    const peers = new Map([...this.departing, ...this.configurations.peers(this.commit)])
    peers.delete(this.self)
    return [...peers.values()]
  }

  #tellPeers(): void {
    this.#out.peers = this.peers()
  }

  /** Holds on to a peer that is a member no more. */
  depart(peer: Peer): void {
    this.departing.set(peer.id, peer)
    this.#tellPeers()
  }

  /** Lets go of peers that were held on to. */
  departed(ids: Iterable<NodeId>): void {
    const before = this.departing.size
    for (const id of ids) this.departing.delete(id)
    if (this.departing.size < before) this.#tellPeers()
  }

  // ---- commit -------------------------------------------------------------------------------------------------------------------------

  /** Advances commitIndex and hands over what became decided. Never goes back. */
  commitTo(to: number): void {
    let configured = false
    for (let at = this.commit + 1; at <= to; at++) {
      const entry = this.log.entry(at)
      this.#out.decide.push(decided(at, entry))
      this.tailBytes += entry.size
      configured ||= entry.kind === entryKind.members
    }
    this.commit = Math.max(this.commit, to)
    if (configured) this.#tellPeers()
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
    this.#out.settle(id, outcome)
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
    return this.#out.nextWrite
  }

  drain(): Effects {
    const meta = this.#metaDirty ? encodeMeta(this.term, this.vote, this.pledge.made) : undefined
    this.#metaDirty = false
    const epoch = epochOf(this.term)
    const effects = this.#out.drain(meta, this.leader === undefined ? { epoch } : { epoch, id: this.leader })
    if (effects.write !== undefined) this.stable.issued(effects.write.id, this.log.last)
    return effects
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

const recoveredSnapshot = ({ snapshot }: JournalState): NamedSnapshot | undefined => {
  if (snapshot === undefined) return undefined
  const header = decodeSnapshotHeader(snapshot.header)
  assert(
    header.position === snapshot.position,
    `the journal names a snapshot at ${snapshot.position}, its header says ${header.position}`,
  )
  return { id: snapshot.id, position: header.position, lastTerm: header.lastTerm, membership: header.membership }
}
