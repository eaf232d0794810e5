import {
  assert,
  type Decided,
  type Effects,
  type EngineInit,
  type EngineLimits,
  type Epoch,
  type JournalState,
  type NodeId,
  type Outcome,
  position,
  type Random,
  type RequestId,
  type SnapshotId,
  slot,
  type Timing,
  writeId,
} from '@conclave/interface'
import { Configuration, decodeMeta, encodeMeta } from './configuration.ts'
import { decodeEntry, decodeReign, type Entry, entryKind, type View, view } from './entry.ts'
import { Log } from './log.ts'
import {
  decodeSnapshotHeader,
  encodeMessage,
  encodeSnapshotHeader,
  type Message,
  type SnapshotHeader,
} from './messages.ts'
import { newOutbox, type Outbox } from './outbox.ts'
import { type Errand, noTransfer, noViewChange, type Primary } from './role.ts'

/**
 * `view-change`: in the present view nobody is known to be the primary. `state-transfer`: somebody is, and the log is not yet that of this view.
 * The paper's `recovering` does not exist: the log is durable.
 */
export type Status = 'normal' | 'view-change' | 'state-transfer'

export interface NamedSnapshot extends SnapshotHeader {
  readonly id: SnapshotId
}

/**
 * What a replica holds (section 4), and the primitive changes to it that keep it consistent with the journal. It knows no protocol: that is in the
 * file of each part of it.
 *
 * Durable are the log, view-number and last normal view; the commit-number is not, a primary tells it.
 */
export class ReplicaState {
  readonly self: NodeId
  readonly timing: Timing
  readonly limits: EngineLimits
  readonly random: Random
  readonly configuration: Configuration
  readonly log: Log
  /** view-number. */
  view: View
  /** The latest view in which the status was normal: the log has all that this view began with. */
  lastNormal: View
  status: Status
  /** commit-number. */
  commit: number
  /** Up to here the log is that of the present view; all of it while the status is normal. */
  matched: number
  primary: Primary | undefined
  change = noViewChange()
  transfer = noTransfer()
  readonly errands = new Map<NodeId, Errand>()
  snapshot: NamedSnapshot | undefined
  /** When the primary was last heard, in `Monotonic`. */
  heardAt = Number.NEGATIVE_INFINITY
  /** The time of the present step. */
  now = 0
  /** Ticks until this replica suspects that there is no primary. */
  suspectIn: number
  beatIn: number
  /** A PREPAREOK is due with the next drain. */
  prepareOkDue = false
  disk: 'ok' | 'slow' | 'full' = 'ok'
  malformed = 0
  tailBytes = 0
  /** Every write up to this one is durable. */
  durable = 0

  #metaDirty = false
  #metaMissing: boolean
  /** The write that holds the present view-number. */
  #viewWrite = 0
  #nextWrite = 1
  #toldView: View | undefined
  #toldLeader: NodeId | undefined
  out = newOutbox()

  constructor(init: EngineInit) {
    const { recovered } = init
    this.self = init.self
    this.timing = init.timing
    this.limits = init.limits
    this.random = init.random
    const meta = recovered.meta === undefined ? undefined : decodeMeta(recovered.meta)
    this.#metaMissing = meta === undefined
    this.configuration = new Configuration(meta?.membership ?? init.founders)
    this.view = meta?.view ?? view(0)
    this.lastNormal = meta?.lastNormal ?? view(0)
    this.snapshot = recoveredSnapshot(recovered)
    this.commit = this.snapshot?.position ?? 0
    this.log = new Log(this.commit, this.snapshot?.entryView ?? view(0))
    for (const { slot: at, bytes } of recovered.entries) if (at > this.commit) this.#recover(at, decodeEntry(bytes))
    // A primary may have sent entries that its own disk lost: under the same view-number it must not give their op-numbers away again.
    const goesOn = this.view > 0 && this.lastNormal === this.view && this.primaryId !== this.self
    this.status = goesOn ? 'normal' : 'view-change'
    this.matched = goesOn ? this.log.last : this.commit
    this.suspectIn = this.wasPrimary ? 1 : this.patience()
    this.beatIn = init.timing.heartbeatTicks
    this.out.peers = this.configuration.membership.members.filter(({ id }) => id !== this.self)
  }

