import { assert, chunksLength, type NodeId, type Send, type Transport } from '@conclave/interface'

interface Held {
  readonly write: number
  readonly send: Send
  readonly bytes: number
}

/**
 * The durability gate: a message leaves only when every write emitted before or together with it is durable, unless it is marked `early`.
 * Messages that wait keep their order.
 */
export class Outbox {
  readonly #transport: Pick<Transport, 'send'>
  readonly #most: number
  readonly #lost: (to: NodeId) => void
  #held: Held[] = []
  #heldBytes = 0
  #durable = 0

  /**
   * @param most bytes that may wait.
   * @param lost told when a message was dropped at that bound.
   */
  constructor(transport: Pick<Transport, 'send'>, most: number, lost: (to: NodeId) => void) {
    this.#transport = transport
    this.#most = most
    this.#lost = lost
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** @param write the newest write emitted so far, the one of the same drain included; 0 if there was none. */
  send(sends: readonly Send[], write: number): void {
    for (const send of sends) {
      if (send.early === true || write <= this.#durable) this.#transport.send(send.to, send.message, send.lane)
      else this.#hold(send, write)
    }
  }

  #hold(send: Send, write: number): void {
    const bytes = chunksLength(send.message)
    if (this.#heldBytes + bytes > this.#most) return this.#lost(send.to)
    this.#held.push({ write, send, bytes })
    this.#heldBytes += bytes
  }

  /** This write and all earlier ones are durable. */
  persisted(write: number): void {
    assert(write >= this.#durable, `write ${write} became durable after ${this.#durable}`)
    this.#durable = write
    let free = 0
    for (const held of this.#held) {
      if (held.write > write) break
      this.#transport.send(held.send.to, held.send.message, held.send.lane)
      this.#heldBytes -= held.bytes
      free++
    }
    if (free === this.#held.length) this.#held = []
    else if (free > 0) this.#held.splice(0, free)
  }
}
