import { type Cancel, type Epoch, type Logger, type NodeId, nodeId, type Random } from '@conclave/interface'
import type { Connector } from './channel.ts'
import { Connection, type ConnectionEvents, type Welcome } from './connection.ts'
import type { Dial, Endpoint } from './dialer.ts'
import type { LeaderNews, MemberNews } from './protocol.ts'
import { backoff, type ClientClock, timing } from './time.ts'

/** A node that the client may talk to. */
interface Known {
  readonly id: NodeId
  name: string
  addresses: readonly string[]
  /** Named by the caller: never forgotten, and preferred for local reads. */
  readonly endpoint: boolean
  connection: Connection | undefined
  /** From the start of a dial to the welcome or the failure. Never rejects. */
  dialing: Promise<void> | undefined
  failures: number
  retry: Cancel | undefined
  error: Error | undefined
  /** The members, as it told them last. */
  told?: readonly MemberNews[]
}

export interface ClusterInit {
  readonly endpoints: readonly Endpoint[]
  readonly local: Connector | undefined
  /** Empty: whichever it is. */
  readonly cluster: string
  /** Every member is reached, not only the leader and one more. */
  readonly wide?: boolean
  readonly dial: Dial
  readonly clock: ClientClock
  readonly random: Random
  readonly logger: Logger
  /** A connection is ready or gone, or the leader is another. */
  readonly changed: () => void
  readonly leaderChanged: (news: LeaderNews) => void
}

/**
 * Where the nodes are, which one leads, and the connections to them: one to the leader and at least one to another member, which tells of the
 * next leader when this one hangs. While no leader can be reached, everybody is asked; and always if local reads are spread.
 */
export class Cluster implements ConnectionEvents {
  readonly #init: ClusterInit
  readonly #nodes = new Map<NodeId, Known>()
  /** Called when a connection is welcomed, or closed before. */
  readonly #greeting = new Map<Connection, () => void>()
  #leader: LeaderNews = { epoch: 0n as Epoch, addresses: [] }
  #members: readonly MemberNews[] = []
  #name = ''
  #open = true

  constructor(init: ClusterInit) {
    this.#init = init
    if (init.local !== undefined) this.#know(init.local.node, '', [], true)
    for (const { id, address } of init.endpoints) {
      const known = this.#know(id, '', [], true)
      known.addresses = [...known.addresses, address]
    }
  }

  get leader(): LeaderNews {
    return this.#leader
  }
  get members(): readonly MemberNews[] {
    return this.#members
  }
  /** The cluster's name; empty before the first welcome. */
  get name(): string {
    return this.#name
  }
  get ready(): boolean {
    return this.anyConnection() !== undefined
  }

  /** The connection to the leader, if it is known and reached. */
  leaderConnection(): Connection | undefined {
    const { id } = this.#leader
    return id === undefined ? undefined : this.#ready(this.#nodes.get(id))
  }

