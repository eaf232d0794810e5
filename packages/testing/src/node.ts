import { type Client, connect, type Dial, type Kv } from '@conclave/client'
import type { LeaderNews, MemberNews, NodeStatus } from '@conclave/client/protocol'
import type {
  EngineFactory,
  Epoch,
  Logger,
  Membership,
  NodeId,
  StateMachine,
  Timing,
  Transport,
} from '@conclave/interface'
import { type MemoryJournal, memoryJournal } from '@conclave/journal-memory'
import {
  ClientService,
  localChannels,
  nodeStatus,
  type Served,
  servedCalls,
  servedMembership,
} from '@conclave/node/service'
import { createReplica, type Replica, type ReplicaLimits } from '@conclave/replica'
import { NodeNotRunning } from './errors.ts'
import { GatedChannel } from './gated-channel.ts'
import { ProcessClock } from './process-clock.ts'

/** `failed`: an invariant did not hold, or a machine threw; `status().phase` tells it as well, and `error` why. */
export type TestNodeState = 'running' | 'paused' | 'killed' | 'failed'

/** One node of a test cluster. It stays the same object through `kill` and `restart`. */
export interface TestNode {
  readonly id: NodeId
  /** `n1`, `n2`, … */
  readonly name: string
  readonly state: TestNodeState
  /** Why it failed, if it did. */
  readonly error: Error | undefined
  /** A client inside this node, as `ConclaveNode.client`: it is cut off with its node. A new one after each start. @throws NodeNotRunning */
  readonly client: Client
  /** Short for `client.kv`. @throws NodeNotRunning */
  readonly kv: Kv
  /** @throws NodeNotRunning */
  status(): NodeStatus
  /** Asks one of this node's machines as it stands here, maybe behind the others. Undefined while a snapshot replaces it. @throws NodeNotRunning; RangeError for a machine that is not there. */
  query(machine: string, query: Uint8Array): Uint8Array | undefined
  /** As by `kill -9` and a loss of power at once: only what its journal reported as written is left. Harmless if it is killed already. */
  kill(): Promise<void>
  /** Kills it if it runs, then starts it on what its journal holds. */
  restart(): Promise<void>
  /** As by SIGSTOP: nothing of it runs, messages wait, nobody is told. Its own client waits as well. Harmless unless it runs. */
  pause(): void
  /** As by SIGCONT. Harmless unless it is paused. */
  resume(): void
}

/** What the nodes of one cluster share. */
export interface NodeWorld {
  readonly cluster: string
  readonly engine: EngineFactory
  readonly founders: readonly MemberNews[]
  readonly timing: Timing
  readonly limits: Partial<ReplicaLimits>
  readonly logger: Logger
  readonly machines: () => readonly StateMachine[]
  readonly transport: (id: NodeId) => Transport
  /** The network holds back what arrives at it, or no longer. */
  readonly stopped: (id: NodeId, stopped: boolean) => void
  /** Opens a channel from a client inside `from` to a node. */
  readonly dialFrom: (from: NodeId) => Dial
  /** Somebody's state, or a leader, may be another now. */
  readonly changed: () => void
}

interface Life {
  readonly replica: Replica
  readonly service: ClientService
  readonly machines: readonly StateMachine[]
  client: Client | undefined
}

/** The members as decided last, as clients are told of them. */
const membersOf = (replica: Replica): readonly MemberNews[] =>
  replica.membership.members.map(({ id, name, addresses }) => ({ id, name, addresses }))

export class InProcessNode implements TestNode {
  readonly id: NodeId
  readonly name: string
  readonly #world: NodeWorld
  readonly #channels = new Set<GatedChannel>()
  /** What killed lives still have to put away. */
  readonly #leftovers = new Set<Promise<void>>()
  #clock = new ProcessClock()
  #journal: MemoryJournal
  #life: Life | undefined
  #paused = false
  error: Error | undefined

  constructor({ id, name }: MemberNews, world: NodeWorld) {
    this.id = id
    this.name = name
    this.#world = world
    this.#journal = memoryJournal(this.#journalInit())
  }

  /** The disk answers to the process that runs now. */
  #journalInit(): { defer(run: () => void): void } {
    return { defer: (run) => this.#clock.defer(run) }
  }

