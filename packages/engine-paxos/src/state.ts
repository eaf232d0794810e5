import { Outbox } from '@conclave/engine-parts'
import {
  assert,
  type Decided,
  type EngineInit,
  type EngineLimits,
  slot as journalSlot,
  type Membership,
  type Monotonic,
  type NodeId,
  type Peer,
  position,
  type Random,
  type SnapshotId,
  type Timing,
} from '@conclave/interface'
import { type Ballot, compareBallots, encodeBallot, epochOf, higherBallot, noBallot, sameBallot } from './ballot.ts'
import {
  type Configuration,
  decodeConfiguration,
  foundingConfiguration,
  isVoter,
  type QuorumSizes,
  type Quorums,
  quorumsOf,
  votersOfConfiguration,
} from './configuration.ts'
import { SlotLog } from './log.ts'
import { type Body, decodeSnapshotHeader, encodeMessage, encodeSnapshotHeader, type Message } from './messages.ts'
import { decodeMeta, encodeMeta } from './meta.ts'
import { Pledge } from './pledge.ts'
import type { Farewell, Role } from './roles/role.ts'
import { decodeAccepted, decodeReign, encodeAccepted, type Value, valueKind } from './value.ts'

/** A snapshot that is named in the journal. */
export interface NamedSnapshot {
  readonly id: SnapshotId
  readonly position: number
  readonly reign: Ballot
  readonly configuration: Configuration
}

/** What holds from a position on: who reigns, and which configuration governs the slot that follows. */
interface Point {
  readonly position: number
  readonly reign: Ballot
  readonly configuration: Configuration
}

/**
 * What a node holds as acceptor and learner, and the primitive changes to it that keep it consistent with the journal. It knows no protocol:
 * who may do what, and when, is in `roles/` and in the file of each concern.
 */
export class PaxosState {
  readonly self: NodeId
  readonly timing: Timing
  readonly limits: EngineLimits
  readonly random: Random
  readonly sizes: QuorumSizes | undefined
  readonly log: SlotLog
  readonly out = new Outbox()
  role: Role
  /** The highest ballot that this acceptor has promised: durable before anybody hears of it. At or above every ballot of `log`, and every own one. */
  promised: Ballot
  /** The highest ballot heard of; only the choice of the next own one rests on it. */
  seen: Ballot
  /** The node whose ballot is `promised`, once it is known to have completed phase 1. */
  leader: NodeId | undefined
  /** Every slot up to here is decided and delivered. */
  decided: number
  /** Every slot up to here is decided, or accepted in the ballot `promised`. */
  reached: number
  /** The ballot of the last reign that was delivered. */
  reign: Ballot
  configuration: Configuration
  quorums: Quorums
  snapshot: NamedSnapshot | undefined
  /** Bytes of the decided values in memory. */
  tailBytes = 0
  disk: 'ok' | 'slow' | 'full' = 'ok'
  malformed = 0
  /** Ticks since a leader was heard. */
  sinceLeader: number
  /** The leader's link was reset: it may be forgotten at once. */
  leaderGone = false
  /** Duels lost in a row, for the back-off. */
  duels = 0
  /** The stop-sign at `decided` ended the configuration: this one follows, and is entered before the turn's step ends. */
  ended: Configuration | undefined
  /** What a leader that was removed still has to tell. */
  farewell: Farewell | undefined
  /** Ticks before a peer that lags behind the memory is helped again by one that does not lead. */
  helpIn = 0
  /** Whether this node may serve reads under a lease while it leads. */
  readonly leases: boolean
  readonly pledge: Pledge
  /** As of the present step. */
  now = 0 as Monotonic

  #metaDirty = false
  /** `promised` as it stands in the journal before every value. */
  #promisedBytes: Uint8Array
  /** Configurations that are named by stop-signs which are accepted here and not delivered, by slot. */
  readonly #named = new Map<number, Configuration>()
  /** From the last snapshot on, ascending. */
  #points: Point[]

