import type { NodeId } from './brands.ts'
import type { Chunks } from './bytes.ts'
import type { Lane } from './engine.ts'
import type { Peer } from './membership.ts'

/** A snapshot that a peer offers to stream. Exactly one of `accept` and `reject` is called, within the transport's own time-out, else it counts as rejected. */
export interface IncomingTransfer {
  /** At most 64 KiB. */
  readonly header: Uint8Array
  /** Take the body. It throws if the link fails or the sender aborts; leaving the loop early aborts the transfer. Back-pressure reaches the sender. */
  accept(): AsyncIterable<Uint8Array>
  /** Confirms to the sender that the body of an accepted transfer is staged: its `transfer` resolves to `accepted`. */
  confirm(): void
  /** Declines the offer; or, in place of `confirm`, says that an accepted body could not be staged. Harmless when the transfer is over. */
  reject(): void
}

export interface TransportHandler {
  /** A whole message. The handler owns the bytes; they may be a view on a larger frame. */
  receive(from: NodeId, message: Uint8Array): void
  /** See `Input`'s `peer`. */
  peer(id: NodeId, state: 'up' | 'down' | 'lost'): void
  offered(from: NodeId, transfer: IncomingTransfer): void
}

/** Authenticated links between the members of one cluster. */
export interface Transport {
  readonly self: NodeId
  /** Calls of the handler begin. To be called once. */
  start(handler: TransportHandler): Promise<void>
  /** Holds links to exactly these peers from now on. Links are made, and made again with jittered back-off, by the transport itself. */
  setPeers(peers: readonly Peer[]): void
  /**
   * Best effort: it may drop, double, delay or reorder, and never throws and never blocks. A drop that the transport knows of is reported as
   * `lost`, once until the queue has drained. Messages sent in one turn of the event loop share a frame. The bytes must not change afterwards.
   */
  send(to: NodeId, message: Chunks, lane: Lane): void
  /**
   * Offers a snapshot and streams its body when the peer accepts, on a stream of its own so that no message waits behind it. Back-pressure holds `body` back.
   * Resolves to `rejected` if the peer declines, to `accepted` once the peer has confirmed that it is staged.
   * @throws if the link fails, a time-out passes without progress, or `signal` fires.
   */
  transfer(
    to: NodeId,
    header: Uint8Array,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<'accepted' | 'rejected'>
  /** No handler call follows. Safe to call twice. */
  close(): Promise<void>
}
