import {
  CorruptJournal,
  type Membership,
  type NodeId,
  type Random,
  silentLogger,
  type Transport,
} from '@conclave/interface'
import { type SimulatedDisk, simulatedDisk } from '@conclave/journal-file/testing'
import type { Replica, ReplicaStatus } from '@conclave/replica'
import { withHearsay } from './hearsay.ts'
import { withMessagesOf } from './limits.ts'
import type { NodeNumber, NodeTraits } from './plan.ts'
import { diskClock, Gate, ProcessClock } from './process-clock.ts'
import { idOf, type Surroundings } from './surroundings.ts'
import { watchedEngine, watchedJournal, watchedLocks, watchedMachine } from './watched.ts'

/** `absent`: a spare that nobody started yet. `gone`: its disk is lost or damaged, and its id is never used again. */
export type NodeState = 'absent' | 'running' | 'down' | 'gone'

/** One node through all its lives: its disk stays, its process comes and goes. */
export class SimulatedNode {
  readonly number: NodeNumber
  readonly id: NodeId
  readonly traits: NodeTraits
  readonly gate: Gate
  readonly #around: Surroundings
  readonly #random: Random
  readonly #diskRandom: Random
  readonly #isMember: (id: NodeId, asker: NodeId) => boolean
  #founders: Membership
  #transport: Transport | undefined
  #clock: ProcessClock
  disk: SimulatedDisk
  state: NodeState = 'absent'
  replica: Replica | undefined
  /** The running replica, once it has recovered. */
  serving: Replica | undefined
  /** A sync of this life's disk was made to fail: the journal must stop the node, sooner or later. */
  diskFails = false
  /** A bit of what was synced has changed: the node may have to refuse to start. */
  rotten = false
  lives = 0
  #restored = 0
  #fills = 0
  #stalls = 0

  /** @param isMember what another node would say of this one if `asker` asked: by the configuration that it knows. */
  constructor(
    around: Surroundings,
    number: NodeNumber,
    traits: NodeTraits,
    founders: Membership,
    isMember: (id: NodeId, asker: NodeId) => boolean,
  ) {
    this.number = number
    this.id = idOf(number)
    this.traits = traits
    this.#around = around
    this.#founders = founders
    this.#isMember = isMember
    this.#random = around.streams('node', number)
    this.#diskRandom = around.streams('disk', number)
    this.gate = new Gate(around.clock)
    this.#clock = this.#newClock()
    this.disk = this.#newDisk()
  }

  #newDisk(): SimulatedDisk {
    return simulatedDisk({
      random: this.#diskRandom,
      clock: diskClock(this.#around.clock, this.gate),
      latencyMillis: this.traits.diskMillis,
    })
  }

