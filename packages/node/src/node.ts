import { type Client, connect, type Kv } from '@conclave/client'
import { clientProtocol, type LeaderNews, type MemberNews, type NodeStatus } from '@conclave/client/protocol'
import { raft } from '@conclave/engine-raft'
import {
  type EngineFactory,
  type Epoch,
  type Journal,
  type Logger,
  type Membership,
  type NodeId,
  nodeId,
  type Random,
  silentLogger,
} from '@conclave/interface'
import { fileJournal } from '@conclave/journal-file'
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
import { localChannels, streamChannel } from './channels.ts'
import { ClientService } from './client-service.ts'
import { type NodeConfig, profiles, type ResolvedConfig, resolveConfig } from './config.ts'
import { checkFounders, identityPath, journalPath, prepareDirectory, recordJournal } from './data-directory.ts'
import { InvalidConfig } from './errors.ts'
import { nodeStatus } from './node-status.ts'
import type { Served } from './served.ts'

/** Who leads; without `id`, nobody that this node knows of. */
export interface Leader {
  readonly id?: NodeId
  readonly name?: string
  readonly epoch: Epoch
}

/** What a node tells of. `fatal`: its disk failed or an invariant does not hold; it serves nothing any more, and going on means to close it and start anew. */
export interface NodeEvents {
  leader: (leader: Leader) => void
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

const engines: Readonly<Record<'raft', EngineFactory>> = { raft }
const systemRandom: Random = { next: Math.random }
/** The names that count machines from 1, on every node alike. */
const machines = () => [kvMachine()]

/**
 * Starts a node: resolves once it has recovered its journal, listens and takes part; there may be no leader yet. Installs no signal handler, never
 * ends the process, and writes nothing but to `config.logger`.
 * @throws InvalidConfig, DataDirectoryRefused, DataDirectoryInUse, CorruptJournal; Error if an address cannot be listened on.
 */
export const startNode = async (config: NodeConfig): Promise<ConclaveNode> => {
  const resolved = resolveConfig(config)
  const { name, cluster, data } = resolved
  await prepareDirectory(data, name, cluster)
  const identity = await loadOrCreateIdentity(identityPath(data))
  checkOwnId(resolved, identity.id)
  const node = new RunningNode(resolved, identity, config.logger ?? silentLogger)
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

class RunningNode implements ConclaveNode {
  readonly id: NodeId
  readonly name: string
  readonly #config: ResolvedConfig
  readonly #identity: Identity
  readonly #logger: Logger
  readonly #leaderListeners = new Set<NodeEvents['leader']>()
  readonly #fatalListeners = new Set<NodeEvents['fatal']>()
  #host: Host | undefined
  #replica: Replica | undefined
  #service: ClientService | undefined
  #client: Client | undefined
  #members: readonly MemberNews[] = []
  #closing: Promise<void> | undefined

  constructor(config: ResolvedConfig, identity: Identity, logger: Logger) {
    this.id = identity.id
    this.name = config.name
    this.#config = config
    this.#identity = identity
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
    const gate: Gate = { isMember: (peer) => this.#members.some(({ id }) => id === peer), admitClient: () => true }
    const host = await createHost({ identity: this.#identity, listen, gate, insecureClients, logger: this.#logger })
    this.#host = host
    this.#members = this.#founders(host)
    const replica = this.#compose(host, gate)
    this.#replica = replica
    const service = new ClientService(this.#served(replica), this.id, cluster)
    this.#service = service
    replica.onApplied(() => service.applied())
    replica.onLeader((leader) => this.#leaderChanged(leader.epoch, leader.id))
    replica.onFatal((error) => this.#fatal(error))
    await replica.start()
    await host.handle(
      clientProtocol,
      (stream) => service.accept(streamChannel(stream)),
      () => true,
    )
    this.#warn(listen, insecureClients)
    this.#client = await this.#connect(host, service)
  }

  #warn(listen: readonly string[], insecureClients: boolean): void {
    if (listen.every(isLoopback)) return
    if (insecureClients)
      this.#logger.warn({ listen }, 'anyone who reaches this port may read and write: insecureClients is set')
    else this.#logger.info({ listen }, 'clients from outside are refused: insecureClients is not set')
  }

  #founders(host: Host): readonly MemberNews[] {
    const { members, name } = this.#config
    if (members === undefined) return [{ id: this.id, name, addresses: host.addresses().map(withoutId) }]
    return Object.entries(members).map(([member, addresses]) => ({
      id: nodeId(idOf(addresses[0] ?? '')),
      name: member,
      addresses: addresses.map(withoutId),
    }))
  }

  #compose(host: Host, gate: Gate): Replica {
    const { cluster, engine, profile, snapshotBytes, tailBytes } = this.#config
    const logger = this.#logger
    const founders: Membership = { members: this.#members.map((member) => ({ ...member, role: 'voter' as const })) }
    return createReplica({
      self: this.id,
      engine: typeof engine === 'string' ? engines[engine] : engine,
      founders,
      journal: this.#journal(),
      transport: libp2pTransport({ host, clusterId: cluster, gate, clock: systemClock, random: systemRandom, logger }),
      machines: machines(),
      clock: systemClock,
      random: systemRandom,
      logger,
      timing: profiles[profile],
      limits: { snapshotBytes, tailBytes },
    })
  }

  /** The journal, with the record beside it that it exists, made before the engine takes its first step. */
  #journal(): Journal {
    const { data, durability } = this.#config
    const journal = fileJournal({ directory: journalPath(data), durability, logger: this.#logger })
    const founders = Object.fromEntries(this.#members.map(({ name, id }) => [name, id]))
    return {
      open: async (events) => {
        await checkFounders(data, founders)
        const state = await journal.open(events)
        await recordJournal(data, founders)
        return state
      },
      write: (ops, done) => journal.write(ops, done),
      stage: (id, body, signal) => journal.stage(id, body, signal),
      discard: (id) => journal.discard(id),
      readSnapshot: (id) => journal.readSnapshot(id),
      stats: () => journal.stats(),
      close: () => journal.close(),
    }
  }

  #served(replica: Replica): Served {
    return {
      submit: (block, done) =>
        replica.submit(block, (outcome) => {
          if (outcome.type === 'replies') done({ replies: outcome.bytes })
          else done({ outcome: outcome.type === 'refused' ? outcome.reason : 'unknown' })
        }),
      read: (level, done) =>
        replica.read(level, (outcome) => {
          if (outcome.type === 'ready') done()
          else done(outcome.type === 'refused' ? outcome.reason : 'not-ready')
        }),
      query: (machine, query) => replica.query(machine, query),
      watch: (machine, request) => replica.watch(machine, request),
      restoring: () => replica.status().restoring,
      leader: () => this.#leaderNews(replica),
      members: () => this.#members,
      status: () => JSON.stringify(this.status()),
    }
  }

  #leaderNews(replica: Replica): LeaderNews {
    const { id, epoch } = replica.leader ?? { epoch: 0n as Epoch }
    const addresses = this.#members.find((member) => member.id === id)?.addresses ?? []
    return { epoch, addresses, ...(id === undefined ? {} : { id }) }
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
    const name = this.#members.find((member) => member.id === id)?.name
    this.#logger.info(
      { epoch: String(epoch), leader: name ?? id ?? null },
      id === undefined ? 'no leader is known' : 'a leader reigns',
    )
    this.#service?.leaderChanged()
    const leader: Leader = { epoch, ...(id === undefined ? {} : { id }), ...(name === undefined ? {} : { name }) }
    this.#tell(this.#leaderListeners, leader)
  }

  #fatal(error: Error): void {
    this.#service?.close()
    this.#tell(this.#fatalListeners, error)
  }

  #tell<News>(listeners: ReadonlySet<(news: News) => void>, news: News): void {
    for (const listener of [...listeners]) {
      try {
        listener(news)
      } catch (error) {
        this.#logger.error({ err: error }, 'a listener of the embedding program threw')
      }
    }
  }

  on<Event extends keyof NodeEvents>(event: Event, listener: NodeEvents[Event]): () => void {
    const listeners = (event === 'leader' ? this.#leaderListeners : this.#fatalListeners) as Set<NodeEvents[Event]>
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
        engine: typeof engine === 'string' ? engine : engine.name,
        members: this.#members,
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
    await this.#host?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
