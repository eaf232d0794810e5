import { type AddOptions, type Client, type ClientInit, connect, type Dial } from '@conclave/client'
import type { MemberNews } from '@conclave/client/protocol'
import { raft } from '@conclave/engine-raft'
import {
  type EngineFactory,
  type Logger,
  type NodeId,
  nodeId,
  type StateMachine,
  silentLogger,
  type Timing,
} from '@conclave/interface'
import { chubbyMachine } from '@conclave/machine-chubby'
import { kvMachine } from '@conclave/machine-kv'
import type { ReplicaLimits } from '@conclave/replica'
import { type Faults, type MemoryNetwork, memoryNetwork } from '@conclave/transport-memory'
import { NodeNotRunning, NoLeader } from './errors.ts'
import { MachineCalls } from './machine-calls.ts'
import { InProcessNode, type NodeWorld, type TestNode } from './node.ts'
import { networkClock } from './process-clock.ts'

export interface TestClusterInit {
  /** 1 to 9 founders, named `n1`, `n2`, … Default 3. */
  readonly nodes?: number
  /** Default Raft. */
  readonly engine?: EngineFactory
  /** State machines of your own, made anew for each start of a node. The store of `client.kv` and the lock service are always there as well, and come first. */
  readonly machines?: () => readonly StateMachine[]
  /** What goes wrong on the network between the nodes. Default: nothing. */
  readonly faults?: Partial<Faults>
  /** Default: a heartbeat each 20 ms, an election after 150 to 300 ms without one. */
  readonly timing?: Timing
  /** Bounds of each replica, such as `snapshotBytes`. */
  readonly limits?: Partial<ReplicaLimits>
  /** Default: no output. */
  readonly logger?: Logger
  /** Milliseconds for the first leader. Default 10,000. */
  readonly timeout?: number
}

/** What a client of a test cluster may say for itself; see `ClientInit`. */
export type ClientOptions = Pick<ClientInit, 'timeout' | 'signal' | 'logger' | 'localReads'>

/** A cluster in this process. `close` it, or `await using` it: until then it keeps the program alive. */
export interface TestCluster extends AsyncDisposable {
  /** The founders, then those that were added, in this order. */
  readonly nodes: readonly TestNode[]
  /** By name. @throws RangeError */
  node(name: string): TestNode
  /** A client as applications have it: it knows every node, follows the leader, and is no part of any partition. Closed with the cluster. */
  client(options?: ClientOptions): Promise<Client>
  /** The node that leads a majority which runs and which it reaches; undefined if there is none at present. */
  leader(): TestNode | undefined
  /** Resolves with the leader, now or as soon as there is one. @param options.timeout in milliseconds, default 10,000. @throws NoLeader */
  waitForLeader(options?: { readonly timeout?: number }): Promise<TestNode>
  /**
   * Starts one node more and adds it; resolves when that is decided. A voter is a learner first, and is promoted by itself once it has caught up. Removing, and
   * all else about members, is `client.membership`. @throws what `client.membership.add` throws; RangeError beyond nine nodes.
   */
  addNode(options?: AddOptions): Promise<TestNode>
  /** Only nodes of the same group reach each other, by their object or name; who is in no group is alone. Replaces an earlier partition. @throws RangeError */
  partition(groups: readonly (readonly (TestNode | string)[])[]): void
  /** Everybody reaches everybody. */
  heal(): void
  /** Changes what goes wrong on the network from now on; what is not named stays. */
  setFaults(faults: Partial<Faults>): void
  /**
   * Has a command decided and applied, once, and gives the reply: for machines of your own; the store has `client.kv`.
   * @param options.timeout in milliseconds, default 10,000. @throws CallTimedOut, NoLeader, RangeError
   */
  propose(machine: string, command: Uint8Array, options?: { readonly timeout?: number }): Promise<Uint8Array>
  /** Asks a machine after a quorum round: the answer holds everything that was acknowledged before. @throws as `propose`. */
  read(machine: string, query: Uint8Array, options?: { readonly timeout?: number }): Promise<Uint8Array>
  /** Closes clients, nodes and network; no timer is left. Safe to call twice. */
  close(): Promise<void>
}

