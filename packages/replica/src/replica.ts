import {
  assert,
  type Clock,
  type DiskState,
  type Engine,
  type EngineFactory,
  type Epoch,
  type Feed,
  type Journal,
  type LeaderInfo,
  type Logger,
  type Membership,
  type MembershipChange,
  type NodeId,
  type Random,
  type ReadLevel,
  type Refusal,
  type StateMachine,
  type Status,
  type Supports,
  type Timing,
  type Transport,
} from '@conclave/interface'
import { Applier } from './applier.ts'
import type { ChangeDone } from './changes.ts'
import { Driver } from './driver.ts'
import { lanTiming, type ReplicaLimits, resolveLimits } from './limits.ts'
import type { BlockDone } from './proposals.ts'
import type { ReadDone } from './reads.ts'
import { type AskDone, Services } from './services.ts'
import { SessionTable } from './sessions.ts'
import type { Point } from './snapshot-body.ts'

export interface ReplicaInit {
  readonly self: NodeId
  readonly engine: EngineFactory
  /** The same on every founder; counts only until the journal holds a configuration. */
  readonly founders: Membership
  /** Not opened yet: the replica opens and closes it. */
  readonly journal: Journal
  /** Not started yet: the replica starts and closes it. */
  readonly transport: Transport
  /** Numbered from 1, in this order, on every replica alike. */
  readonly machines: readonly StateMachine[]
  readonly clock: Clock
  /** For election jitter and snapshot names. */
  readonly random: Random
  readonly logger: Logger
  /** Default: `lanTiming`. */
  readonly timing?: Timing
  /** Default: `defaultLimits`. */
  readonly limits?: Partial<ReplicaLimits>
  /** See `EngineInit.leases`. Default false. */
  readonly leases?: boolean
}

export interface ReplicaStatus {
  readonly phase: 'starting' | 'running' | 'closed' | 'failed'
  /** Undefined before `start` has recovered the journal. */
  readonly engine?: Status
  readonly applied: Point
  /** True while a received snapshot replaces the machines: nothing may be queried. */
  readonly restoring: boolean
  readonly disk: DiskState
  readonly sessions: number
  /** By name. A hash may cost a pass over the state. */
  readonly machines: readonly { readonly name: string; hash(): string }[]
  /** Since `start`. */
  readonly counters: {
    readonly commands: number
    readonly batches: number
    readonly bytes: number
    readonly turns: number
    readonly writes: number
    readonly refused: number
    readonly readRounds: number
    readonly dropped: number
    readonly snapshotsCaptured: number
    readonly snapshotsSent: number
    readonly snapshotsReceived: number
    readonly snapshotsRestored: number
  }
  /** Bytes that wait, by queue; `reads` is a number. */
  readonly queues: Readonly<Record<'submitted' | 'reads' | 'held' | 'unwritten' | 'backlog', number>>
  readonly journal?: ReturnType<Journal['stats']>
}