  constructor(init: EngineInit, sizes: QuorumSizes | undefined, role: Role) {
    const { recovered } = init
    this.self = init.self
    this.timing = init.timing
    this.limits = init.limits
    this.random = init.random
    this.sizes = sizes
    this.role = role
    const meta = decodeMeta(recovered.meta)
    this.promised = meta.promised
    this.#promisedBytes = encodeBallot(meta.promised)
    this.leases = init.leases === true
    this.pledge = new Pledge(meta.pledged, init.timing.electionTicks * init.timing.tickMillis)
    this.seen = meta.promised
    this.snapshot = recoveredSnapshot(recovered.snapshot)
    const base = this.snapshot?.position ?? 0
    this.log = new SlotLog(base)
    this.decided = base
    this.reign = this.snapshot?.reign ?? noBallot
    this.configuration = this.snapshot?.configuration ?? foundingConfiguration(init.founders)
    this.quorums = quorumsOf(this.configuration, sizes)
    this.#points = [{ position: base, reign: this.reign, configuration: this.configuration }]
    for (const { slot, bytes } of recovered.entries) if (slot > base) this.#recover(slot, bytes)
    while (this.decided < meta.decided) {
      const next = this.decided + 1
      assert(this.log.get(next) !== undefined, `the journal lacks slot ${next}, which it says is decided`)
      const stop = this.deliver()
      if (stop !== undefined) this.#adopt(stop)
    }
    this.reached = this.decided
    this.extendReached()
    this.sinceLeader = init.timing.electionTicks
    this.out.peers = this.peers()
  }

