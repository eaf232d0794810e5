import { type Chunks, concatChunks, type NodeId } from '@conclave/interface'

/**
 * One connection between a client and a node that carries whole messages, in order. Encrypted and authenticated if it leaves the process.
 * Both handlers are to be set in the turn in which the channel was handed over; nothing is delivered before.
 */
export interface Channel {
  /** Who is on the other side, as proved by its key. */
  readonly peer: NodeId
  /** Never throws and never blocks. What cannot be sent any more is dropped: `onClose` tells. The bytes must not change afterwards. */
  send(message: Chunks): void
  /** A whole message. The handler owns the bytes; they may be a view on a larger frame. */
  onMessage(handle: (message: Uint8Array) => void): void
  /** Called once, also after the own `close`. No message follows. */
  onClose(handle: (error?: Error) => void): void
  /** What was sent before is still delivered if the link holds. Safe to call twice. */
  close(): void
}

/** How a client in the same process reaches a node without a socket. */
export interface Connector {
  readonly node: NodeId
  /** A new channel to the node, which serves it from now on. Its `close` is told to the node. @throws if the node is closed. */
  open(): Channel
}

class LocalChannel implements Channel {
  readonly peer: NodeId
  other: LocalChannel | undefined
  #handle: ((message: Uint8Array) => void) | undefined
  #closed: ((error?: Error) => void) | undefined
  #inbox: Uint8Array[] = []
  #scheduled = false
  #open = true

  constructor(peer: NodeId) {
    this.peer = peer
  }

  send(message: Chunks): void {
    if (this.#open) this.other?.receive(concatChunks(message))
  }

  receive(message: Uint8Array): void {
    if (!this.#open) return
    this.#inbox.push(message)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#deliver())
  }

  #deliver(): void {
    this.#scheduled = false
    const inbox = this.#inbox
    this.#inbox = []
    for (const message of inbox) if (this.#open) this.#handle?.(message)
  }

  onMessage(handle: (message: Uint8Array) => void): void {
    this.#handle = handle
  }

  onClose(handle: (error?: Error) => void): void {
    this.#closed = handle
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#inbox = []
    setImmediate(() => this.#closed?.())
    const other = this.other
    // In order after what was sent: the other side delivers its inbox first.
    setImmediate(() => other?.close())
  }
}

/**
 * Two ends of one in-process channel; what is sent in one turn arrives together in a later one. The first end talks to `right`, the second to `left`.
 */
export const channelPair = (left: NodeId, right: NodeId): readonly [Channel, Channel] => {
  const first = new LocalChannel(right)
  const second = new LocalChannel(left)
  first.other = second
  second.other = first
  return [first, second]
}