  /** A connection for local reads: to an endpoint, else to anyone, members before others; with a single endpoint only to that. */
  anyConnection(): Connection | undefined {
    const known = [...this.#nodes.values()]
    const named = known.filter((node) => node.endpoint)
    // A node that was removed, or is not added yet, may be there and serve nothing.
    const isMember = (node: Known): boolean => this.#members.some(({ id }) => id === node.id)
    const candidates = named.length === 1 ? named : [...[...named, ...known].filter(isMember), ...named, ...known]
    return candidates.map((node) => this.#ready(node)).find((connection) => connection !== undefined)
  }

  /** The connections to members that are ready. */
  memberConnections(): readonly Connection[] {
    const found = this.#members.map(({ id }) => this.#ready(this.#nodes.get(id)))
    return found.filter((connection) => connection !== undefined)
  }

  /** The connection to this node, once it is ready; undefined if that fails now. Dials if needed. */
  async connectionTo(id: NodeId): Promise<Connection | undefined> {
    const node = this.#nodes.get(id)
    if (node === undefined || !this.#open) return undefined
    const ready = this.#ready(node)
    if (ready !== undefined) return ready
    await this.#connect(node)
    return this.#ready(node)
  }

  /** What went wrong with one node last. */
  problem(id: NodeId): string {
    return this.#nodes.get(id)?.error?.message ?? 'no connection'
  }

  /** What went wrong with each node last, for error messages. */
  problems(): string {
    const told = [...this.#nodes.values()].map(
      ({ id, name, error }) =>
        `${name || id}: ${error?.message ?? (this.#leader.id === undefined ? 'no leader known' : 'no answer')}`,
    )
    return told.join('; ') || 'no node is known'
  }

  #ready(node: Known | undefined): Connection | undefined {
    return node?.connection?.ready ? node.connection : undefined
  }

  #know(id: NodeId, name: string, addresses: readonly string[], endpoint = false): Known {
    const known = this.#nodes.get(id)
    if (known !== undefined) {
      if (name !== '') known.name = name
      // What the cluster says of itself comes first, but what the caller said is tried as well: it may be a way around.
      if (addresses.length > 0) known.addresses = [...new Set([...addresses, ...known.addresses])].slice(0, 16)
      return known
    }
    const node: Known = {
      id,
      name,
      addresses,
      endpoint,
      connection: undefined,
      dialing: undefined,
      failures: 0,
      retry: undefined,
      error: undefined,
    }
    this.#nodes.set(id, node)
    return node
  }

  /** Dials whom it needs. Called whenever something changed. */
  maintain(): void {
    if (!this.#open) return
    const { id } = this.#leader
    const leader = id === undefined ? undefined : this.#nodes.get(id)
    if (this.#ready(leader) === undefined || this.#init.wide === true) {
      for (const node of this.#nodes.values()) this.#want(node)
      return
    }
    const others = [...this.#nodes.values()].filter((node) => node !== leader)
    if (others.some((node) => this.#ready(node) !== undefined || node.dialing !== undefined)) return
    const [next] = others.filter((node) => node.retry === undefined).sort((a, b) => a.failures - b.failures)
    if (next !== undefined) this.#want(next)
  }

  #want(node: Known): void {
    if (node.connection === undefined && node.retry === undefined) void this.#connect(node)
  }

  /** The attempt that is under way, or a new one. */
  #connect(node: Known): Promise<void> {
    node.dialing ??= this.#attempt(node).then(() => {
      node.dialing = undefined
      this.maintain()
    })
    return node.dialing
  }

  /** One attempt, until the welcome or the failure. */
  async #attempt(node: Known): Promise<void> {
    node.retry?.()
    node.retry = undefined
    const { clock, dial, local, cluster } = this.#init
    const limit = new AbortController()
    const late = clock.after(timing.dial, () => limit.abort(new Error(`no connection within ${timing.dial} ms`)))
    try {
      const channel = local?.node === node.id ? local.open() : await dial(node.id, node.addresses, limit.signal)
      if (!this.#open) return channel.close()
      await this.#greet(node, new Connection(channel, cluster, this))
    } catch (error) {
      this.#failed(node, error instanceof Error ? error : new Error(String(error)))
    } finally {
      late()
    }
  }

  /** Waits for the welcome. */
  #greet(node: Known, connection: Connection): Promise<void> {
    node.connection = connection
    return new Promise((resolve) => {
      const late = this.#init.clock.after(timing.dial, () => connection.close(new Error('the node does not greet')))
      this.#greeting.set(connection, () => {
        late()
        this.#greeting.delete(connection)
        resolve()
      })
    })
  }

  #failed(node: Known, error: Error): void {
    node.error = error
    node.connection = undefined
    if (!this.#open || this.#forget(node)) return
    this.#init.logger.debug({ node: node.id, error: error.message }, 'no connection to a node')
    node.retry?.()
    node.retry = this.#init.clock.after(backoff(node.failures++, this.#init.random.next()), () => {
      node.retry = undefined
      this.maintain()
    })
  }

  /** A member of the past is not dialled again. */
  #forget(node: Known): boolean {
    const kept = node.endpoint || node.id === this.#leader.id || this.#members.length === 0
    if (kept || this.#members.some(({ id }) => id === node.id)) return false
    node.retry?.()
    return this.#nodes.delete(node.id)
  }

  welcomed(connection: Connection, { cluster, leader, members }: Welcome): void {
    const node = this.#nodes.get(connection.node)
    if (node === undefined) return connection.close(new Error('the node is no member any more'))
    node.failures = 0
    node.error = undefined
    this.#name = cluster
    node.told = members
    this.#learnMembers(members, connection)
    this.#greeting.get(connection)?.()
    this.learned(leader)
    this.#init.changed()
  }

  closed(connection: Connection, error: Error): void {
    const node = this.#nodes.get(connection.node)
    if (node?.connection === connection) this.#failed(node, error)
    this.#greeting.get(connection)?.()
    this.#init.changed()
    this.maintain()
  }

  /** The leader knows the members best: another node, which may lag behind, only adds to what it said. */
  #learnMembers(members: readonly MemberNews[], from: Connection): void {
    for (const { id, name, addresses } of members) this.#know(id, name, addresses)
    const leader = this.leaderConnection()
    if (leader !== undefined && leader !== from) return
    this.#members = members
    for (const node of [...this.#nodes.values()])
      if (node.connection === undefined && node.dialing === undefined) this.#forget(node)
  }

  /** News of an older reign are old; of the same reign they matter if they name the leader for the first time. */
  learned(news: LeaderNews): void {
    const known = this.#leader
    const newer =
      news.epoch > known.epoch || (news.epoch === known.epoch && known.id === undefined && news.id !== undefined)
    if (newer) {
      const { epoch, id, addresses } = news
      this.#leader = id === undefined ? { epoch, addresses } : { epoch, id, addresses }
      if (news.id !== undefined) {
        const node = this.#know(nodeId(news.id), '', news.addresses)
        // A new leader is not made to wait for what it failed to do before.
        node.retry?.()
        node.retry = undefined
        // It may have told of the members before it led, and one that lags behind may have spoken since.
        if (this.#ready(node) !== undefined && node.told !== undefined) this.#members = node.told
      }
      this.#init.leaderChanged(this.#leader)
      this.#init.changed()
    }
    this.maintain()
  }

  /** Asks every connection for a sign of life. */
  ping(): void {
    for (const { connection } of [...this.#nodes.values()]) if (connection?.ready) connection.ping()
  }

  close(error: Error): void {
    this.#open = false
    for (const node of this.#nodes.values()) {
      node.retry?.()
      node.connection?.close(error)
    }
  }
}
