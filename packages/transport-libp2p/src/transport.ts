import {
  assert,
  type Chunks,
  type Clock,
  isEngineName,
  type Lane,
  type Logger,
  type NodeId,
  type Peer,
  type Random,
  silentLogger,
  type Transport,
  type TransportHandler,
} from '@conclave/interface'
import { LinkFailed } from './errors.ts'
import type { FrameListener, FrameStream } from './frame-stream.ts'
import type { Gate } from './gate.ts'
import { type Household, receiveGreeting } from './greeting.ts'
import { type Hello, mostClusterBytes, type Verdict } from './hello.ts'
import type { Host } from './host.ts'
import { engineProtocol, type LinkInit, PeerLink } from './link.ts'
import { receiveTransfer } from './transfer-in.ts'
import { sendTransfer } from './transfer-out.ts'
import { snapshotProtocol } from './transfer-wire.ts'

export interface Libp2pTransportInit {
  readonly host: Host
  /** Links to nodes of other clusters are refused. 1 to 256 bytes of UTF-8. */
  readonly clusterId: string
  /** The group within the cluster. Default 0. */
  readonly groupId?: number
  /** Whose streams are taken: also those of a member that is not (yet) among the peers. */
  readonly gate: Pick<Gate, 'isMember' | 'wasMember'>
  readonly clock: Clock
  /** A peer does not welcome this node, for a reason that it gives; told at each attempt. `removed`: this node is no member any more. */
  readonly refused?: (peer: NodeId, verdict: Verdict) => void
  /** The name of this node's engine: members that name another are refused. Default: none is said, and none is refused. */
  readonly engine?: string
  /** A member runs another engine, and is refused; or (undefined) it does no more. */
  readonly otherEngine?: (peer: NodeId, engine: string | undefined) => void
  /** For the jitter of the back-off. */
  readonly random: Random
  readonly logger?: Logger
  /** Largest frame in bytes; the same on all members. A message may have 4 bytes less. Default 4 MiB. */
  readonly frameBytes?: number
  /** Bytes that wait for a slow peer, per lane; a message beyond it is dropped and told as `lost`. Default 4 MiB and 16 MiB. */
  readonly queueBytes?: Partial<Record<Lane, number>>
  /** Without progress for so many milliseconds a transfer fails; an offer counts as rejected. Default 10,000. */
  readonly transferMillis?: number
}

/** Streams that one peer may have open to this node: its two lanes, their successors, and some transfers. */
const mostIncoming = 16

const defaults = {
  frameBytes: 4 * 1024 * 1024,
  urgentBytes: 4 * 1024 * 1024,
  bulkBytes: 16 * 1024 * 1024,
  greetingMillis: 5000,
  transferMillis: 10_000,
}

/**
 * Links between the members of a cluster over libp2p. A member dials its own streams to each peer, one per lane; a peer is `up` when both are welcomed.
 * @throws RangeError if the cluster id is empty or too long, or the engine's name is none.
 */
export const libp2pTransport = (init: Libp2pTransportInit): Transport => new Libp2pTransport(init)

class Libp2pTransport implements Transport {
  readonly self: NodeId
  readonly #init: Libp2pTransportInit
  readonly #home: Household
  readonly #logger: Logger
  readonly #frameBytes: number
  readonly #transferMillis: number
  readonly #links = new Map<NodeId, PeerLink>()
  /** Links that were given up and still close. */
  readonly #leaving = new Set<Promise<void>>()
  readonly #incoming = new Set<FrameStream>()
  readonly #incomingLanes = new Map<string, FrameStream>()
  /** Why a peer's streams are refused, told once and not at each of its attempts. */
  readonly #complaints = new Map<NodeId, string>()
  /** The engines of members that are refused for them. */
  readonly #otherEngines = new Map<NodeId, string>()
  readonly #closing = new AbortController()
  #handler: TransportHandler | undefined
  #closed: Promise<void> | undefined

