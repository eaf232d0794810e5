import { type Logger, type NodeId, type Random, silentLogger } from '@conclave/interface'
import type { Host, Identity } from '@conclave/transport-libp2p'
import { Asks } from './asks.ts'
import type { Connector } from './channel.ts'
import { Cluster } from './cluster.ts'
import { type Dial, Dialer, parseEndpoint } from './dialer.ts'
import { Errands } from './errands.ts'
import { Aborted, ClientClosed, InvalidEndpoint, Unavailable } from './errors.ts'
import { Kv } from './kv.ts'
import { clientPort } from './locks/client-port.ts'
import { Session, type SessionOptions } from './locks/session.ts'
import { ClusterMembership } from './membership.ts'
import type { LeaderNews, MemberNews, NodeStatus } from './protocol.ts'
import { Reads } from './reads.ts'
import { type LocalBalancer, type LocalReads, Spread } from './spread.ts'
import { Ticker } from './ticker.ts'
import { type ClientClock, systemClock } from './time.ts'
import type { Watcher } from './watch.ts'
import { Writes } from './writes.ts'

export interface ClientInit {
  /** Multiaddrs with the node's peer id, `/ip4/192.168.1.10/tcp/7400/p2p/12D3KooW…`. One is enough; the others are learned from it. */
  readonly endpoints?: readonly string[]
  /** A node in this process. */
  readonly local?: Connector
  /** Refuse any cluster but the one of this name. */
  readonly cluster?: string
  /** Who this client is. Default: somebody new. Not with `host`. */
  readonly identity?: Identity
  /** A libp2p host to dial with, which stays the caller's. Default: an own one, started by the first dial. */
  readonly host?: Host
  /** Gives `connect` up. */
  readonly signal?: AbortSignal
  /** Milliseconds for `connect`, and for each call that says nothing else. Default 10,000. */
  readonly timeout?: number
  /**
   * Spreads reads of level `local` over all members that are reached, learners too. Two reads may then go to different nodes, and the later one see an older state. Default: they all go to one node,
   * the first endpoint if it can be reached.
   */
  readonly localReads?: LocalReads
  /** Default: none. */
  readonly logger?: Logger
  /** How nodes are dialled, what the time is, and where chance comes from: for tests and simulations. */
  readonly world?: {
    readonly dial?: Dial
    readonly clock?: ClientClock
    readonly random?: Random
    /** As whom `dial` dials. */
    readonly principal?: NodeId
  }
}

/** What one member says of itself, or why it says nothing. */
export type MemberStatus =
  | (MemberNews & { readonly reachable: true; readonly status: NodeStatus })
  | (MemberNews & { readonly reachable: false; readonly error: string })

/** A connection to a cluster. Close it, or `await using` it: it holds the process open. */
export interface Client extends AsyncDisposable {
  /** The cluster's name. */
  readonly cluster: string
  readonly kv: Kv
  /**
   * Begins a session with the lock service, which is kept alive until it is ended, or this client closed: for locks, ephemeral files, consistent caches. End it, or `await using` it.
   * @throws RangeError; Unavailable, Aborted, ClientClosed, Refused by a cluster that has no lock service.
   */
  session(options?: SessionOptions): Promise<Session>
  /** The leader, as far as the client knows; without `id`, there is none at present. */
  leader(): LeaderNews
  /** Calls `listener` at every change of leader or epoch that the client learns of. @returns what stops it. */
  onLeader(listener: (news: LeaderNews) => void): () => void
  /** The members that the client knows of now, learners included. */
  members(): readonly MemberNews[]
  /** The members as the cluster has decided them, and their changes. */
  readonly membership: ClusterMembership
  /** Asks every member; one that does not answer within `timeout` milliseconds (default 2,000) is not reachable. */
  status(options?: { readonly timeout?: number }): Promise<readonly MemberStatus[]>
  /** Ends the session and the connections; calls that wait fail. Safe to call twice. */
  close(): Promise<void>
}

const randomSession = (): bigint => {
  const [id = 1n] = crypto.getRandomValues(new BigUint64Array(1))
  return id
}