  get state(): TestNodeState {
    if (this.#life === undefined) return 'killed'
    if (this.error !== undefined) return 'failed'
    return this.#paused ? 'paused' : 'running'
  }

  get life(): Life {
    if (this.#life === undefined) throw new NodeNotRunning(`${this.name} was killed: restart() it first`)
    return this.#life
  }

  get client(): Client {
    const { client } = this.life
    if (client === undefined) throw new NodeNotRunning(`${this.name} is still starting`)
    return client
  }

  get kv(): Kv {
    return this.client.kv
  }

  async start(): Promise<void> {
    const { engine, timing, limits, logger, machines: make, transport } = this.#world
    const founders: Membership = { members: this.#world.founders.map((member) => ({ ...member, role: 'voter' })) }
    const machines = make()
    this.#clock = new ProcessClock()
    this.error = undefined
    const replica = createReplica({
      self: this.id,
      engine,
      founders,
      journal: this.#journal,
      transport: transport(this.id),
      machines,
      clock: this.#clock,
      random: { next: Math.random },
      logger,
      timing,
      limits,
    })
    const service = new ClientService(this.#served(replica), this.id, this.#world.cluster)
    const life: Life = { replica, service, machines, client: undefined }
    this.#life = life
    replica.onApplied(() => service.applied())
    replica.onLeader(() => {
      service.leaderChanged()
      this.#world.changed()
    })
    replica.onMembers(() => {
      service.membersChanged()
      this.#world.changed()
    })
    replica.onFatal((error) => {
      if (this.#life !== life) return
      this.error = error
      service.close()
      this.#world.changed()
    })
    try {
      await replica.start()
      const client = await this.#connect()
      if (this.#life !== life) await client.close()
      life.client = client
    } catch (error) {
      if (this.#life === life) await this.kill()
      throw error
    }
    this.#world.changed()
  }

  #connect(): Promise<Client> {
    const { cluster, logger, dialFrom } = this.#world
    const local = { node: this.id, open: () => this.open(() => this.#paused, this.id) }
    return connect({ local, cluster, logger, world: { dial: dialFrom(this.id), principal: this.id } })
  }

  #served(replica: Replica): Served {
    return {
      ...servedCalls(replica),
      leader: () => this.#leaderNews(replica),
      members: () => membersOf(replica),
      membership: servedMembership(replica),
      status: () => JSON.stringify(this.status()),
    }
  }

  #leaderNews(replica: Replica): LeaderNews {
    const { id, epoch } = replica.leader ?? { epoch: 0n as Epoch }
    const addresses = membersOf(replica).find((member) => member.id === id)?.addresses ?? []
    return { epoch, addresses, ...(id === undefined ? {} : { id }) }
  }

  /** A client's channel to this node. `blocked`: nothing passes at present. @param as who the client is. @throws NodeNotRunning */
  open(blocked: () => boolean, as: NodeId): GatedChannel {
    const { service } = this.life
    const { client, served } = localChannels(this.id, as)
    service.accept(served)
    const channel: GatedChannel = new GatedChannel(client, blocked, () => this.#channels.delete(channel))
    this.#channels.add(channel)
    return channel
  }

  /** What waited on the channels to this node goes on where the way is free. */
  releaseChannels(): void {
    for (const channel of [...this.#channels]) channel.release()
  }

  status(): NodeStatus {
    const { replica, service } = this.life
    const { cluster, engine } = this.#world
    return nodeStatus(
      {
        id: this.id,
        name: this.name,
        cluster,
        engine: engine.name,
        members: membersOf(replica),
        clients: service.clients,
      },
      replica.status(),
    )
  }

  /** Ids of those that vote, as decided last. */
  voters(): readonly NodeId[] {
    return this.life.replica.membership.members.filter(({ role }) => role === 'voter').map(({ id }) => id)
  }

  /** The number of a machine in the log. @throws RangeError */
  machineNumber(name: string): number {
    const { machines } = this.life
    const at = machines.findIndex((machine) => machine.name === name)
    if (at >= 0) return at + 1
    throw new RangeError(`there is no machine "${name}"; there are ${machines.map((one) => one.name).join(', ')}`)
  }

  query(machine: string, query: Uint8Array): Uint8Array | undefined {
    return this.life.replica.query(this.machineNumber(machine), query)
  }

  async kill(): Promise<void> {
    const life = this.#life
    if (life === undefined) return
    this.#life = undefined
    // In this order, and within this turn: nothing that the dying replica still does can reach its journal, its peers or a client.
    const survivor = this.#journal.reopen()
    this.#journal = survivor
    const gone = life.replica.close()
    const error = new NodeNotRunning(`${this.name} was killed`)
    for (const channel of [...this.#channels]) channel.sever(error)
    this.resume()
    const closed = life.client?.close().catch(() => {})
    if (closed !== undefined) this.#leave(closed)
    this.#world.changed()
    await gone
    life.service.close()
  }

  #leave(work: Promise<void>): void {
    const left = work.finally(() => this.#leftovers.delete(left))
    this.#leftovers.add(left)
  }

  async restart(): Promise<void> {
    await this.kill()
    await this.start()
  }

  pause(): void {
    if (this.state !== 'running') return
    this.#paused = true
    this.#clock.pause()
    this.#world.stopped(this.id, true)
    this.#world.changed()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#world.stopped(this.id, false)
    this.#clock.resume()
    this.releaseChannels()
    this.#world.changed()
  }

  /** Closes its client while it can still say goodbye. */
  async closeClient(): Promise<void> {
    this.resume()
    await this.#life?.client?.close()
  }

  async close(): Promise<void> {
    const life = this.#life
    life?.service.close()
    await life?.replica.close()
    this.#life = undefined
    await Promise.all(this.#leftovers)
  }
}
