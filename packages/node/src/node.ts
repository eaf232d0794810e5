import { type Client, connect, type Kv } from '@conclave/client'
import { clientProtocol, type MemberNews, type NodeStatus } from '@conclave/client/protocol'
import {
  type EngineFactory,
  type Epoch,
  type Logger,
  type Membership,
  type NodeId,
  nodeId,
  type Random,
  silentLogger,
  type Transport,
} from '@conclave/interface'
import { fileJournal } from '@conclave/journal-file'
import { chubbyMachine } from '@conclave/machine-chubby'
import { kvMachine } from '@conclave/machine-kv'
import { createReplica, type Replica, systemClock } from '@conclave/replica'
import {
  createHost,
  type Gate,
  type Host,
  type Identity,
  isLoopback,
  libp2pTransport,
  loadOrCreateIdentity,
} from '@conclave/transport-libp2p'
import { Belonging } from './belonging.ts'
import { localChannels, streamChannel } from './channels.ts'
import { ClientService } from './client-service.ts'
import { type NodeConfig, profiles, type ResolvedConfig, resolveConfig } from './config.ts'
import {
  type Beginning,
  beginningOf,
  checkEngine,
  identityPath,
  journalPath,
  prepareDirectory,
  recordEngine,
  recordJournal,
} from './data-directory.ts'
import { loadEngine } from './engine-loader.ts'
import { InvalidConfig } from './errors.ts'
import { nodeStatus } from './node-status.ts'
import { namedEngine, recordedJournal, rosterTransport } from './parts.ts'
import { Roster } from './roster.ts'
import { servedBy } from './serving.ts'

/** Who leads; without `id`, nobody that this node knows of. */
export interface Leader {
  readonly id?: NodeId
  readonly name?: string
  readonly epoch: Epoch
}

/**
 * What a node tells of. `members`: other members are decided. `removed`: this node is none of them any more, it serves nothing, and never will again under
 * its id. `fatal`: its disk failed or an invariant does not hold; it serves nothing any more, and going on means to close it and start anew.
 */
export interface NodeEvents {
  leader: (leader: Leader) => void
  members: (membership: Membership) => void
  removed: (why: string) => void
  fatal: (error: Error) => void
}

/** A node of a cluster, in this process. */
export interface ConclaveNode extends AsyncDisposable {
  readonly id: NodeId
  readonly name: string
  /** Where it listens, each with `/p2p/ID`. */
  readonly addresses: readonly string[]
  /** The replicated store, through the leader wherever that is. */
  readonly kv: Kv
  /** A client in this process, which follows the leader. */
  readonly client: Client
  status(): NodeStatus
  /** Returns what removes the listener. A listener that throws is logged. */
  on<Event extends keyof NodeEvents>(event: Event, listener: NodeEvents[Event]): () => void
  /** Closes client, service, replica and host. No timer, socket or file is open two seconds later. Safe to call twice. */
  close(): Promise<void>
}

const systemRandom: Random = { next: Math.random }
/** The names that count machines from 1, on every node alike. */
const machines = () => [kvMachine(), chubbyMachine()]

/**
 * Starts a node: resolves once it has recovered its journal, listens and takes part; there may be no leader yet. Installs no signal handler, never
 * ends the process, and writes nothing but to `config.logger`.
 * @throws InvalidConfig, DataDirectoryRefused, DataDirectoryInUse, CorruptJournal, EngineCreateFailed; what `loadEngine` throws, if the engine is named; Error if
 * an address cannot be listened on.
 */
export const startNode = async (config: NodeConfig): Promise<ConclaveNode> => {
  const checked = resolveConfig(config)
  const engine =
    typeof checked.engine === 'string' ? await loadEngine(checked.engine, { from: process.cwd() }) : checked.engine
  const resolved = { ...checked, engine }
  const { name, cluster, data } = resolved
  await prepareDirectory(data, name, cluster)
  await checkEngine(data, engine.name)
  const identity = await loadOrCreateIdentity(identityPath(data))
  checkOwnId(resolved, identity.id)
  const beginning = await beginningOf(data, idsOf(resolved, identity.id), resolved.join)
  const node = new RunningNode(resolved, identity, beginning, config.logger ?? silentLogger)
  try {
    await node.start()
  } catch (error) {
    await node.close()
    throw error
  }
  return node
}

const idOf = (address: string): string => address.slice(address.lastIndexOf('/p2p/') + '/p2p/'.length)
const withoutId = (address: string): string => address.slice(0, address.lastIndexOf('/p2p/'))

const checkOwnId = ({ members, name, data }: ResolvedConfig, id: NodeId): void => {
  const wrong = members?.[name]?.find((address) => idOf(address) !== id)
  if (wrong === undefined) return
  throw new InvalidConfig('the configuration', [
    `members.${name}: names ${idOf(wrong)}, but the key in ${data} is ${id}. Paste the line that \`conclave init\` printed for this directory`,
  ])
}