/** One member of a cluster: the engine and everything that it needs of the world. */
export interface Replica {
  readonly self: NodeId
  /**
   * Recovers journal and machines, and joins the cluster. To be called once. On an error everything is closed again.
   * @throws CorruptJournal, DataDirectoryInUse; MalformedBytes if the recovered state does not parse.
   */
  start(): Promise<void>
  /**
   * Submits the commands of one client (`encodeBlock`), which are decided together and in order. The replica owns the bytes from here on.
   * Malformed, or with more than one command for machines with services: refused as `invalid`. A command for a machine with a service waits until that lets it in, however long it takes.
   * `done` is called exactly once, never before this call has returned.
   * @param principal whose block it is, for services of machines that look at it: the client's peer id, as its key proved it. Default: nobody's.
   */
  submit(block: Uint8Array, done: BlockDone, principal?: string): void
  /**
   * Asks the service of machine number `machine`, which may hold the call for long. The replica owns the bytes from here on. `done` is called exactly once, never before
   * this call has returned, unless the call is withdrawn before. Returns what withdraws it.
   */
  ask(machine: number, principal: string, request: Uint8Array, done: AskDone): () => void
  /**
   * Asks when a read may be answered. `local`: at once, as stale as this replica is. `lease` where the engine knows no leases: as `linearizable`.
   * On `ready`, call `query` within `done`. `done` is called exactly once; it may be within this call.
   */
  read(level: ReadLevel | 'local', done: ReadDone): void
  /**
   * Changes the membership. Only the leader does it, one change at a time: another that comes meanwhile is refused as `in-progress`, an engine
   * that knows none refuses as `unsupported`. `done` is called exactly once, never before this call has returned.
   */
  reconfigure(change: MembershipChange, done: ChangeDone): void
  /** Gives leadership to this voter if this node leads; otherwise without effect. Whether it took it is told by `onLeader`. */
  transfer(to: NodeId): void
  /** Asks machine number `machine` as it stands. Undefined: there is no such machine, or it is being replaced by a snapshot. */
  query(machine: number, query: Uint8Array): Uint8Array | undefined
  /** A feed of machine number `machine`; poll it when `onApplied` tells. Undefined as above, or if the machine refuses. */
  watch(machine: number, request: Uint8Array): Feed | undefined
  /** Once a turn in which something was applied. Returns what removes the listener. */
  onApplied(listener: () => void): () => void
  /** At every change of epoch or leader. */
  onLeader(listener: (leader: LeaderInfo) => void): () => void
  /** At every configuration that is decided, and at the one that came with the journal or a snapshot, once it is known to be decided. */
  onMembers(listener: (membership: Membership) => void): () => void
  /** Once, when the replica has stopped for good: its journal failed, or an invariant does not hold. Going on means making a new one. */
  onFatal(listener: (error: Error) => void): () => void
  readonly leader: LeaderInfo | undefined
  /** What the engine offers; undefined before `start` has made it. */
  readonly supports: Supports | undefined
  /** The configuration decided last, as far as is known here; until one was told of, the latest in the journal, or the founders. */
  readonly membership: Membership
  status(): ReplicaStatus
  /** What is under way settles as unknown. No timer is left. Safe to call twice. */
  close(): Promise<void>
}

/** Makes a replica; nothing happens before `start`. @throws AssertionFailed if limits or machines are not fit. */
export const createReplica = (init: ReplicaInit): Replica => new ComposedReplica(init)

const maxMachines = 255

class ComposedReplica implements Replica {
  readonly self: NodeId
  readonly #init: ReplicaInit
  readonly #limits: ReplicaLimits
  readonly #sessions: SessionTable
  readonly #applier: Applier
  readonly #services: Services
  readonly #applied = new Listeners<void>()
  readonly #leader = new Listeners<LeaderInfo>()
  readonly #members = new Listeners<Membership>()
  readonly #fatal = new Listeners<Error>()
  #membership: Membership
  #phase: ReplicaStatus['phase'] = 'starting'
  #started = false
  #driver: Driver | undefined
  #engine: Pick<Engine, 'status' | 'supports'> | undefined
  #disk: DiskState = 'ok'
  #closing: Promise<void> | undefined