  constructor(init: Libp2pTransportInit) {
    const bytes = Buffer.byteLength(init.clusterId)
    if (bytes === 0 || bytes > mostClusterBytes)
      throw new RangeError(`a cluster id has 1 to ${mostClusterBytes} bytes, got ${bytes}`)
    if (init.engine !== undefined && !isEngineName(init.engine))
      throw new RangeError(`not the name of an engine: ${JSON.stringify(init.engine)}`)
    this.self = init.host.id
    this.#init = init
    this.#logger = init.logger ?? silentLogger
    this.#frameBytes = init.frameBytes ?? defaults.frameBytes
    this.#transferMillis = init.transferMillis ?? defaults.transferMillis
    this.#home = {
      cluster: init.clusterId,
      group: init.groupId ?? 0,
      engine: init.engine,
      clock: init.clock,
      greetingMillis: defaults.greetingMillis,
    }
  }

  async start(handler: TransportHandler): Promise<void> {
    assert(this.#handler === undefined, 'a transport is started once')
    this.#handler = handler
    const { host, gate } = this.#init
    const admit = (peer: NodeId): boolean =>
      (gate.isMember(peer) || gate.wasMember?.(peer) === true) && this.#closed === undefined
    const limits = { frameBytes: this.#frameBytes }
    await host.handle(engineProtocol, (stream) => this.#engineStream(stream), admit, limits)
    await host.handle(snapshotProtocol, (stream) => this.#snapshotStream(stream), admit, limits)
  }

  setPeers(peers: readonly Peer[]): void {
    if (this.#closed !== undefined) return
    const wanted = new Map(peers.filter((peer) => peer.id !== this.self).map((peer) => [peer.id, peer]))
    for (const [id, link] of this.#links) {
      if (wanted.has(id)) continue
      this.#links.delete(id)
      const left = link.close().finally(() => this.#leaving.delete(left))
      this.#leaving.add(left)
    }
    for (const [id, peer] of wanted) {
      const link = this.#links.get(id)
      if (link === undefined) this.#links.set(id, new PeerLink(peer, this.#linkInit()))
      else link.update(peer)
    }
    for (const id of this.#otherEngines.keys())
      if (!wanted.has(id) && !this.#init.gate.isMember(id)) this.#engineOf(id, undefined)
    // The gate may have closed for some: what they opened before does not stay.
    for (const stream of this.#incoming)
      if (!this.#init.gate.isMember(stream.peer)) stream.abort(new LinkFailed('the peer is no member any more'))
  }

  #linkInit(): LinkInit {
    const { host, random, queueBytes } = this.#init
    return {
      host,
      home: this.#home,
      random,
      logger: this.#logger,
      frameBytes: this.#frameBytes,
      queueBytes: { urgent: queueBytes?.urgent ?? defaults.urgentBytes, bulk: queueBytes?.bulk ?? defaults.bulkBytes },
      tell: (id, state) => {
        if (state === 'up') this.#engineOf(id, undefined)
        if (this.#closed === undefined) this.#handler?.peer(id, state)
      },
      refused: (id, { verdict, engine }) => {
        if (this.#closed !== undefined) return
        if (verdict === 'wrong-engine') this.#engineOf(id, engine)
        this.#init.refused?.(id, verdict)
      },
    }
  }

  /** What is known of a member's engine: undefined if it is welcome. Told at each change. */
  #engineOf(peer: NodeId, other: string | undefined): void {
    if (this.#otherEngines.get(peer) === other) return
    if (other === undefined) this.#otherEngines.delete(peer)
    else {
      this.#otherEngines.set(peer, other)
      const name = this.#links.get(peer)?.peer.name ?? peer
      this.#logger.error(
        { peer, name, engine: other },
        `${name} runs engine "${other}", this node "${this.#home.engine}": all members of a cluster must run the same`,
      )
    }
    this.#init.otherEngine?.(peer, other)
  }

  send(to: NodeId, message: Chunks, lane: Lane): void {
    this.#links.get(to)?.send(message, lane)
  }

  #engineStream(stream: FrameStream): void {
    this.#greeted(stream, ['urgent', 'bulk'], (lane) => {
      const key = `${lane} ${stream.peer}`
      const before = this.#incomingLanes.get(key)
      this.#incomingLanes.set(key, stream)
      const link = this.#links.get(stream.peer)
      // The peer has dialled anew while its old stream seemed alive: it restarted, or moved, and the news of its end was lost on the way.
      if (before?.open === true) {
        before.abort(new LinkFailed('the peer came back on another connection'))
        link?.renew()
      } else link?.nudge()
      return {
        messages: (messages) => {
          for (const message of messages) if (this.#closed === undefined) this.#handler?.receive(stream.peer, message)
        },
        closed: (error) => {
          if (this.#incomingLanes.get(key) === stream) this.#incomingLanes.delete(key)
          this.#forget(stream, error)
        },
      }
    })
  }

  #snapshotStream(stream: FrameStream): void {
    this.#greeted(stream, ['snapshot'], () =>
      receiveTransfer({
        stream,
        clock: this.#init.clock,
        millis: this.#transferMillis,
        offered: (transfer) => {
          if (this.#closed === undefined) this.#handler?.offered(stream.peer, transfer)
          else transfer.reject()
        },
        closed: (error) => this.#forget(stream, error),
      }),
    )
  }

  #greeted(
    stream: FrameStream,
    fit: readonly ('urgent' | 'bulk' | 'snapshot')[],
    welcome: (lane: 'urgent' | 'bulk' | 'snapshot') => FrameListener,
  ): void {
    const others = [...this.#incoming].filter((other) => other.peer === stream.peer && other.open)
    this.#incoming.add(stream)
    const refused = (reason: string, hello?: Hello): void => {
      this.#forget(stream)
      if (reason === 'wrong-engine' && this.#closed === undefined) return this.#engineOf(stream.peer, hello?.engine)
      if (this.#closed !== undefined || this.#complaints.get(stream.peer) === reason) return
      this.#complaints.set(stream.peer, reason)
      const fields = { peer: stream.peer, remote: stream.remoteAddress, reason, cluster: hello?.cluster }
      if (reason === 'wrong-cluster')
        this.#logger.error(
          fields,
          'a node of another cluster is refused: check its addresses, or the cluster id of both',
        )
      else this.#logger.warn(fields, 'a stream of a member is refused')
    }
    const welcomed: typeof welcome = (lane) => {
      this.#complaints.delete(stream.peer)
      this.#engineOf(stream.peer, undefined)
      return welcome(lane)
    }
    const wasMember = (): boolean => this.#init.gate.wasMember?.(stream.peer) === true
    receiveGreeting(stream, fit, this.#home, { wasMember, welcome: welcomed, refused })
    if (others.length >= mostIncoming) stream.abort(new LinkFailed('too many streams of one peer'))
  }

  #forget(stream: FrameStream, error?: Error): void {
    this.#incoming.delete(stream)
    if (error?.name === 'MalformedFrame')
      this.#logger.warn({ peer: stream.peer, reason: error.message }, 'a member sent garbage: its stream is closed')
  }

  async transfer(
    to: NodeId,
    header: Uint8Array,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<'accepted' | 'rejected'> {
    const link = this.#links.get(to)
    if (link === undefined || this.#closed !== undefined) throw new LinkFailed(`${to} is no peer`)
    return sendTransfer({
      host: this.#init.host,
      home: this.#home,
      peer: link.peer,
      version: link.version,
      header,
      body,
      signal: AbortSignal.any([signal, this.#closing.signal]),
      millis: this.#transferMillis,
      frameBytes: this.#frameBytes,
    })
  }

  close(): Promise<void> {
    this.#closed ??= this.#stop()
    return this.#closed
  }

  async #stop(): Promise<void> {
    this.#closing.abort(new LinkFailed('the transport is closed'))
    const links = [...this.#links.values()].map((link) => link.close())
    this.#links.clear()
    await Promise.all([this.#init.host.unhandle(engineProtocol), this.#init.host.unhandle(snapshotProtocol)])
    await Promise.all([...links, ...this.#leaving, ...[...this.#incoming].map((stream) => stream.close())])
  }
}