  #recover(at: number, entry: Entry): void {
    assert(at === this.log.last + 1, `the journal has slot ${at} after ${this.log.last}`)
    assert(entry.view <= this.view, `an entry of view ${entry.view} in the journal of view ${this.view}`)
    this.log.append(entry)
  }

  // ---- who is who ---------------------------------------------------------------------------------------------------

  /** Who is the primary of the present view, if anybody is. */
  get primaryId(): NodeId | undefined {
    return this.configuration.primaryOf(this.view)
  }
  /** It led the present view and does no more: the view cannot go on. */
  get wasPrimary(): boolean {
    return this.view > 0 && this.lastNormal === this.view && this.primaryId === this.self
  }
  /** In a view change to the present view, which has not begun as far as this replica knows. */
  get isChanging(): boolean {
    return this.status === 'view-change' && this.lastNormal < this.view
  }
  get leader(): NodeId | undefined {
    return this.status === 'view-change' ? undefined : this.primaryId
  }
  /** The present view-number is durable. */
  get viewIsDurable(): boolean {
    return this.durable >= this.#viewWrite
  }
  /** The id that the next write will have. */
  get nextWrite(): number {
    return this.#nextWrite
  }

  /** A fresh time-out in ticks, uniform in [electionTicks, 2 × electionTicks). */
  patience(): number {
    return this.timing.electionTicks + Math.floor(this.random.next() * this.timing.electionTicks)
  }
  /** Whether something that was heard at `at` is an election time-out old. */
  isStale(at: number): boolean {
    return this.now - at >= this.timing.electionTicks * this.timing.tickMillis
  }

  // ---- durable changes ----------------------------------------------------------------------------------------------

  /** Advances the view-number. The log stays as it is until that of the new view is here. */
  enter(next: View): void {
    assert(next > this.view, `from view ${this.view} to ${next}`)
    this.view = next
    this.status = 'view-change'
    this.matched = this.commit
    this.heardAt = Number.NEGATIVE_INFINITY
    this.suspectIn = this.patience()
    this.prepareOkDue = false
    this.#metaDirty = true
    this.#viewWrite = this.#nextWrite
    this.change = noViewChange()
    this.transfer = noTransfer()
  }

  /** The log is that of the present view, as far as it was sent: what follows is of earlier ones. In one write with the last piece of that log. */
  becomeNormal(): void {
    this.truncateFrom(this.matched + 1)
    this.status = 'normal'
    this.lastNormal = this.view
    this.#metaDirty = true
  }

  append(entry: Entry): void {
    this.log.append(entry)
    this.out.ops.push({ type: 'put', slot: slot(this.log.last), bytes: entry.encoded })
  }

  truncateFrom(at: number): void {
    assert(at > this.commit, `truncation at ${at} reaches into what is committed (${this.commit})`)
    if (at > this.log.last) return
    this.log.truncateFrom(at)
    this.out.ops.push({ type: 'truncateFrom', slot: slot(at) })
  }

  nameSnapshot(snapshot: NamedSnapshot): void {
    const { id, position: at } = snapshot
    this.snapshot = snapshot
    const header = encodeSnapshotHeader(snapshot)
    this.out.ops.push({ type: 'snapshot', id, position: position(at), header }, { type: 'compactTo', slot: slot(at) })
  }

  /** Takes a received snapshot for the whole log: what the log held was too short, or another history. */
  installSnapshot(snapshot: NamedSnapshot): void {
    const { id, position: at, entryView } = snapshot
    this.truncateFrom(this.commit + 1)
    this.log.reset(at, entryView)
    this.tailBytes = 0
    this.commit = at
    this.matched = at
    this.nameSnapshot(snapshot)
    this.out.decide = []
    this.out.restore = { id, position: position(at), epoch: epochOf(entryView) }
  }

  // ---- what is decided ----------------------------------------------------------------------------------------------

  /** Advances the commit-number and hands over what became decided. Never goes back. */
  commitTo(to: number): void {
    while (this.commit < to) {
      this.commit++
      const entry = this.log.entry(this.commit)
      this.tailBytes += entry.size
      this.out.decide.push(decided(this.commit, entry))
    }
  }

  /** Drops decided entries from memory beyond the bound of the tail; those that an errand needs only beyond eight times of it. */
  evictTail(): void {
    const { log, limits } = this
    let floor = this.commit
    if (this.tailBytes <= limits.tailBytes * 8)
      for (const errand of this.errands.values()) floor = Math.min(floor, errand.floor)
    let to = log.base
    while (to < floor && this.tailBytes > limits.tailBytes) this.tailBytes -= log.entry(++to).size
    log.evictTo(to, this.snapshot?.position ?? 0)
  }

  // ---- effects ------------------------------------------------------------------------------------------------------

  /** Sends a message that waits until everything written so far is durable. */
  sendDurable(to: NodeId, message: Message): void {
    this.out.send.push({ to, message: encodeMessage(message), lane: 'urgent' })
  }

  /** Sends a message that promises nothing that is not on disk yet. */
  sendEarly(to: NodeId, message: Message): void {
    const lane = message.type === 'prepare' || message.type === 'newState' ? 'bulk' : 'urgent'
    this.out.send.push({ to, message: encodeMessage(message), lane, early: true })
  }

  broadcastEarly(message: Message): void {
    for (const id of this.configuration.others(this.self)) this.sendEarly(id, message)
  }

  settle(id: RequestId, outcome: Outcome): void {
    this.out.settle.push({ id, outcome })
  }

  drain(): Effects {
    const { ops, ...effects } = this.out
    this.out = newOutbox()
    // The configuration is durable with the first write, whatever that is.
    if (this.#metaDirty || (this.#metaMissing && ops.length > 0)) {
      const { view: of, lastNormal, configuration } = this
      ops.unshift({ type: 'meta', bytes: encodeMeta({ view: of, lastNormal, membership: configuration.membership }) })
      this.#metaDirty = false
      this.#metaMissing = false
    }
    const leader = this.#leaderChange()
    return { ...effects, ...(ops.length > 0 && { write: this.#issue(ops) }), ...(leader !== undefined && { leader }) }
  }

  #issue(ops: Outbox['ops']): NonNullable<Effects['write']> {
    const id = writeId(this.#nextWrite)
    this.#nextWrite++
    this.primary?.unsynced.push({ write: id, op: this.log.last })
    return { id, ops }
  }

  #leaderChange(): Effects['leader'] {
    const { leader } = this
    if (this.#toldView === this.view && this.#toldLeader === leader) return undefined
    this.#toldView = this.view
    this.#toldLeader = leader
    return { epoch: epochOf(this.view), ...(leader !== undefined && { id: leader }) }
  }
}

export const epochOf = (of: View): Epoch => BigInt(of) as Epoch

const decided = (at: number, entry: Entry): Decided => {
  const where = { position: position(at), epoch: epochOf(entry.view) }
  if (entry.kind === entryKind.batch) return { type: 'batch', ...where, batch: entry.payload }
  return { type: 'reign', ...where, leader: decodeReign(entry.payload) }
}

const recoveredSnapshot = ({ snapshot }: JournalState): NamedSnapshot | undefined => {
  if (snapshot === undefined) return undefined
  const header = decodeSnapshotHeader(snapshot.header)
  assert(
    header.position === snapshot.position,
    `the journal names a snapshot at ${snapshot.position}, its header says ${header.position}`,
  )
  return { ...header, id: snapshot.id }
}