const worldOf = ({ world }: ClientInit): { readonly clock: ClientClock; readonly random: Random } => ({
  clock: world?.clock ?? systemClock,
  random: world?.random ?? { next: () => Math.random() },
})

const localBalancerOf = async (init: ClientInit): Promise<LocalBalancer | undefined> => {
  const { localReads } = init
  if (typeof localReads !== 'string') return localReads
  const { localBalancer } = await import('./local-balancer.ts')
  return localBalancer(localReads, worldOf(init))
}

class ConnectedClient implements Client {
  readonly kv: Kv
  readonly membership: ClusterMembership
  readonly #cluster: Cluster
  readonly #writes: Writes
  readonly #reads: Reads
  readonly #errands: Errands
  readonly #asks: Asks
  /** Commands that may have to wait before they are proposed: each travels alone, so that it holds up no other. */
  readonly #patientWrites: Writes
  readonly #watchers = new Set<Watcher>()
  readonly #leaderListeners = new Set<(news: LeaderNews) => void>()
  readonly #readyListeners = new Set<() => void>()
  readonly #ticker: Ticker
  readonly #dialer: Dialer
  readonly #clock: ClientClock
  readonly #random: Random
  readonly #principal: () => Promise<NodeId>
  readonly #timeout: number
  readonly #sessions = new Set<Session>()
  #closing: Promise<void> | undefined

