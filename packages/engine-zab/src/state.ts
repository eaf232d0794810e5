import { Configurations, decodeMembers, Outbox, Pledge, StableMark } from '@conclave/engine-parts'
import {
  assert,
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
  type Peer,
  position,
  type Random,
  type SnapshotId,
  slot,
  type Timing,
} from '@conclave/interface'
import { type Quorum, quorumOf } from '@conclave/quorum'
import { History } from './history.ts'
import { decodeSnapshotHeader, encodeMessage, encodeSnapshotHeader, type Message } from './messages.ts'
import { decodeMeta, encodeMeta } from './meta.ts'
import type { Role } from './roles/role.ts'
import { decodeReign, decodeTransaction, type Transaction, transactionKind } from './transaction.ts'
import { noZxid, showZxid, type ZabEpoch, type Zxid } from './zxid.ts'

/** A snapshot that is named in the journal. */
export interface NamedSnapshot {
  readonly id: SnapshotId
  readonly position: number
  readonly zxid: Zxid
  readonly membership: Membership
}

/** Messages that must not overtake each other, nor be overtaken by a heartbeat's news. */
const inStream: ReadonlySet<Message['type']> = new Set(['propose', 'diff', 'newLeader'])

/**
 * What a Zab node holds (DSN 2011: history, acceptedEpoch, currentEpoch), and the primitive changes to it that keep it consistent with the journal. It knows no
 * protocol: who may do what, and when, is in `roles/` and in the file of each phase.
 */
export class ZabState {
  readonly self: NodeId
  readonly timing: Timing
  readonly limits: EngineLimits
  readonly random: Random
  /** After so many transactions an epoch is exhausted. */
  readonly mostCounter: number
  readonly history: History
  readonly stable: StableMark
  readonly out = new Outbox()
  role: Role
  acceptedEpoch: ZabEpoch
  acceptedFrom: NodeId | undefined
  currentEpoch: ZabEpoch
  /** Who leads, as far as a quorum is known to follow it. */
  leader: NodeId | undefined
  /** Everything up to here is committed, and delivered. */
  committed: number
  /** Logical clock of the election. Not kept over a restart: it is learned from the others. */
  round = 0
  /** Ticks after which a node that looks notifies everybody again: more and more, until it has a leader that a quorum follows. */
  notifyTicks: number
  /** A candidate that was followed and never answered, and ticks until it is voted for again: it may be reachable by others, but not by a quorum. */
  passedOver: { readonly id: NodeId; ticksLeft: number } | undefined
  /** Bytes of the committed transactions in memory. */
  tailBytes = 0
  readonly configurations: Configurations
  quorum: Quorum
  /** Peers that are members no more, and are still told so: links to them are held. */
  readonly departing = new Map<NodeId, Peer>()
  /** Peers to which there is a link. */
  readonly linked = new Set<NodeId>()
  snapshot: NamedSnapshot | undefined
  disk: 'ok' | 'slow' | 'full' = 'ok'
  malformed = 0
  /** Writes up to this one are durable. */
  durable = 0
  /** An attempt to lead failed because this write did not become durable: until it is, no other is made. */
  stalledOn = 0
  /** As of the present step. */
  now = 0 as Monotonic
  /** Whether this node serves reads under a lease while it leads. */
  readonly leases: boolean
  readonly pledge: Pledge

  #metaDirty = false

  constructor(init: EngineInit, mostCounter: number, role: Role) {
    this.self = init.self
    this.timing = init.timing
    this.notifyTicks = init.timing.heartbeatTicks
    this.limits = init.limits
    this.random = init.random
    this.mostCounter = mostCounter
    this.role = role
    this.leases = init.leases === true
    const meta = decodeMeta(init.recovered.meta)
    this.acceptedEpoch = meta.acceptedEpoch
    this.acceptedFrom = meta.acceptedFrom
    this.currentEpoch = meta.currentEpoch
    this.pledge = new Pledge(meta.pledged, init.timing.electionTicks * init.timing.tickMillis)
    this.snapshot = recoveredSnapshot(init.recovered)
    const base = this.snapshot?.position ?? 0
    this.history = new History(base, this.snapshot?.zxid ?? noZxid)
    // What was logged beyond the snapshot may never have been committed: it is delivered when a leader says so, not now.
    this.committed = base
    const guessed = this.snapshot === undefined && !init.founders.members.some(({ id }) => id === init.self)
    this.configurations = new Configurations(base, this.snapshot?.membership ?? init.founders, guessed)
    for (const { slot: at, bytes } of init.recovered.entries) if (at > base) this.#recover(at, decodeTransaction(bytes))
    assert(
      this.history.lastZxid.epoch <= this.acceptedEpoch,
      `the history ends with ${showZxid(this.history.lastZxid)}, but the epoch that was accepted is ${this.acceptedEpoch}`,
    )
    this.stable = new StableMark(this.history.last)
    this.quorum = quorumOf(this.membership)
    this.#tellPeers()
  }