  #recover(slot: number, bytes: Uint8Array): void {
    const accepted = decodeAccepted(bytes)
    assert(
      compareBallots(accepted.ballot, this.promised) <= 0,
      `slot ${slot} was accepted in a ballot above the one that was promised`,
    )
    this.log.set(slot, accepted)
    this.#noteStop(slot, accepted.value)
  }

  // ---- the acceptor's durable changes ---------------------------------------------------------------------------------------------------

  /** Promises a ballot: nothing is accepted in a lower one any more. On disk before anything that rests on it leaves. */
  promise(ballot: Ballot): void {
    const order = compareBallots(ballot, this.promised)
    assert(order >= 0, 'a promise was about to be taken back')
    if (order === 0) return
    this.promised = ballot
    this.#promisedBytes = encodeBallot(ballot)
    this.seen = higherBallot(this.seen, ballot)
    this.leader = undefined
    this.reached = this.decided
    this.#metaDirty = true
  }

  /** Pledges to the leader of the ballot that is promised, see `Pledge`. @returns whether the answer may leave at once. */
  pledgeTo(leader: NodeId): boolean {
    if (!this.pledge.made) this.#metaDirty = true
    return this.pledge.give(leader, this.promised, this.now, this.out.nextWrite)
  }

  /** Accepts a value for a slot in the ballot that is promised. */
  accept(slot: number, value: Value): void {
    assert(slot > this.decided, `slot ${slot} is decided already (${this.decided})`)
    const accepted = { ballot: this.promised, value }
    this.log.set(slot, accepted)
    if (this.#noteStop(slot, value)) this.out.peers = this.peers()
    this.out.ops.push({ type: 'put', slot: journalSlot(slot), bytes: encodeAccepted(this.#promisedBytes, value) })
    if (slot === this.reached + 1) this.extendReached()
  }

  /** Moves `reached` on over what is there. */
  extendReached(): void {
    this.reached = Math.max(this.reached, this.decided)
    for (let at = this.log.get(this.reached + 1); at !== undefined; at = this.log.get(this.reached + 1)) {
      if (!sameBallot(at.ballot, this.promised)) return
      this.reached++
    }
  }

  // ---- the learner: deliver in order ----------------------------------------------------------------------------------------------------

  /**
   * Delivers the first undecided slot, whose value here is the chosen one. A batch counts only in the reign that it was born in: one that a later
   * leader found and proposed again after another reign had begun is void, and delivered as a no-op everywhere.
   * @returns the next configuration if the value was a stop-sign.
   */
  deliver(): Configuration | undefined {
    const slot = this.decided + 1
    const { value } = this.log.at(slot)
    this.decided = slot
    this.#named.delete(slot)
    this.reached = Math.max(this.reached, slot)
    this.tailBytes += value.size
    const stop = value.kind === valueKind.stop ? decodeConfiguration(value.payload) : undefined
    if (stop !== undefined && stop.number !== this.configuration.number + 1) {
      assert(false, `configuration ${stop.number} follows ${this.configuration.number}`)
    }
    if (value.kind === valueKind.reign && compareBallots(value.origin, this.reign) > 0) this.#reigns(value.origin)
    else if (stop !== undefined) this.#points.push({ position: slot, reign: this.reign, configuration: stop })
    this.out.decide.push(this.#decision(slot, value, stop))
    return stop
  }

  #reigns(ballot: Ballot): void {
    this.reign = ballot
    this.#points.push({ position: this.decided, reign: ballot, configuration: this.configuration })
  }

  #decision(slot: number, value: Value, stop: Configuration | undefined): Decided {
    const where = { position: position(slot), epoch: epochOf(this.reign) }
    if (stop !== undefined) return { type: 'members', ...where, membership: stop.membership }
    if (value.kind === valueKind.noop || !sameBallot(value.origin, this.reign)) return { type: 'noop', ...where }
    if (value.kind === valueKind.reign) return { type: 'reign', ...where, leader: decodeReign(value.payload) }
    return { type: 'batch', ...where, batch: value.payload }
  }

  // ---- configurations ---------------------------------------------------------------------------------------------------------------------

  /**
   * The stop-sign at `decided` was delivered: its configuration governs what follows. Whatever this node accepted above it belongs to the configuration
   * that ended, where it can no longer count. On disk before this node says anything in the new one.
   */
  enterConfiguration(next: Configuration): void {
    this.dropAbove()
    this.#adopt(next)
    this.#metaDirty = true // the watermark: a restarted node must not take the slots of two configurations for those of one
  }

  dropAbove(): void {
    this.#named.clear()
    if (this.log.dropFrom(this.decided + 1))
      this.out.ops.push({ type: 'truncateFrom', slot: journalSlot(this.decided + 1) })
    this.reached = this.decided
  }

  #adopt(next: Configuration): void {
    this.configuration = next
    this.quorums = quorumsOf(next, this.sizes)
    this.out.peers = this.peers()
  }

  /** @returns whether the configurations that are named have changed. */
  #noteStop(slot: number, { kind, payload }: Value): boolean {
    if (kind !== valueKind.stop) return this.#named.delete(slot)
    this.#named.set(slot, decodeConfiguration(payload))
    return true
  }

  /**
   * For people: the members of the configuration in use, or, while a stop-sign is accepted here and not delivered, of the one that it names. Then the voters of
   * both are needed, the present ones (`outgoing`) to decide the stop-sign and the next ones to go on.
   */
  get membership(): Membership {
    const named = [...this.#named.values()].at(-1)
    if (named === undefined) return this.configuration.membership
    const [outgoing, next] = [votersOfConfiguration(this.configuration), votersOfConfiguration(named)]
    const same = outgoing.length === next.length && outgoing.every((id) => next.includes(id))
    return same ? named.membership : { ...named.membership, outgoing }
  }

  /** Everyone to hold a link to, also of configurations that are not decided; whoever was removed is told so by the one that removed it. */
  peers(): readonly Peer[] {
    const named = [...this.#named.values()].flatMap(({ membership }) => membership.members)
    const all = new Map<NodeId, Peer>()
    for (const peer of [...this.configuration.membership.members, ...named, ...(this.farewell?.listeners ?? [])])
      if (peer.id !== this.self && !all.has(peer.id)) all.set(peer.id, peer)
    return [...all.values()]
  }

  get isVoter(): boolean {
    return isVoter(this.configuration, this.self)
  }

  // ---- snapshots --------------------------------------------------------------------------------------------------------------------------

  /** What held at a position from the last snapshot on. */
  pointAt(at: number): Omit<Point, 'position'> {
    const point = this.#points.findLast((candidate) => candidate.position <= at)
    assert(point !== undefined, `nothing is known of position ${at}`)
    return point
  }

  /** Names a snapshot; the journal keeps only what lies above it. */
  nameSnapshot(snapshot: NamedSnapshot): void {
    this.snapshot = snapshot
    const { reign, configuration } = snapshot
    const header = encodeSnapshotHeader({ ...snapshot, ballot: this.promised })
    this.out.ops.push(
      { type: 'snapshot', id: snapshot.id, position: position(snapshot.position), header },
      { type: 'compactTo', slot: journalSlot(snapshot.position) },
    )
    this.#points = [
      { position: snapshot.position, reign, configuration },
      ...this.#points.filter((point) => point.position > snapshot.position),
    ]
    this.#metaDirty = true
  }

  /** Takes a received snapshot for everything that it stands for. What was accepted above it in the same configuration still counts, and stays. */
  installSnapshot(snapshot: NamedSnapshot): void {
    assert(
      snapshot.position > this.decided,
      `a snapshot at ${snapshot.position} would take back what is decided (${this.decided})`,
    )
    this.#points = []
    this.log.dropTo(snapshot.position)
    for (const slot of this.#named.keys()) if (slot <= snapshot.position) this.#named.delete(slot)
    this.decided = snapshot.position
    this.reached = Math.max(this.reached, this.decided)
    this.tailBytes = 0
    this.reign = snapshot.reign
    this.nameSnapshot(snapshot)
    if (snapshot.configuration.number !== this.configuration.number) this.dropAbove()
    this.#adopt(snapshot.configuration)
    this.extendReached()
    this.out.decide = []
    this.out.restore = { id: snapshot.id, position: position(snapshot.position), epoch: epochOf(snapshot.reign) }
  }

  /** Drops decided values from memory beyond the tail's bound, but not above `keep` unless the bound is exceeded eightfold. */
  evictTail(keep: number): void {
    const { log, limits } = this
    if (this.tailBytes <= limits.tailBytes) return
    const floor = this.tailBytes > limits.tailBytes * 8 ? this.decided : Math.min(this.decided, keep)
    let to = log.base
    while (to < floor && this.tailBytes > limits.tailBytes) {
      to++
      this.tailBytes -= log.at(to).value.size
    }
    log.dropTo(to)
  }

  // ---- effects ----------------------------------------------------------------------------------------------------------------------------

  /** Sends a message that waits until everything written so far is durable. */
  sendDurable(to: NodeId, body: Body, ballot = this.promised): void {
    this.out.send.push({ to, message: encodeMessage(this.#whole(body, ballot)), lane: 'urgent' })
  }

  /** Sends a message that promises nothing that is not on disk yet. */
  sendEarly(to: NodeId, body: Body, ballot = this.promised): void {
    const lane = body.type === 'accept' || body.type === 'learn' ? 'bulk' : 'urgent'
    this.out.send.push({ to, message: encodeMessage(this.#whole(body, ballot)), lane, early: true })
  }

  #whole(body: Body, ballot: Ballot): Message {
    return { ...body, configuration: this.configuration.number, ballot, decided: this.decided }
  }

  /** The metadata, if it has changed since it was last asked for. */
  takeMeta(): Uint8Array | undefined {
    if (!this.#metaDirty) return undefined
    this.#metaDirty = false
    return encodeMeta({ promised: this.promised, decided: this.decided, pledged: this.pledge.made })
  }
}

const recoveredSnapshot = (snapshot: EngineInit['recovered']['snapshot']): NamedSnapshot | undefined => {
  if (snapshot === undefined) return undefined
  const header = decodeSnapshotHeader(snapshot.header)
  assert(
    header.position === snapshot.position,
    `the journal names a snapshot at ${snapshot.position}, its header says ${header.position}`,
  )
  return { id: snapshot.id, position: header.position, reign: header.reign, configuration: header.configuration }
}
