import {
  type Cancel,
  type Clock,
  type DiskState,
  type Effects,
  type Engine,
  type Epoch,
  type Input,
  type JournalOp,
  type LeaderInfo,
  type Logger,
  type Membership,
  type MembershipChange,
  type Monotonic,
  type NodeId,
  type Outcome,
  type Refusal,
  type RequestId,
  requestId,
  type SnapshotId,
  type Timing,
  type TransportHandler,
  writeId,
} from '@conclave/interface'
import type { Applier } from './applier.ts'
import { type ChangeDone, type ChangeOutcome, Changes } from './changes.ts'
import type { ReplicaLimits } from './limits.ts'
import { LogClock } from './log-time.ts'
import { Members } from './members.ts'
import { Outbox } from './outbox.ts'
import { type BlockDone, type BlockOutcome, Proposals } from './proposals.ts'
import { type ReadDone, type ReadOutcome, Reads } from './reads.ts'
import { Restores } from './restores.ts'
import { Snapshots, type SnapshotsOwner } from './snapshots.ts'

export interface DriverInit extends Omit<SnapshotsOwner, 'push' | 'wake' | 'issued'> {
  readonly self: NodeId
  readonly engine: Engine
  readonly clock: Clock
  readonly logger: Logger
  readonly timing: Timing
  readonly limits: ReplicaLimits
  /** Something was applied in this turn. */
  applied(): void
  leader(info: LeaderInfo): void
  /** Another configuration is decided. */
  members(membership: Membership): void
  /** The engine will never be stepped again. */
  failed(error: Error): void
}

/** Larger messages are entries, which a follower that cannot keep up may drop; smaller ones keep elections and heartbeats going. */
const smallMessage = 4096

/**
 * The loop: what one turn of the event loop brings is stepped together, drained once, written once. Everything that touches the engine is here.
 *
 * A turn is: the inputs that are there, then one proposal for all queued blocks, one read for all waiting reads, a tick if one is due; then the
 * effects, the write first, so that the disk works while messages are sent and entries applied.
 */
export class Driver implements TransportHandler {
  readonly #init: DriverInit
  readonly #engine: Engine
  readonly #applier: Applier
  readonly #proposals: Proposals
  readonly #reads: Reads
  readonly #leaseReads: Reads
  readonly #changes: Changes
  readonly #members: Members
  readonly #outbox: Outbox
  readonly #restores: Restores
  readonly snapshots: Snapshots
  readonly #logClock = new LogClock()
  #inputs: Input[] = []
  #inboxBytes = 0
  #running = false
  #scheduled = false
  #tickDue = false
  #nextTick = 0
  #cancelTick: Cancel = () => {}
  #now: Monotonic = 0 as Monotonic
  #nextId = 1
  #issued = 0
  #durable = 0
  #toldDurable = 0
  #unwritten = 0
  /** Staged bodies that the engine was told of in this turn: it names them in this turn's write, or never. */
  #introduced: SnapshotId[] = []
  #leader: LeaderInfo | undefined
  #disk: DiskState = 'ok'
  turns = 0
  writes = 0
  dropped = 0