  #recover(at: number, transaction: Transaction): void {
    assert(at === this.history.last + 1, `the journal has slot ${at} after ${this.history.last}`)
    this.history.append(transaction)
    if (transaction.kind === transactionKind.members) this.configurations.append(at, decodeMembers(transaction.payload))
  }

  // ---- durable changes ----------------------------------------------------------------------------------------------------------------

  /** Promises to follow no leader of an earlier epoch. On disk before anything that rests on it leaves. */
  acceptEpoch(epoch: ZabEpoch, from: NodeId): void {
    assert(epoch > this.acceptedEpoch, `epoch ${epoch} was about to be accepted after ${this.acceptedEpoch}`)
    this.acceptedEpoch = epoch
    this.acceptedFrom = from
    this.#metaDirty = true
  }

  /**
   * The history is the initial one of this epoch, and what followed. The journal gets that after the history, or together with it: were it there first, a crash in
   * between would leave a node that claims a history which it lacks (ZOOKEEPER-3911, ZOOKEEPER-4643).
   */
  followEpoch(epoch: ZabEpoch): void {
    assert(
      epoch === this.acceptedEpoch && epoch >= this.currentEpoch,
      `epoch ${epoch} was about to be followed; accepted is ${this.acceptedEpoch}, followed was ${this.currentEpoch}`,
    )
    if (epoch === this.currentEpoch) return
    this.currentEpoch = epoch
    this.#metaDirty = true
  }

  /** Pledges to `to`, the leader, what a `Pledge` says. @returns whether it may be told at once. */
  pledgeTo(to: NodeId): boolean {
    if (!this.pledge.made) this.#metaDirty = true
    return this.pledge.give(to, this.now, this.out.nextWrite)
  }

  append(transaction: Transaction): number {
    const at = this.history.append(transaction)
    this.out.ops.push({ type: 'put', slot: slot(at), bytes: transaction.encoded })
    if (transaction.kind === transactionKind.members) {
      this.configurations.append(at, decodeMembers(transaction.payload))
      this.#adopt()
    }
    return at
  }

  truncateFrom(at: number): void {
    assert(at > this.committed, `truncation at ${at} reaches into what is committed (${this.committed})`)
    this.history.truncateFrom(at)
    this.stable.truncatedFrom(at)
    this.out.ops.push({ type: 'truncateFrom', slot: slot(at) })
    if (this.configurations.latest.position < at) return
    this.configurations.truncateFrom(at)
    this.#adopt()
  }

  /** Names a snapshot; the journal keeps only what lies above it. */
  nameSnapshot(snapshot: NamedSnapshot): void {
    this.snapshot = snapshot
    this.history.snapshotAt(snapshot.position)
    const header = encodeSnapshotHeader({ ...snapshot, epoch: this.acceptedEpoch })
    this.out.ops.push(
      { type: 'snapshot', id: snapshot.id, position: position(snapshot.position), header },
      { type: 'compactTo', slot: slot(snapshot.position) },
    )
    this.configurations.snapshotAt(snapshot.position)
  }

  /** Replaces history and state by a received snapshot. */
  installSnapshot(snapshot: NamedSnapshot): void {
    assert(
      snapshot.position > this.committed,
      `a snapshot at ${snapshot.position} would take back what is committed (${this.committed})`,
    )
    this.configurations.reset(snapshot.position, snapshot.membership)
    if (this.history.last > this.committed) this.out.ops.push({ type: 'truncateFrom', slot: slot(this.committed + 1) })
    this.stable.reset()
    this.history.startOver(snapshot.position, snapshot.zxid)
    this.tailBytes = 0
    this.nameSnapshot(snapshot)
    this.committed = snapshot.position
    this.out.decide = []
    this.out.restore = {
      id: snapshot.id,
      position: position(snapshot.position),
      epoch: epochOf(snapshot.zxid.epoch),
    }
    this.#adopt()
  }

  // ---- configurations: the latest in the history is used, committed or not ------------------------------------------------------------

  get membership(): Membership {
    return this.configurations.latest.membership
  }

  #adopt(): void {
    this.quorum = quorumOf(this.membership)
    this.#tellPeers()
  }

  /** Whether this node counts in some configuration that may still count, and so may lead. */
  get isVoter(): boolean {
    return this.configurations.counts(this.self, this.committed)
  }

  /** Everyone to hold a link to: the members of every configuration that may still count, and who leaves. */
  peers(): readonly Peer[] {
    const peers = new Map([...this.departing, ...this.configurations.peers(this.committed)])
    peers.delete(this.self)
    return [...peers.values()]
  }

  #tellPeers(): void {
    this.out.peers = this.peers()
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

  /** A quorum follows this leader. */
  hasLeader(leader: NodeId): void {
    this.leader = leader
    this.passedOver = undefined
    this.notifyTicks = this.timing.heartbeatTicks
  }

  // ---- commit ---------------------------------------------------------------------------------------------------------------------------

  /** Delivers, in the order of the zxids, what became committed. Never goes back. */
  commitTo(to: number): void {
    let configured = false
    for (let at = this.committed + 1; at <= to; at++) {
      const transaction = this.history.entry(at)
      this.out.decide.push(decided(at, transaction))
      this.tailBytes += transaction.size
      configured ||= transaction.kind === transactionKind.members
    }
    this.committed = Math.max(this.committed, to)
    if (configured) this.#tellPeers()
  }

  /** Drops committed transactions from memory beyond the tail's bound, but not above `keep` unless the bound is exceeded eightfold. */
  evictTail(keep: number): void {
    const { history, limits } = this
    if (this.tailBytes <= limits.tailBytes) return
    const floor = this.tailBytes > limits.tailBytes * 8 ? this.committed : Math.min(this.committed, keep)
    let to = history.base
    while (to < floor && this.tailBytes > limits.tailBytes) {
      to++
      this.tailBytes -= history.entry(to).size
    }
    history.evictTo(to)
  }

  // ---- effects --------------------------------------------------------------------------------------------------------------------------

  /** Sends a message that waits until everything written so far is durable. */
  sendDurable(to: NodeId, message: Message): void {
    this.out.send.push({ to, message: encodeMessage(message), lane: laneOf(message) })
  }

  /** Sends a message that promises nothing that is not on disk yet. */
  sendEarly(to: NodeId, message: Message): void {
    this.out.send.push({ to, message: encodeMessage(message), lane: laneOf(message), early: true })
  }

  drain(): Effects {
    if (this.#metaDirty) {
      const { acceptedEpoch, acceptedFrom, currentEpoch } = this
      const bytes = encodeMeta({ acceptedEpoch, acceptedFrom, currentEpoch, pledged: this.pledge.made })
      this.out.ops.push({ type: 'meta', bytes })
    }
    this.#metaDirty = false
    const epoch = epochOf(this.acceptedEpoch)
    const effects = this.out.drain(undefined, this.leader === undefined ? { epoch } : { epoch, id: this.leader })
    if (effects.write !== undefined) this.stable.issued(effects.write.id, this.history.last)
    return effects
  }
}

const laneOf = ({ type }: Message): Lane => (inStream.has(type) ? 'bulk' : 'urgent')

export const epochOf = (of: ZabEpoch): Epoch => BigInt(of) as Epoch

const decided = (at: number, { zxid, kind, payload }: Transaction): Decided => {
  const where = { position: position(at), epoch: epochOf(zxid.epoch) }
  switch (kind) {
    case transactionKind.batch:
      return { type: 'batch', ...where, batch: payload }
    case transactionKind.reign:
      return { type: 'reign', ...where, leader: decodeReign(payload) }
    case transactionKind.members:
      return { type: 'members', ...where, membership: decodeMembers(payload) }
  }
}

const recoveredSnapshot = ({ snapshot }: JournalState): NamedSnapshot | undefined => {
  if (snapshot === undefined) return undefined
  const { position: at, zxid, membership } = decodeSnapshotHeader(snapshot.header)
  assert(at === snapshot.position, `the journal names a snapshot at ${snapshot.position}, its header says ${at}`)
  return { id: snapshot.id, position: at, zxid, membership }
}
