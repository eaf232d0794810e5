import { raft } from '@conclave/engine-raft'
import {
  type Clock,
  type EngineFactory,
  type Journal,
  type Membership,
  type NodeId,
  nodeId,
  type Random,
  seededRandom,
  silentLogger,
  type Transport,
} from '@conclave/interface'
import { fileJournal } from '@conclave/journal-file'
import { type SimulatedDisk, simulatedDisk } from '@conclave/journal-file/testing'
import { kvMachine } from '@conclave/machine-kv'
import { createReplica, type Replica } from '@conclave/replica'
import { type MemoryNetwork, memoryNetwork } from '@conclave/transport-memory'
import type { VirtualClock } from '../virtual-clock.ts'
import { type Checks, watchedEngine, watchedMachine } from './checks.ts'

/** Parts that are broken on purpose, to see that the checks notice. */
export interface Saboteur {
  readonly engine?: (engine: EngineFactory) => EngineFactory
  readonly journal?: (journal: Journal) => Journal
  readonly disk?: (disk: SimulatedDisk) => void
  readonly renumberRetries?: true
}

export interface ClusterInit {
  readonly size: number
  readonly seed: number
  readonly clock: VirtualClock
  readonly checks: Checks
  readonly saboteur?: Saboteur
}

/** Everything that a node does goes through its clock: when it dies, nothing of it happens any more. */
class MortalClock implements Clock {
  readonly #clock: Clock
  dead = false
  constructor(clock: Clock) {
    this.#clock = clock
  }
  now(): ReturnType<Clock['now']> {
    return this.#clock.now()
  }
  after(ms: number, run: () => void): () => void {
    return this.#clock.after(ms, () => {
      if (!this.dead) run()
    })
  }
  defer(run: () => void): void {
    this.after(0, run)
  }
}

const timing = { heartbeatTicks: 2, electionTicks: 8, tickMillis: 10 }

/** Small, so that short worlds see several snapshots, several segments, and peers that fell behind the tail. */
const limits = {
  requestBytes: 2_048,
  entryBytes: 3_072,
  messageBytes: 8_192,
  inflightBytes: 4_096,
  undecidedBytes: 16_384,
  tailBytes: 1_024,
  snapshotBytes: 1_500,
}

/** One node through all its lives: its disk stays, its process comes and goes. */
export class SimulatedNode {
  readonly id: NodeId
  readonly #init: ClusterInit
  readonly #founders: Membership
  readonly #network: MemoryNetwork
  readonly #random: Random
  #transport: Transport
  #clock: MortalClock
  disk: SimulatedDisk
  replica: Replica | undefined
  /** The running replica, once it has recovered. */
  serving: Replica | undefined
  /** A sync of this life's disk was made to fail: the journal must stop the node, sooner or later. */
  diskFails = false
  lives = 0

  constructor(init: ClusterInit, id: NodeId, founders: Membership, network: MemoryNetwork, random: Random) {
    this.id = id
    this.#init = init
    this.#founders = founders
    this.#network = network
    this.#random = random
    this.#clock = new MortalClock(init.clock)
    this.#transport = network.transport(id)
    this.disk = simulatedDisk({ random, clock: init.clock, latencyMillis: 0.4 })
    init.saboteur?.disk?.(this.disk)
  }

  get alive(): boolean {
    return this.replica !== undefined
  }

  start(): void {
    const { checks, saboteur = {}, clock } = this.#init
    this.lives++
    this.#clock = new MortalClock(clock)
    const journal = fileJournal({
      directory: '/journal',
      disk: this.disk,
      clock: this.#clock,
      random: this.#random,
      segmentBytes: 8_192,
    })
    const engine = saboteur.engine?.(raft) ?? raft
    const replica = createReplica({
      self: this.id,
      founders: this.#founders,
      engine: watchedEngine(engine, checks),
      journal: saboteur.journal?.(journal) ?? journal,
      transport: this.#transport,
      machines: [watchedMachine(kvMachine({ history: { events: 32, bytes: 2_048 } }), this.id, checks)],
      clock: this.#clock,
      random: this.#random,
      logger:
        process.env.HARNESS_LOG === undefined
          ? silentLogger
          : { ...silentLogger, warn: (fields, message) => console.log(clock.now(), this.id, message, fields) },
      timing,
      limits,
    })
    this.replica = replica
    replica.onApplied(() => this.#applied(replica))
    replica.onFatal((error) => this.#fatal(error))
    checks.note(`${this.id} starts`)
    replica.start().then(
      () => {
        if (this.replica === replica) this.serving = replica
      },
      (error: unknown) => {
        if (this.replica === replica) this.#refused(error)
      },
    )
  }

  #applied(replica: Replica): void {
    if (this.replica !== replica) return
    const { applied, machines } = replica.status()
    this.#init.checks.state(this.id, applied.position, machines.map((machine) => machine.hash()).join(' '))
  }

  /** A node may find no room to start, or a disk that fails; nothing else may keep it from coming back. */
  #refused(error: unknown): void {
    const { checks } = this.#init
    const full = `${error}`.includes('ENOSPC')
    if (!full && !this.diskFails) return checks.broken(`${this.id} refuses to start: ${error}`)
    checks.note(`${this.id} cannot start: ${full ? 'no room' : 'its disk fails'}`)
    this.#again()
  }

  #again(): void {
    this.#init.clock.after(30, () => {
      if (this.alive) this.crash('kill')
      this.#init.clock.after(50, () => {
        if (!this.alive) this.start()
      })
    })
  }

  #fatal(error: Error): void {
    if (!this.diskFails) return this.#init.checks.broken(`${this.id} stopped: ${error.stack ?? error}`)
    this.#init.checks.note(`${this.id} stopped: its disk fails`)
    this.#again()
  }

  /** `power`: what was not synced is gone, in part. `kill`: only the process is. */
  crash(kind: 'power' | 'kill'): void {
    this.#init.checks.note(`${this.id} dies: ${kind}`)
    this.#clock.dead = true
    this.replica = undefined
    this.serving = undefined
    this.#transport = this.#network.transport(this.id)
    this.disk = kind === 'power' ? this.disk.crash() : this.disk.kill()
    this.diskFails = false
    this.#init.saboteur?.disk?.(this.disk)
  }
}

export interface Cluster {
  readonly nodes: readonly SimulatedNode[]
  readonly network: MemoryNetwork
}

export const makeCluster = (init: ClusterInit): Cluster => {
  const ids = Array.from({ length: init.size }, (_, at) => nodeId(`n${at + 1}`))
  const founders: Membership = { members: ids.map((id) => ({ id, name: id, addresses: [], role: 'voter' })) }
  const network = memoryNetwork({ clock: init.clock, random: seededRandom(init.seed * 7 + 1), transferMillis: 300 })
  const nodes = ids.map(
    (id, at) => new SimulatedNode(init, id, founders, network, seededRandom(init.seed * 31 + at + 11)),
  )
  return { nodes, network }
}