  constructor(init: DriverInit) {
    this.#init = init
    this.#engine = init.engine
    this.#applier = init.applier
    const { limits, transport } = init
    const nextId = () => requestId(this.#nextId++)
    this.#outbox = new Outbox(transport, limits.heldBytes, (to) => this.#lost(to))
    this.snapshots = new Snapshots(
      { ...init, push: (input) => this.push(input), wake: () => this.wake(), issued: () => this.#issued },
      limits.snapshotBytes,
    )
    this.#proposals = new Proposals({
      limits,
      nextId,
      propose: (id, batch) => this.#engine.step({ type: 'propose', id, batch }, this.#now),
      decided: (at, blocks) => this.#applier.await(at, blocks),
      refusal: (reason) => this.#refusal(reason),
      closedFor: () => this.#closedFor(),
      epoch: () => this.#engine.status().epoch,
    })
    const reads = {
      nextId,
      read: (id: RequestId, level: 'linearizable' | 'lease') =>
        this.#engine.step({ type: 'read', id, level }, this.#now),
      refusal: (reason: Refusal) => this.#refusal(reason),
    }
    this.#reads = new Reads(reads, 'linearizable', limits.waitingReads)
    this.#leaseReads = new Reads(reads, 'lease', limits.waitingReads)
    this.#changes = new Changes({
      nextId,
      reconfigure: (id, change) => this.push({ type: 'reconfigure', id, change }),
      refusal: (reason) => this.#refusal(reason),
    })
    this.#members = new Members(init.engine, (membership) => init.members(membership))
    this.#restores = new Restores({
      applier: init.applier,
      snapshots: this.snapshots,
      journal: init.journal,
      running: () => this.#running,
      restored: () => init.applied(),
      wake: () => this.wake(),
      failed: (error) => this.fail(error),
    })
  }

  // ---- what comes in ------------------------------------------------------------------------------------------------------------------

  start(): void {
    this.#running = true
    this.#nextTick = this.#init.clock.now()
    this.#armTick()
    this.wake()
  }

  /** Queues an input for the next turn. */
  push(input: Input): void {
    if (!this.#running) return
    this.#inputs.push(input)
    this.wake()
  }

  receive(from: NodeId, message: Uint8Array): void {
    const { limits } = this.#init
    const behind = this.#unwritten > limits.unwrittenBytes || this.#applier.backlog > limits.backlogBytes
    if (this.#inboxBytes + message.length > limits.inboxBytes || (behind && message.length > smallMessage)) {
      this.dropped++
      return
    }
    this.#inboxBytes += message.length
    this.push({ type: 'receive', from, message })
  }

  peer(id: NodeId, state: 'up' | 'down' | 'lost'): void {
    this.push({ type: 'peer', id, state })
  }

  offered(from: NodeId, transfer: Parameters<TransportHandler['offered']>[1]): void {
    if (this.#running) this.snapshots.offered(from, transfer)
    else transfer.reject()
  }

  disk(state: DiskState): void {
    this.#disk = state
    this.push({ type: 'disk', state })
  }

  /** @param under the only reign that it may be proposed in. */
  submit(block: Uint8Array, done: BlockDone, under?: Epoch): void {
    const refusal = this.#proposals.submit(block, done, under)
    if (refusal === undefined) this.wake()
    else this.#init.clock.defer(() => done(refusal))
  }

  read(level: 'linearizable' | 'lease', done: ReadDone): void {
    if (!this.#running) return done(this.#refusal('not-ready'))
    // A lease is only a cheaper proof of the same thing.
    const reads = level === 'lease' && this.#engine.supports.leases ? this.#leaseReads : this.#reads
    if (reads.submit(done)) this.wake()
  }

  reconfigure(change: MembershipChange, done: ChangeDone): void {
    const closed = this.#running ? undefined : this.#refusal('not-ready')
    const unsupported = this.#engine.supports.membership ? undefined : this.#refusal('unsupported')
    const refusal = closed ?? unsupported ?? this.#changes.submit(change, done)
    if (refusal !== undefined) this.#init.clock.defer(() => done(refusal))
  }

  /** Calls for a turn, once until it has run. */
  wake(): void {
    if (this.#scheduled || !this.#running) return
    this.#scheduled = true
    this.#init.clock.defer(this.#turn)
  }

  /** Paced by the clock, so that a tick that comes late does not make the later ones late; a stop of the process is not made up for. */
  #armTick(): void {
    const { clock, timing } = this.#init
    const now = clock.now()
    this.#nextTick += timing.tickMillis
    if (this.#nextTick < now) this.#nextTick = now + timing.tickMillis
    this.#cancelTick = clock.after(this.#nextTick - now, () => {
      if (!this.#running) return
      this.#tickDue = true
      this.wake()
      this.#armTick()
    })
  }

  #lost(to: NodeId): void {
    this.dropped++
    this.push({ type: 'peer', id: to, state: 'lost' })
  }

  #closedFor(): Refusal | undefined {
    const { limits } = this.#init
    if (!this.#running) return 'not-ready'
    if (this.#disk === 'full') return 'disk-full'
    if (this.#unwritten > limits.unwrittenBytes || this.#applier.backlog > limits.backlogBytes) return 'overloaded'
    return undefined
  }

  #refusal(reason: Refusal): BlockOutcome & ReadOutcome & ChangeOutcome & { readonly type: 'refused' } {
    const leader = this.#leader?.id
    return { type: 'refused', reason, ...(leader !== undefined && { leader }) }
  }

  // ---- the turn -----------------------------------------------------------------------------------------------------------------------

  readonly #turn = (): void => {
    this.#scheduled = false
    if (!this.#running) return
    try {
      this.#step()
      if (this.#running) this.#perform(this.#engine.drain())
    } catch (error) {
      this.fail(error)
    }
  }

  #step(): void {
    this.turns++
    const inputs = this.#inputs
    this.#inputs = []
    this.#inboxBytes = 0
    const now = this.#init.clock.now()
    this.#now = now
    this.#stepDurable(now)
    for (const input of inputs) {
      if (input.type === 'snapshotReceived') this.#introduced.push(input.id)
      this.#engine.step(input, now)
    }
    if (!this.#proposals.empty) this.#stepProposals(now)
    this.#reads.step()
    this.#leaseReads.step()
    if (!this.#tickDue) return
    this.#tickDue = false
    this.#engine.step({ type: 'tick' }, now)
  }

  #stepDurable(now: Monotonic): void {
    const durable = this.#durable
    if (durable > this.#toldDurable) {
      this.#toldDurable = durable
      this.#outbox.persisted(durable)
      this.#engine.step({ type: 'persisted', write: writeId(durable) }, now)
    }
    const captured = this.snapshots.takeCaptured(durable)
    if (captured?.type !== 'captured') return
    this.#introduced.push(captured.snapshot.id)
    this.#engine.step(captured, now)
  }

  #stepProposals(now: Monotonic): void {
    // Spares the copy into a batch that the engine would refuse.
    if (this.#leader?.id !== this.#init.self) return this.#proposals.refuseQueued('not-leader')
    this.#proposals.step(this.#logClock.stamp(this.#applier.point.time, now))
  }

  #perform(effects: Effects): void {
    if (effects.write !== undefined) this.#write(effects.write.id, effects.write.ops)
    this.#discardUnnamed(effects.write?.ops ?? [])
    if (effects.peers !== undefined) this.#init.transport.setPeers(effects.peers)
    this.#outbox.send(effects.send, this.#issued)
    if (effects.leader !== undefined) this.#leaderChanged(effects.leader)
    for (const send of effects.sendSnapshot ?? []) this.snapshots.send(send)
    for (const answer of effects.answerSnapshot ?? []) this.snapshots.answer(answer)
    if (effects.capture === true) this.snapshots.want()
    if (effects.restore !== undefined) this.#restores.later(effects.restore, this.#issued)
    if (effects.decide.length > 0) this.#applier.enqueue(effects.decide)
    this.#members.drained(effects)
    // Before the entries are applied, so that replies are made for those who wait, and only for them.
    for (const { id, outcome } of effects.settle) this.#settle(id, outcome)
    this.#restores.step(this.#durable)
    this.#apply()
    if (this.#reads.wantsRound || this.#leaseReads.wantsRound || this.#applier.behind) this.wake()
  }

  #write(id: number, ops: readonly JournalOp[]): void {
    let bytes = 0
    for (const op of ops) if (op.type === 'put') for (const chunk of op.bytes) bytes += chunk.length
    this.#issued = id
    this.#unwritten += bytes
    this.writes++
    this.#init.journal.write(ops, (error) => {
      this.#unwritten -= bytes
      if (error !== undefined) return this.fail(error)
      this.#durable = id
      this.wake()
    })
  }

  #discardUnnamed(ops: readonly JournalOp[]): void {
    if (this.#introduced.length === 0) return
    const introduced = this.#introduced
    this.#introduced = []
    for (const id of introduced)
      if (!ops.some((op) => op.type === 'snapshot' && op.id === id)) this.snapshots.discard(id)
  }

  #leaderChanged(info: LeaderInfo): void {
    const led = this.#leader?.id === this.#init.self
    this.#leader = info
    if (info.id === this.#init.self && !led) this.#logClock.begin(this.#applier.point.time, this.#now)
    this.#init.leader(info)
  }

  #settle(id: RequestId, outcome: Outcome): void {
    if (this.#proposals.settle(id, outcome) || this.#reads.settle(id, outcome)) return
    if (!this.#leaseReads.settle(id, outcome)) this.#changes.settle(id, outcome)
  }

  #apply(): void {
    const before = this.#applier.point.position
    const bytes = this.#applier.run(this.#init.limits.turnBytes)
    const { position } = this.#applier.point
    if (position > before) {
      this.snapshots.applied(bytes)
      this.#init.applied()
    }
    if (!this.#applier.restoring) this.#serveReads()
    if (this.#engine.supports.snapshots) this.snapshots.maybeCapture(this.#now)
  }

  #serveReads(): void {
    const { position } = this.#applier.point
    this.#reads.applied(position)
    this.#leaseReads.applied(position)
  }

  // ---- the end ------------------------------------------------------------------------------------------------------------------------

  /** Stops for good: an engine that threw, or whose write failed, says nothing that can be trusted. */
  fail(error: unknown): void {
    if (!this.#running) return
    this.stop()
    this.#init.failed(error instanceof Error ? error : new Error(String(error)))
  }

  /** The engine is not stepped any more; whoever waits is told `unknown`. */
  stop(): void {
    this.#running = false
    this.#cancelTick()
    this.#inputs = []
    this.snapshots.stop()
    this.#proposals.stop()
    this.#reads.stop()
    this.#leaseReads.stop()
    this.#changes.stop()
    this.#applier.stop()
  }

  async stopped(): Promise<void> {
    await this.#restores.stopped()
    await this.snapshots.stopped()
  }

  // ---- for people ---------------------------------------------------------------------------------------------------------------------

  get running(): boolean {
    return this.#running
  }
  get leaderInfo(): LeaderInfo | undefined {
    return this.#leader
  }
  get diskState(): DiskState {
    return this.#disk
  }
  get restored(): number {
    return this.#restores.count
  }
  get refused(): number {
    return this.#proposals.refused
  }
  get readRounds(): number {
    return this.#reads.rounds + this.#leaseReads.rounds
  }
  get queues(): {
    readonly submitted: number
    readonly reads: number
    readonly held: number
    readonly unwritten: number
    readonly backlog: number
  } {
    return {
      submitted: this.#proposals.queuedBytes,
      reads: this.#reads.waiting + this.#leaseReads.waiting,
      held: this.#outbox.heldBytes,
      unwritten: this.#unwritten,
      backlog: this.#applier.backlog,
    }
  }
}