const clusterName = 'test'
const fastTiming: Timing = { heartbeatTicks: 2, electionTicks: 15, tickMillis: 10 }
const mostNodes = 9
/** Turns of the event loop in which the news of closed channels reach their other ends. */
const lastTurns = 4

/** Node ids look like those of real nodes, so that clients take them in their endpoints. */
const memberNumber = (n: number): MemberNews => ({
  id: nodeId(`MemoryNodeNumber${n}`),
  name: `n${n}`,
  addresses: [`/ip4/127.0.0.${n}/tcp/7400`],
})

/**
 * Starts a cluster in this process: resolves once it has a leader.
 * @throws RangeError if `nodes` is not 1 to 9; NoLeader if none is elected in time.
 */
export const testCluster = async (init: TestClusterInit = {}): Promise<TestCluster> => {
  const { nodes = 3, timeout = 10_000 } = init
  if (!Number.isSafeInteger(nodes) || nodes < 1 || nodes > mostNodes)
    throw new RangeError(`a test cluster has 1 to ${mostNodes} nodes, got ${nodes}`)
  const cluster = new InProcessCluster(nodes, init)
  try {
    await cluster.start(timeout)
  } catch (error) {
    await cluster.close()
    throw error
  }
  return cluster
}

class InProcessCluster implements TestCluster {
  readonly #nodes: InProcessNode[] = []
  readonly #network: MemoryNetwork
  readonly #world: NodeWorld
  readonly #logger: Logger
  readonly #clients = new Set<Client>()
  readonly #calls: MachineCalls
  readonly #watchers = new Set<() => void>()
  #groups: ReadonlyMap<NodeId, number> | undefined
  #closing: Promise<void> | undefined

  #clientsMade = 0