/** The configured members, name → peer id. */
const idsOf = ({ members, name }: ResolvedConfig, self: NodeId): Record<string, string> =>
  members === undefined
    ? { [name]: self }
    : Object.fromEntries(Object.entries(members).map(([member, [first = '']]) => [member, idOf(first)]))

/** A configuration whose engine is loaded. */
interface LoadedConfig extends ResolvedConfig {
  readonly engine: EngineFactory
}

class RunningNode implements ConclaveNode {
  readonly id: NodeId
  readonly name: string
  readonly #config: LoadedConfig
  readonly #identity: Identity
  readonly #logger: Logger
  readonly #beginning: Beginning
  readonly #listeners: { readonly [Event in keyof NodeEvents]: Set<NodeEvents[Event]> } = {
    leader: new Set(),
    members: new Set(),
    removed: new Set(),
    fatal: new Set(),
  }
  #host: Host | undefined
  #replica: Replica | undefined
  #service: ClientService | undefined
  #client: Client | undefined
  #roster: Roster | undefined
  #belonging: Belonging | undefined
  /** Of members that are refused, since they run another one than this node. */
  readonly #otherEngines = new Map<NodeId, string>()
  #relink: () => void = () => {}
  #closing: Promise<void> | undefined

  constructor(config: LoadedConfig, identity: Identity, beginning: Beginning, logger: Logger) {
    this.id = identity.id
    this.name = config.name
    this.#config = config
    this.#identity = identity
    this.#beginning = beginning
    this.#logger = logger
  }

  get addresses(): readonly string[] {
    return this.#host?.addresses() ?? []
  }

  get client(): Client {
    if (this.#client === undefined) throw new Error('the node is not started')
    return this.#client
  }

  get kv(): Kv {
    return this.client.kv
  }

  async start(): Promise<void> {
    const { cluster, listen, insecureClients } = this.#config
    const gate: Gate = {
      isMember: (peer) => this.#roster?.isMember(peer) === true,
      wasMember: (peer) => this.#roster?.wasMember(peer) === true,
      refused: (peer) => this.#belonging?.knocked(peer),
      admitClient: () => true,
    }
    const host = await createHost({ identity: this.#identity, listen, gate, insecureClients, logger: this.#logger })
    this.#host = host
    const founders = this.#founders(host)
    const roster = new Roster(this.id, this.#configured(), founders)
    this.#roster = roster
    const belonging = this.#belong(host, roster)
    this.#belonging = belonging
    const replica = this.#compose(founders, this.#transport(host, gate, roster))
    this.#replica = replica
    const service = new ClientService(
      servedBy(replica, roster, () => JSON.stringify(this.status())),
      this.id,
      cluster,
    )
    this.#service = service
    replica.onApplied(() => service.applied())
    replica.onLeader((leader) => this.#leaderChanged(leader.epoch, leader.id))
    replica.onMembers((membership) => belonging.decided(membership))
    replica.onFatal((error) => this.#fatal(error))
    await replica.start()
    await recordEngine(this.#config.data, this.#config.engine.name)
    // Not yet known to be decided: nobody is taken for removed by it.
    const { removed: _, ...begun } = replica.membership
    if (roster.decided === founders) roster.decide(begun)
    await host.handle(
      clientProtocol,
      (stream) => service.accept(streamChannel(stream)),
      (peer) => !roster.wasMember(peer),
    )
    this.#warn(listen, insecureClients)
    belonging.started()
    this.#client = await this.#connect(host, service)
  }

  #belong(host: Host, roster: Roster): Belonging {
    const { name, cluster, data } = this.#config
    const beginning = this.#beginning
    return new Belonging({
      self: this.id,
      name,
      cluster,
      data,
      founders: beginning.type === 'found' ? new Set(Object.values(beginning.founders)) : undefined,
      roster,
      host,
      clock: systemClock,
      logger: this.#logger,
      relink: () => this.#relink(),
      changed: (membership) => {
        this.#service?.membersChanged()
        this.#tell('members', membership)
      },
      leave: () => this.#leave(),
    })
  }

  #warn(listen: readonly string[], insecureClients: boolean): void {
    if (listen.every(isLoopback)) return
    if (insecureClients)
      this.#logger.warn({ listen }, 'anyone who reaches this port may read and write: insecureClients is set')
    else this.#logger.info({ listen }, 'clients from outside are refused: insecureClients is not set')
  }

  /** What this node's own configuration says of others and of itself. */
  #configured(): readonly MemberNews[] {
    return Object.entries(this.#config.members ?? {})
      .map(([name, addresses]) => ({ id: nodeId(idOf(addresses[0] ?? '')), name, addresses: addresses.map(withoutId) }))
      .filter(({ id }) => this.#beginning.type === 'found' || id !== this.id)
  }

  /** What the engine takes for the members until its log knows better. Who joins is none of them, and so never asks for a vote. */
  #founders(host: Host): Membership {
    const configured = this.#configured()
    const voter = (member: MemberNews) => ({ ...member, role: 'voter' as const })
    if (this.#beginning.type === 'join') return { members: configured.map(voter) }
    const found = Object.entries(this.#beginning.founders).map(([name, id]) => {
      const own = id === this.id && configured.length === 0 ? host.addresses().map(withoutId) : undefined
      const addresses = own ?? configured.find((member) => member.id === id)?.addresses ?? []
      return voter({ id: nodeId(id), name, addresses })
    })
    return { members: found }
  }

  #transport(host: Host, gate: Gate, roster: Roster): Transport {
    const transport = libp2pTransport({
      host,
      clusterId: this.#config.cluster,
      engine: this.#config.engine.name,
      otherEngine: (peer, other) => {
        if (other === undefined) this.#otherEngines.delete(peer)
        else this.#otherEngines.set(peer, other)
      },
      gate,
      refused: (peer, verdict) => {
        if (verdict === 'removed') this.#belonging?.refusedBy(peer)
      },
      clock: systemClock,
      random: systemRandom,
      logger: this.#logger,
    })
    this.#relink = () => transport.setPeers(roster.links())
    return rosterTransport(transport, roster)
  }

  #compose(founders: Membership, transport: Transport): Replica {
    const { engine, profile, snapshotBytes, tailBytes, data, durability, leases } = this.#config
    const logger = this.#logger
    const journal = fileJournal({ directory: journalPath(data), durability, logger })
    return createReplica({
      self: this.id,
      engine: namedEngine(engine),
      founders,
      journal: recordedJournal(journal, () => recordJournal(data, this.#beginning)),
      transport,
      machines: machines(),
      clock: systemClock,
      random: systemRandom,
      logger,
      timing: profiles[profile],
      limits: { snapshotBytes, tailBytes },
      leases,
    })
  }

  #connect(host: Host, service: ClientService): Promise<Client> {
    const open = () => {
      const { client, served } = localChannels(this.id)
      service.accept(served)
      return client
    }
    return connect({ local: { node: this.id, open }, host, cluster: this.#config.cluster, logger: this.#logger })
  }

  #leaderChanged(epoch: Epoch, id: NodeId | undefined): void {
    const name = this.#roster?.find(id)?.name
    this.#logger.info(
      { epoch: String(epoch), leader: name ?? id ?? null },
      id === undefined ? 'no leader is known' : 'a leader reigns',
    )
    this.#service?.leaderChanged()
    const leader: Leader = { epoch, ...(id === undefined ? {} : { id }), ...(name === undefined ? {} : { name }) }
    this.#tell('leader', leader)
  }

  #fatal(error: Error): void {
    this.#service?.close()
    this.#tell('fatal', error)
  }

  /** Nothing is asked of the engine any more: a node that does not know that it was removed would ask for votes for ever. */
  #leave(): void {
    this.#replica?.close().catch((error: unknown) => this.#logger.warn({ err: error }, 'the replica did not close'))
    this.#tell('removed', this.#belonging?.removed ?? '')
  }

  #tell<Event extends keyof NodeEvents>(event: Event, ...news: Parameters<NodeEvents[Event]>): void {
    for (const listener of [...this.#listeners[event]] as ((...told: Parameters<NodeEvents[Event]>) => void)[]) {
      try {
        listener(...news)
      } catch (error) {
        this.#logger.error({ err: error }, 'a listener of the embedding program threw')
      }
    }
  }

  on<Event extends keyof NodeEvents>(event: Event, listener: NodeEvents[Event]): () => void {
    const listeners = this.#listeners[event] as Set<NodeEvents[Event]>
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  status(): NodeStatus {
    if (this.#replica === undefined) throw new Error('the node is not started')
    const { cluster, engine } = this.#config
    return nodeStatus(
      {
        id: this.id,
        name: this.name,
        cluster,
        engine: engine.name,
        otherEngines: [...this.#otherEngines].map(([id, other]) => ({
          id,
          name: this.#roster?.find(id)?.name ?? id,
          engine: other,
        })),
        members: this.#roster?.members() ?? [],
        membership: this.#replica.membership,
        leases: this.#replica.supports?.leases === true,
        joined: this.#beginning.type === 'join',
        removed: this.#belonging?.removed,
        clients: this.#service?.clients ?? 0,
      },
      this.#replica.status(),
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** From the outside in: nobody is served by what is already closed. */
  async #close(): Promise<void> {
    await this.#client?.close()
    this.#service?.close()
    await this.#replica?.close()
    await this.#belonging?.close()
    await this.#host?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