  constructor(init: ReplicaInit) {
    assert(init.machines.length <= maxMachines, `a replica composes at most ${maxMachines} machines`)
    this.self = init.self
    this.#init = init
    this.#membership = init.founders
    this.#limits = resolveLimits(init.limits)
    this.#sessions = new SessionTable(init.machines)
    this.#applier = new Applier(init.machines, this.#sessions, (epoch) =>
      this.#services.reigned(epoch, this.leader?.id === init.self && this.leader.epoch === epoch),
    )
    this.#services = new Services({
      self: init.self,
      machines: init.machines,
      clock: init.clock,
      random: init.random,
      queuedBytes: this.#limits.queuedBytes,
      ready: () => this.#driver?.running === true && !this.#applier.restoring,
      submit: (block, done, under) => this.#submit(block, done, under),
      confirm: (done) => this.read('lease', done),
      refusal: (reason) => this.#refusal(reason),
      failed: (error) => this.#driver?.fail(error),
    })
  }

  async start(): Promise<void> {
    assert(!this.#started, 'a replica is started once')
    this.#started = true
    try {
      await this.#recover()
    } catch (error) {
      this.#phase = 'failed'
      await this.#release()
      throw error
    }
  }

  async #recover(): Promise<void> {
    const {
      self,
      founders,
      journal,
      transport,
      engine: factory,
      random,
      timing = lanTiming,
      leases = false,
    } = this.#init
    const recovered = await journal.open({ disk: (state) => this.#diskChanged(state) })
    const { snapshot } = recovered
    if (snapshot !== undefined) {
      await this.#applier.restore(journal.readSnapshot(snapshot.id), snapshot.position)
      this.#applier.endRestore()
    }
    assert(this.#closing === undefined, 'the replica was closed while it started')
    const engine = factory.create({ self, founders, recovered, timing, random, limits: this.#limits, leases })
    this.#engine = engine
    this.#membership = engine.status().membership
    const driver = new Driver({
      ...this.#init,
      engine,
      timing,
      limits: this.#limits,
      applier: this.#applier,
      applied: () => {
        this.#services.applied()
        this.#tell(this.#applied, undefined)
      },
      leader: (info) => {
        this.#services.leaderChanged(info)
        this.#tell(this.#leader, info)
      },
      members: (membership) => this.#decidedMembers(membership),
      failed: (error) => this.#failed(error),
    })
    this.#driver = driver
    if (snapshot !== undefined) driver.snapshots.startsAt(snapshot.position)
    this.#phase = 'running'
    driver.start()
    if (this.#disk !== 'ok') driver.disk(this.#disk)
    await transport.start(driver)
  }

  submit(block: Uint8Array, done: BlockDone, principal = ''): void {
    this.#services.submit(block, principal, (outcome) => this.#guard(() => done(outcome)))
  }

  #submit(block: Uint8Array, done: BlockDone, under?: Epoch): void {
    if (this.#driver === undefined) this.#init.clock.defer(() => done({ type: 'refused', reason: 'not-ready' }))
    else this.#driver.submit(block, done, under)
  }

  ask(machine: number, principal: string, request: Uint8Array, done: AskDone): () => void {
    return this.#services.ask(machine, principal, request, (outcome) => this.#guard(() => done(outcome)))
  }

  #refusal(reason: Refusal): { readonly type: 'refused'; readonly reason: Refusal; readonly leader?: NodeId } {
    const leader = this.leader?.id
    return { type: 'refused', reason, ...(leader === undefined ? {} : { leader }) }
  }

  read(level: ReadLevel | 'local', done: ReadDone): void {
    const driver = this.#driver
    const guarded: ReadDone = (outcome) => this.#guard(() => done(outcome))
    if (driver === undefined || !driver.running || this.#applier.restoring)
      guarded({ type: 'refused', reason: 'not-ready' })
    else if (level === 'local') guarded({ type: 'ready', position: this.#applier.point.position })
    else driver.read(level, guarded)
  }

  reconfigure(change: MembershipChange, done: ChangeDone): void {
    const guarded: ChangeDone = (outcome) => this.#guard(() => done(outcome))
    if (this.#driver === undefined) this.#init.clock.defer(() => guarded({ type: 'refused', reason: 'not-ready' }))
    else this.#driver.reconfigure(change, guarded)
  }

  transfer(to: NodeId): void {
    this.#driver?.push({ type: 'transfer', to })
  }

  query(machine: number, query: Uint8Array): Uint8Array | undefined {
    return this.#applier.restoring ? undefined : this.#init.machines[machine - 1]?.query(query)
  }

  watch(machine: number, request: Uint8Array): Feed | undefined {
    return this.#applier.restoring ? undefined : this.#init.machines[machine - 1]?.watch?.(request)
  }

  onApplied(listener: () => void): () => void {
    return this.#applied.add(listener)
  }
  onLeader(listener: (leader: LeaderInfo) => void): () => void {
    return this.#leader.add(listener)
  }
  onMembers(listener: (membership: Membership) => void): () => void {
    return this.#members.add(listener)
  }
  onFatal(listener: (error: Error) => void): () => void {
    return this.#fatal.add(listener)
  }

  get leader(): LeaderInfo | undefined {
    return this.#driver?.leaderInfo
  }

  get supports(): Supports | undefined {
    return this.#engine?.supports
  }

  get membership(): Membership {
    return this.#membership
  }

  status(): ReplicaStatus {
    const driver = this.#driver
    const applier = this.#applier
    const snapshots = driver?.snapshots
    const running = this.#phase === 'running'
    return {
      phase: this.#phase,
      ...(this.#engine !== undefined && { engine: this.#engine.status() }),
      applied: applier.point,
      restoring: applier.restoring,
      disk: this.#disk,
      sessions: this.#sessions.size,
      machines: [
        { name: 'sessions', hash: () => this.#sessions.hash() },
        ...this.#init.machines.map((machine) => ({ name: machine.name, hash: () => machine.hash() })),
      ],
      counters: {
        commands: applier.commands,
        batches: applier.batches,
        bytes: applier.bytes,
        turns: driver?.turns ?? 0,
        writes: driver?.writes ?? 0,
        refused: driver?.refused ?? 0,
        readRounds: driver?.readRounds ?? 0,
        dropped: driver?.dropped ?? 0,
        snapshotsCaptured: snapshots?.captured ?? 0,
        snapshotsSent: snapshots?.sent ?? 0,
        snapshotsReceived: snapshots?.received ?? 0,
        snapshotsRestored: driver?.restored ?? 0,
      },
      queues: driver?.queues ?? { submitted: 0, reads: 0, held: 0, unwritten: 0, backlog: 0 },
      ...(running && { journal: this.#init.journal.stats() }),
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#phase !== 'failed') this.#phase = 'closed'
    this.#services.stop()
    this.#driver?.stop()
    await this.#release()
  }

  /** In this order: no message is taken, then nothing reads or stages a body, then the journal goes. */
  async #release(): Promise<void> {
    this.#driver?.stop()
    await this.#init.transport.close()
    await this.#driver?.stopped()
    await this.#init.journal.close()
  }

  #diskChanged(state: DiskState): void {
    this.#disk = state
    this.#driver?.disk(state)
  }

  #decidedMembers(membership: Membership): void {
    this.#membership = membership
    this.#tell(this.#members, membership)
  }

  #failed(error: Error): void {
    this.#phase = 'failed'
    this.#services.stop()
    this.#init.logger.error({ err: error }, 'this node has stopped for good')
    this.#init.transport
      .close()
      .catch((failure: unknown) => this.#init.logger.warn({ err: failure }, 'the transport did not close'))
    this.#tell(this.#fatal, error)
  }

  #tell<T>(listeners: Listeners<T>, news: T): void {
    for (const listener of listeners.all()) this.#guard(() => listener(news))
  }

  /** Calls code of the embedding program: what it throws is its own fault and must not stop a node. */
  #guard(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#init.logger.error({ err: error }, 'a callback of the embedding program threw')
    }
  }
}

class Listeners<T> {
  #listeners: readonly ((news: T) => void)[] = []

  /** Returns what removes it. */
  add(listener: (news: T) => void): () => void {
    const entry = (news: T) => listener(news)
    this.#listeners = [...this.#listeners, entry]
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== entry)
    }
  }

  all(): readonly ((news: T) => void)[] {
    return this.#listeners
  }
}
