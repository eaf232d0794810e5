import {
  assert,
  type Cancel,
  type Chunks,
  type IncomingTransfer,
  type Lane,
  type NodeId,
  type Peer,
  type Transport,
  type TransportHandler,
} from '@conclave/interface'
import { MemoryLinkFailed } from './errors.ts'
import { MemoryLink } from './link.ts'
import type { Wire } from './network.ts'
import { MemoryTransfer } from './transfer.ts'

/** Milliseconds until a link is made (again), uniform in [1, 50): a dial, or the wait before it. */
const connectMillis = (random: number): number => 1 + random * 49

/** One member's side of a `MemoryNetwork`. */
export class MemoryEndpoint implements Transport {
  readonly self: NodeId
  readonly #wire: Wire
  readonly #links = new Map<NodeId, { readonly link: MemoryLink; readonly other: MemoryEndpoint }>()
  readonly #dials = new Map<NodeId, Cancel>()
  /** Links that broke, of which the handler does not know yet. */
  readonly #breaking = new Set<NodeId>()
  readonly #transfers = new Map<MemoryTransfer, NodeId>()
  #peers = new Set<NodeId>()
  #handler: TransportHandler | undefined
  #closed = false

  constructor(self: NodeId, wire: Wire) {
    this.self = self
    this.#wire = wire
  }

  /** Started and not closed. */
  get running(): boolean {
    return this.#handler !== undefined && !this.#closed
  }

  start(handler: TransportHandler): Promise<void> {
    assert(this.#handler === undefined, 'a transport is started once')
    assert(!this.#closed, 'a closed transport is not started')
    this.#handler = handler
    this.#wire.started(this)
    return Promise.resolve()
  }

  setPeers(peers: readonly Peer[]): void {
    this.#peers = new Set(peers.map((peer) => peer.id).filter((id) => id !== this.self))
    for (const [id, cancel] of this.#dials) if (!this.#peers.has(id)) this.#drop(id, cancel)
    for (const [id, { link }] of this.#links) {
      if (this.#peers.has(id)) continue
      link.break()
      this.#links.delete(id)
    }
    this.connect()
  }

  #drop(id: NodeId, cancel: Cancel): void {
    cancel()
    this.#dials.delete(id)
  }

  /** Makes the links that are wanted, missing and possible. */
  connect(): void {
    if (!this.running) return
    for (const [id, { other }] of this.#links)
      if (!other.running) this.linkBroken(id, new MemoryLinkFailed('the peer closed'))
    for (const id of this.#peers) {
      if (this.#links.has(id) || this.#dials.has(id) || this.#breaking.has(id) || !this.#reachable(id)) continue
      this.#dials.set(
        id,
        this.#wire.clock.after(connectMillis(this.#wire.randomOf(this.self, id).next()), () => this.#connected(id)),
      )
    }
  }

  #reachable(id: NodeId): boolean {
    const wire = this.#wire
    return (
      wire.find(id)?.running === true &&
      !wire.isCut(this.self, id) &&
      !wire.isCut(id, this.self) &&
      !wire.isPaused(id) &&
      !wire.isPaused(this.self)
    )
  }

  #connected(id: NodeId): void {
    this.#dials.delete(id)
    const other = this.#wire.find(id)
    if (!this.running || other === undefined || !this.#reachable(id)) return
    this.#links.set(id, { link: this.#linkTo(id, other), other })
    this.#handler?.peer(id, 'up')
  }

  #linkTo(id: NodeId, other: MemoryEndpoint): MemoryLink {
    const wire = this.#wire
    const { tap } = wire
    return new MemoryLink({
      clock: wire.clock,
      random: wire.randomOf(this.self, id),
      queueBytes: wire.queueBytes,
      faults: () => wire.faults(),
      cut: () => wire.isCut(this.self, id),
      held: () => wire.isPaused(id),
      receive: (message) => {
        if (other.running) other.#handler?.receive(this.self, message)
      },
      lost: () => {
        if (this.running) this.#handler?.peer(id, 'lost')
      },
      ...(tap !== undefined && {
        tap: {
          sent: (message) => tap.sent(this.self, id, message),
          ended: (copy, arrived) => tap.ended(copy, arrived && other.running),
        },
      }),
    })
  }

  send(to: NodeId, message: Chunks, lane: Lane): void {
    if (this.running) this.#links.get(to)?.link.send(message, lane)
  }

  transfer(
    to: NodeId,
    header: Uint8Array,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<'accepted' | 'rejected'> {
    const found = this.#links.get(to)
    if (!this.running || found === undefined) return Promise.reject(new MemoryLinkFailed(`there is no link to ${to}`))
    const { link, other } = found
    const wire = this.#wire
    const blocked = (): boolean =>
      wire.isCut(this.self, to) || wire.isCut(to, this.self) || wire.isPaused(to) || wire.isPaused(this.self)
    const offer = (incoming: IncomingTransfer): void => {
      if (other.running) other.#handler?.offered(this.self, incoming)
      else incoming.reject()
    }
    const transfer = new MemoryTransfer({
      clock: wire.clock,
      header,
      body,
      signal,
      delay: () => link.delay(),
      blocked,
      offer,
      timeoutMillis: wire.transferMillis,
    })
    this.#transfers.set(transfer, to)
    transfer.outcome.finally(() => this.#transfers.delete(transfer)).catch(() => {})
    return transfer.outcome
  }

  /** The link to `id` is gone. It is noticed when something could pass between the two, and the handler hears of it by a timer, as of everything else. */
  linkBroken(id: NodeId, error: Error): void {
    if (this.#wire.isCut(id, this.self) || this.#wire.isPaused(this.self)) return
    for (const [transfer, to] of this.#transfers) if (to === id) transfer.fail(error)
    const found = this.#links.get(id)
    if (found === undefined) return
    found.link.break()
    this.#links.delete(id)
    this.#breaking.add(id)
    this.#wire.clock.after(found.link.delay(), () => {
      this.#breaking.delete(id)
      if (!this.running || !this.#peers.has(id)) return
      this.#handler?.peer(id, 'down')
      this.connect()
    })
  }

  /** What waited for `id` while it was paused goes on. */
  release(id: NodeId): void {
    this.#links.get(id)?.link.release()
  }

  /** As if the process had died: nothing follows, and the others are told. */
  die(): void {
    if (this.#closed) return
    this.#closed = true
    for (const cancel of this.#dials.values()) cancel()
    this.#dials.clear()
    for (const { link } of this.#links.values()) link.break()
    this.#links.clear()
    for (const transfer of this.#transfers.keys()) transfer.fail(new MemoryLinkFailed('the transport is closed'))
    this.#wire.closed(this)
  }

  close(): Promise<void> {
    this.die()
    return Promise.resolve()
  }
}