  constructor(init: ClientInit, localBalancer: LocalBalancer | undefined) {
    const { local, cluster = '', logger = silentLogger, timeout = 10_000, world } = init
    const endpoints = (init.endpoints ?? []).map(parseEndpoint)
    if (endpoints.length === 0 && local === undefined) throw new InvalidEndpoint('connect needs at least one endpoint')
    const { random, clock } = worldOf(init)
    this.#clock = clock
    this.#random = random
    this.#timeout = timeout
    this.#dialer = new Dialer(init.host, init.identity)
    this.#principal = async () => world?.principal ?? this.#dialer.principal()
    this.#cluster = new Cluster({
      endpoints,
      local,
      cluster,
      wide: localBalancer !== undefined,
      dial: world?.dial ?? this.#dialer.dial,
      clock,
      random,
      logger,
      changed: () => this.#changed(),
      leaderChanged: (news) => {
        logger.debug({ epoch: String(news.epoch), leader: news.id }, 'leader news')
        // On its own: what a listener throws must not hurt the connection that brought the news.
        for (const listener of this.#leaderListeners) queueMicrotask(() => listener(news))
      },
    })
    const wake = (): void => this.#ticker.wake()
    const shared = { cluster: this.#cluster, clock, random, wake }
    this.#writes = new Writes({ ...shared, newSessionId: randomSession })
    const spread = localBalancer === undefined ? {} : { spread: new Spread(localBalancer, clock) }
    this.#reads = new Reads({ ...shared, ...spread })
    this.#errands = new Errands(shared)
    this.#asks = new Asks(shared)
    this.#patientWrites = new Writes({ ...shared, newSessionId: randomSession, blockCommands: 1 })
    const watchers = this.#watchers
    this.#ticker = new Ticker(clock, {
      calls: () => this.#writes.waiting + this.#patientWrites.waiting + this.#reads.waiting + this.#errands.waiting,
      // A call that is held is no sign that something is wrong.
      watches: () => watchers.size + this.#asks.waiting,
      sweep: (now) => {
        this.#writes.sweep(now)
        this.#patientWrites.sweep(now)
        this.#reads.sweep(now)
        this.#errands.sweep(now)
        this.#asks.sweep(now)
      },
      ping: () => this.#cluster.ping(),
    })
    this.membership = new ClusterMembership({ errands: this.#errands, timeout })
    this.kv = new Kv({ ...shared, writes: this.#writes, reads: this.#reads, timeout, watchers })
  }

  async session(options: SessionOptions = {}): Promise<Session> {
    if (this.#closing !== undefined) throw new ClientClosed(true)
    const port = clientPort({
      asks: this.#asks,
      writes: this.#patientWrites,
      clock: this.#clock,
      random: this.#random,
      cluster: this.cluster,
      principal: await this.#principal(),
    })
    const late = new AbortController()
    const cancel = this.#clock.afterHolding(this.#timeout, () =>
      late.abort(new Unavailable(`no session within ${this.#timeout} ms (${this.#cluster.problems()})`, false)),
    )
    const signal = options.signal === undefined ? late.signal : AbortSignal.any([options.signal, late.signal])
    try {
      const session = await Session.begin(port, { ...options, signal })
      this.#sessions.add(session)
      session.onOver(() => this.#sessions.delete(session))
      return session
    } finally {
      cancel()
    }
  }

  get cluster(): string {
    return this.#cluster.name
  }

  #changed(): void {
    this.#asks.changed()
    this.#writes.changed()
    this.#patientWrites.changed()
    this.#reads.changed()
    this.#errands.changed()
    for (const watcher of [...this.#watchers]) watcher.changed()
    if (this.#cluster.ready) for (const listener of [...this.#readyListeners]) listener()
  }

  /** Resolves with the first welcome. */
  start(timeout: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        late()
        signal?.removeEventListener('abort', aborted)
        this.#readyListeners.delete(ready)
      }
      const ready = (): void => {
        end()
        resolve()
      }
      const aborted = (): void => {
        end()
        reject(new Aborted(true, signal?.reason))
      }
      const late = this.#clock.afterHolding(timeout, () => {
        end()
        reject(
          new Unavailable(
            `no node of the cluster was reached within ${timeout} ms (${this.#cluster.problems()})`,
            true,
          ),
        )
      })
      this.#readyListeners.add(ready)
      signal?.addEventListener('abort', aborted, { once: true })
      if (signal?.aborted) aborted()
      else this.#cluster.maintain()
    })
  }

  leader(): LeaderNews {
    return this.#cluster.leader
  }
  members(): readonly MemberNews[] {
    return this.#cluster.members
  }

  onLeader(listener: (news: LeaderNews) => void): () => void {
    const own = (news: LeaderNews): void => listener(news)
    this.#leaderListeners.add(own)
    return () => this.#leaderListeners.delete(own)
  }

  status(options: { readonly timeout?: number } = {}): Promise<readonly MemberStatus[]> {
    if (this.#closing !== undefined) return Promise.reject(new ClientClosed(true))
    return Promise.all(this.members().map((member) => this.#statusOf(member, options.timeout ?? 2000)))
  }

  #statusOf(member: MemberNews, timeout: number): Promise<MemberStatus> {
    return new Promise((resolve) => {
      const fail = (error: string): void => {
        late()
        resolve({ ...member, reachable: false, error })
      }
      const late = this.#clock.afterHolding(timeout, () => fail(`no answer within ${timeout} ms`))
      void this.#ask(member.id).then((status) => {
        if (status === undefined) return fail(this.#cluster.problem(member.id))
        late()
        resolve({ ...member, reachable: true, status })
      })
    })
  }

  async #ask(id: NodeId): Promise<NodeStatus | undefined> {
    const connection = await this.#cluster.connectionTo(id)
    if (connection === undefined) return undefined
    return new Promise((resolve) => connection.status(resolve))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.end()))
    for (const watcher of [...this.#watchers]) watcher.close()
    this.#reads.close()
    this.#errands.close()
    this.#asks.close()
    await Promise.all([this.#writes.close(), this.#patientWrites.close()])
    this.#ticker.stop()
    this.#cluster.close(new ClientClosed(true))
    this.#leaderListeners.clear()
    await this.#dialer.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Connects to a cluster: resolves once one node has said welcome, whether or not there is a leader.
 * @throws InvalidEndpoint; RangeError for a strategy of local reads that there is not; Unavailable if no node is reached in time, Aborted.
 */
export const connect = async (init: ClientInit): Promise<Client> => {
  const client = new ConnectedClient(init, await localBalancerOf(init))
  try {
    await client.start(init.timeout ?? 10_000, init.signal)
  } catch (error) {
    await client.close()
    throw error
  }
  return client
}
