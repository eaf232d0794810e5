import type { Channel } from '@conclave/client/protocol'
import type { Chunks, NodeId } from '@conclave/interface'

/**
 * A client's end of a channel to a node. While nothing passes between the two, both directions wait, as on a TCP connection through a partition or to
 * a stopped process; what waits goes on in order.
 */
export class GatedChannel implements Channel {
  readonly peer: NodeId
  readonly #inner: Channel
  readonly #blocked: () => boolean
  #waiting: (() => void)[] = []
  #receive: (message: Uint8Array) => void = () => {}
  #closed: ((error?: Error) => void) | undefined
  readonly #over: () => void

  /** @param over called when the two ends are closed: nothing waits here any more. */
  constructor(inner: Channel, blocked: () => boolean, over: () => void) {
    this.peer = inner.peer
    this.#inner = inner
    this.#blocked = blocked
    this.#over = over
    inner.onMessage((message) => this.#pass(() => this.#receive(message)))
    inner.onClose((error) =>
      this.#pass(() => {
        this.#over()
        this.#tell(error)
      }),
    )
  }

  #pass(run: () => void): void {
    if (this.#blocked() || this.#waiting.length > 0) this.#waiting.push(run)
    else run()
  }

  /** What waited goes on, if the way is free. */
  release(): void {
    while (!this.#blocked()) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      next()
    }
  }

  send(message: Chunks): void {
    this.#pass(() => this.#inner.send(message))
  }

  onMessage(handle: (message: Uint8Array) => void): void {
    this.#receive = handle
  }

  onClose(handle: (error?: Error) => void): void {
    this.#closed = handle
  }

  /** The other side is gone, without a goodbye: nothing that waits arrives. */
  sever(error: Error): void {
    this.#waiting = []
    this.#inner.onClose(() => {})
    this.#inner.close()
    this.#over()
    setImmediate(() => this.#tell(error))
  }

  #tell(error?: Error): void {
    const told = this.#closed
    this.#closed = undefined
    told?.(error)
  }

  close(): void {
    this.#pass(() => this.#inner.close())
    // The client does not wait for a goodbye that cannot pass; the node gets it when the way is free.
    if (this.#blocked()) setImmediate(() => this.#tell())
  }
}
