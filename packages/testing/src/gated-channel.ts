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
  #over: (() => void) | undefined

  /** @param over called once, when the channel is closed by whichever side. */
  constructor(inner: Channel, blocked: () => boolean, over: () => void) {
    this.peer = inner.peer
    this.#inner = inner
    this.#blocked = blocked
    this.#over = over
    inner.onMessage((message) => this.#pass(() => this.#receive(message)))
    inner.onClose((error) => this.#pass(() => this.#end(error)))
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
    setImmediate(() => this.#end(error))
  }

  #end(error?: Error): void {
    const told = this.#closed
    this.#closed = undefined
    this.#over?.()
    this.#over = undefined
    told?.(error)
  }

  close(): void {
    this.#pass(() => this.#inner.close())
    if (!this.#blocked()) return
    // The client does not wait for a goodbye that cannot pass.
    setImmediate(() => this.#end())
  }
}