  #newClock(): ProcessClock {
    const { clock, streams } = this.#around
    const { clockRate, drainMillis } = this.traits
    return new ProcessClock({
      world: clock,
      gate: this.gate,
      rate: clockRate,
      drainMillis,
      random: streams('turns', this.number, this.lives),
    })
  }

  get version(): 1 | 2 {
    return this.#around.parts.previousEngine !== undefined && this.lives < this.traits.upgradeAtLife ? 1 : 2
  }

  /** It speaks the newest version, or will when it is started. */
  get upgraded(): boolean {
    const lives = this.state === 'running' ? this.lives : this.lives + 1
    return this.#around.parts.previousEngine === undefined || lives >= this.traits.upgradeAtLife
  }

  /** Status of a replica that serves. */
  get status(): ReplicaStatus | undefined {
    return this.serving?.status()
  }

  /** Joins a cluster that exists: `known` are its members as the operator knows them. */
  join(known: Membership): void {
    this.#founders = known
    this.start()
  }

  start(): void {
    this.lives++
    this.state = 'running'
    this.gate.reset()
    this.#clock = this.#newClock()
    this.#restored = 0
    const replica = this.#compose(this.#clock)
    this.replica = replica
    replica.onApplied(() => {
      if (this.replica === replica) this.#applied(replica)
    })
    replica.onFatal((error) => {
      if (this.replica === replica) this.#fatal(error)
    })
    replica.start().then(
      () => {
        if (this.replica === replica) this.serving = replica
      },
      (error: unknown) => {
        if (this.replica === replica) this.#refused(error)
      },
    )
  }

  #compose(clock: ProcessClock): Replica {
    const { parts, network, tell, plan, scale, streams } = this.#around
    const { hooks } = parts
    this.#afflict()
    hooks.disk?.(this.disk, this.id)
    const random = streams('engine', this.number, this.lives)
    const journal = parts.fileJournal({
      directory: '/journal',
      disk: this.disk,
      clock,
      random: this.#random,
      segmentBytes: scale.segmentBytes,
    })
    const version = this.version
    const factory = version === 1 ? (parts.previousEngine ?? parts.engine) : parts.engine
    const engine = withMessagesOf(plan.messageBytes, factory)
    const inquiry = streams('inquiry', this.number, this.lives)
    this.#transport = withHearsay({
      transport: network.transport(this.id),
      isMember: (id) => this.#isMember(id, this.id),
      ask: (answer) => clock.after(5 + inquiry.next() * 100, answer),
    })
    return parts.createReplica({
      self: this.id,
      founders: this.#founders,
      engine: watchedEngine(engine, { life: this.lives, version, torn: this.disk.torn }, tell),
      journal: watchedJournal(hooks.journal?.(journal, this.id) ?? journal, this.id, tell, this.#lateNews(clock)),
      transport: this.#transport,
      machines: [
        watchedMachine(parts.machine(), this.id, tell),
        ...(plan.workload === 'locks' ? [watchedLocks(parts.locks(), this.id, this.lives, tell)] : []),
      ],
      clock,
      random,
      logger: silentLogger,
      timing: scale.timing,
      limits: scale.limits,
      leases: plan.leases,
    })
  }

  /** `persisted` comes up to `persistedMillis` after the fact, in order. */
  #lateNews(clock: ProcessClock): (run: () => void) => void {
    const { persistedMillis } = this.traits
    if (persistedMillis === 0) return (run) => run()
    const random = this.#around.streams('persisted', this.number, this.lives)
    const waiting: (() => void)[] = []
    let last = 0
    return (run) => {
      last = Math.max(last, clock.now() + random.next() * persistedMillis)
      waiting.push(run)
      // Two timers for what is the same time may differ by a rounding: each runs the oldest that waits.
      clock.after(last - clock.now(), () => waiting.shift()?.())
    }
  }

  #applied(replica: Replica): void {
    const { applied, machines, counters } = replica.status()
    const restored = counters.snapshotsRestored > this.#restored
    this.#restored = counters.snapshotsRestored
    const hash = machines.map((machine) => machine.hash()).join(' ')
    this.#around.tell({ type: 'state', node: this.id, position: applied.position, hash, restored })
  }

  /** A node may find no room to start, or a disk that fails or has changed; nothing else may keep it from coming back. */
  #refused(error: unknown): void {
    const full = `${error}`.includes('ENOSPC')
    if (error instanceof CorruptJournal && this.rotten) return this.#gone('refused', 'its journal is damaged')
    if (!full && !this.diskFails)
      return this.#around.broken('availability', `${this.id} refuses to start: ${error}`, this.id)
    this.#again('refused', full ? 'no room' : 'its disk fails')
  }

  #fatal(error: Error): void {
    if (error instanceof CorruptJournal && this.rotten) return this.#gone('fatal', 'its journal is damaged')
    if (!this.diskFails)
      return this.#around.broken('availability', `${this.id} stopped: ${error.stack ?? error}`, this.id)
    this.#again('fatal', 'its disk fails')
  }

  #gone(how: 'refused' | 'fatal', why: string): void {
    this.#die(how, why)
    this.disk = this.disk.kill()
    this.state = 'gone'
  }

  /** Who watches over the process sees that it has stopped, and starts it again. */
  #again(how: 'refused' | 'fatal', why: string): void {
    const replica = this.replica
    this.#around.clock.after(30, () => {
      if (this.replica !== replica) return
      this.#die(how, why)
      this.disk = this.disk.kill()
      this.#around.clock.after(50, () => {
        if (this.state === 'down') this.start()
      })
    })
  }

  /** `power`: what was not synced is gone, in part. `kill`: only the process is. */
  crash(kind: 'power' | 'kill', why: string): void {
    if (this.state !== 'running') return
    this.#die(kind, why)
    this.disk = kind === 'power' ? this.disk.crash() : this.disk.kill()
  }

  #die(how: 'power' | 'kill' | 'fatal' | 'refused', why: string): void {
    this.#clock.dead = true
    this.state = 'down'
    this.replica = undefined
    this.serving = undefined
    this.diskFails = false
    this.#around.network.resume(this.id)
    // The next endpoint of this id takes the place of the dead one; until then nobody answers.
    this.#transport?.close().catch(() => {})
    this.#around.tell({ type: 'ended', node: this.id, how, why })
  }

  // ---- what lasts over lives ----------------------------------------------------------------------------------------------------------

  /** No room for anything new: writes wait, none is lost, none is acknowledged. */
  fill(): void {
    this.#fills++
    this.#afflict()
  }
  /** Undoes one `fill`. */
  drain(): void {
    this.#fills = Math.max(0, this.#fills - 1)
    this.#afflict()
  }
  /** The disk takes its time. */
  stall(): void {
    this.#stalls++
    this.#afflict()
  }
  /** Undoes one `stall`. */
  unstall(): void {
    this.#stalls = Math.max(0, this.#stalls - 1)
    this.#afflict()
  }

  #afflict(): void {
    const { faults } = this.disk
    faults.capacity = this.#fills > 0 ? 1 : Number.POSITIVE_INFINITY
    if (this.#stalls > 0) faults.hold = true
    else if (faults.hold) this.disk.release()
  }

  /** The disk is gone for good, and the node with it. */
  loseDisk(): void {
    this.crash('power', 'its disk is lost')
    this.disk = this.#newDisk()
    this.state = 'gone'
  }
}