  constructor(count: number, init: TestClusterInit) {
    const { engine = raft, machines = () => [], faults = {}, timing = fastTiming, limits = {} } = init
    this.#logger = init.logger ?? silentLogger
    this.#network = memoryNetwork({ clock: networkClock, random: { next: Math.random }, faults })
    const founders = Array.from({ length: count }, (_, at) => memberNumber(at + 1))
    this.#world = {
      cluster: clusterName,
      engine,
      founders,
      timing,
      limits,
      logger: this.#logger,
      machines: () => [kvMachine(), chubbyMachine(), ...machines()],
      transport: (id) => this.#network.transport(id),
      stopped: (id, stopped) => (stopped ? this.#network.pause(id) : this.#network.resume(id)),
      dialFrom: (from) => this.#dial(from, (to) => this.#isCut(from, to) || this.#find(from).state === 'paused'),
      changed: () => this.#changed(),
    }
    for (const founder of founders) this.#nodes.push(new InProcessNode(founder, this.#world))
    this.#calls = new MachineCalls(async (deadline) => {
      const { name } = await this.waitForLeader({ timeout: Math.max(0, deadline - performance.now()) })
      const node = this.#named(name)
      return { replica: node.life.replica, machineNumber: (machine) => node.machineNumber(machine) }
    })
  }

  get nodes(): readonly InProcessNode[] {
    return this.#nodes
  }

  async start(timeout: number): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start()))
    await this.waitForLeader({ timeout })
  }

  #find(id: NodeId): InProcessNode {
    const found = this.nodes.find((node) => node.id === id)
    if (found === undefined) throw new NodeNotRunning(`there is no node ${id}`)
    return found
  }

  #named(name: string): InProcessNode {
    const found = this.nodes.find((node) => node.name === name)
    if (found !== undefined) return found
    throw new RangeError(`there is no node "${name}"; there are ${this.nodes.map((node) => node.name).join(', ')}`)
  }

  node(name: string): TestNode {
    return this.#named(name)
  }

  async addNode(options: AddOptions = {}): Promise<TestNode> {
    const number = this.#nodes.length + 1
    if (number > mostNodes) throw new RangeError(`a test cluster has at most ${mostNodes} nodes`)
    const member = memberNumber(number)
    const leader = await this.waitForLeader()
    const node = new InProcessNode(member, this.#world)
    this.#nodes.push(node)
    await node.start()
    try {
      await leader.client.membership.add(member, options)
    } catch (error) {
      await node.kill()
      throw error
    }
    return node
  }

  // ---- clients --------------------------------------------------------------------------------------------------------------------

  #dial(as: NodeId, cutFrom: (to: NodeId) => boolean): Dial {
    return async (id) => {
      const node = this.#find(id)
      return node.open(() => node.state === 'paused' || cutFrom(id), as)
    }
  }

  async client(options: ClientOptions = {}): Promise<Client> {
    if (this.#closing !== undefined) throw new NodeNotRunning('the cluster is closed')
    const endpoints = this.nodes.map(({ id }, at) => `${memberNumber(at + 1).addresses[0]}/p2p/${id}`)
    const principal = nodeId(`client-${++this.#clientsMade}`)
    const world = { dial: this.#dial(principal, () => false), principal }
    const client = await connect({ logger: this.#logger, ...options, endpoints, cluster: clusterName, world })
    this.#clients.add(client)
    return client
  }

  propose(machine: string, command: Uint8Array, options: { readonly timeout?: number } = {}): Promise<Uint8Array> {
    return this.#calls.propose(machine, command, options.timeout ?? 10_000)
  }

  read(machine: string, query: Uint8Array, options: { readonly timeout?: number } = {}): Promise<Uint8Array> {
    return this.#calls.read(machine, query, options.timeout ?? 10_000)
  }

  // ---- leaders --------------------------------------------------------------------------------------------------------------------

  leader(): TestNode | undefined {
    return this.nodes.find((node) => this.#leadsMajority(node))
  }

  #leadsMajority(node: InProcessNode): boolean {
    if (node.state !== 'running') return false
    const { leading, epoch } = node.status()
    if (!leading) return false
    const voters = node.voters()
    const following = this.nodes.filter((other) => {
      if (!voters.includes(other.id) || other.state !== 'running' || this.#isCut(node.id, other.id)) return false
      const status = other.status()
      return status.leader === node.id && status.epoch === epoch
    })
    return following.length * 2 > voters.length
  }

  waitForLeader(options: { readonly timeout?: number } = {}): Promise<TestNode> {
    const { timeout = 10_000 } = options
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(late)
        this.#watchers.delete(look)
      }
      const look = (): void => {
        const leader = this.leader()
        if (leader === undefined && this.#closing === undefined) return
        end()
        if (leader === undefined) reject(new NoLeader('the cluster was closed'))
        else resolve(leader)
      }
      const late = setTimeout(() => {
        end()
        reject(new NoLeader(`no leader of a majority within ${timeout} ms (${this.#beliefs()})`))
      }, timeout)
      this.#watchers.add(look)
      look()
    })
  }

  #beliefs(): string {
    const told = this.nodes.map((node) => {
      if (node.state !== 'running') return `${node.name}: ${node.state}${node.error ? `, ${node.error.message}` : ''}`
      const { role, epoch } = node.status()
      return `${node.name}: ${role} of epoch ${epoch}`
    })
    return told.join('; ')
  }

  #changed(): void {
    for (const look of [...this.#watchers]) look()
  }

  // ---- the network ----------------------------------------------------------------------------------------------------------------

  #isCut(from: NodeId, to: NodeId): boolean {
    if (this.#groups === undefined || from === to) return false
    const group = this.#groups.get(from)
    return group === undefined || group !== this.#groups.get(to)
  }

  partition(groups: readonly (readonly (TestNode | string)[])[]): void {
    const ids = groups.map((members) =>
      members.map((member) => this.#named(typeof member === 'string' ? member : member.name).id),
    )
    if (new Set(ids.flat()).size !== ids.flat().length) throw new RangeError('a node is in one group at most')
    this.#groups = new Map(ids.flatMap((members, group) => members.map((id) => [id, group] as const)))
    this.#network.partition(ids)
    this.#moved()
  }

  heal(): void {
    this.#groups = undefined
    this.#network.heal()
    this.#moved()
  }

  #moved(): void {
    for (const node of this.nodes) node.releaseChannels()
    this.#changed()
  }

  setFaults(faults: Partial<Faults>): void {
    this.#network.setFaults(faults)
  }

  // ---- the end --------------------------------------------------------------------------------------------------------------------

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.heal()
    await Promise.all([...this.#clients].map((client) => client.close()))
    await Promise.all(this.nodes.map((node) => node.closeClient()))
    await Promise.all(this.nodes.map((node) => node.close()))
    this.#changed()
    for (let turn = 0; turn < lastTurns; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
