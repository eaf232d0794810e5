import type { Chunks, NodeId } from '@conclave/interface'
import { asError, LinkFailed } from './errors.ts'
import { encodeFrame, FrameCutter, lengthBytes, type Queued, queued } from './frame.ts'

/** What a `FrameStream` tells its user. Nothing is called before `start` and nothing after `closed`. */
export interface FrameListener {
  /** The messages of one frame, in order. The listener owns the bytes; they are views on a larger array. */
  messages(messages: Uint8Array[]): void
  /** The queue was over its bound, or held messages back, and is empty again. */
  drained?(): void
  /** Called once: with an error if the link was reset or gave up or the peer sent garbage, without if either side closed it. */
  closed(error?: Error): void
}

/**
 * Whole messages, in order, over one encrypted connection to one peer. All messages of one turn leave as one frame: that is one encryption
 * and one write.
 */
export interface FrameStream {
  /** Who is on the other side, as proved by its key. */
  readonly peer: NodeId
  /** The multiaddr of the other side's socket. */
  readonly remoteAddress: string
  /** Largest message in bytes that `send` takes. */
  readonly maxMessage: number
  /** Bytes that wait in this queue: not yet handed to the connection. */
  readonly queuedBytes: number
  /** False while the connection takes no more for now; `drained` follows. */
  readonly writable: boolean
  readonly open: boolean
  /** Messages begin to be delivered. To be called once, in the turn in which the stream was handed over. */
  start(listener: FrameListener): void
  /**
   * Queues one message; it leaves at the end of the present callback (all its promise continuations included), or with `flush`. Never throws, never blocks.
   * @returns false if it was dropped: the stream is closed, the queue is full, or the message is larger than `maxMessage`.
   */
  send(message: Chunks): boolean
  /** Hands over what is queued now, as far as the connection takes it. */
  flush(): void
  /** Takes no more bytes until `resume`; the peer is held back once its window is used up. */
  pause(): void
  resume(): void
  /** Hands over what is queued, waits at most `millis` until the connection took it, and closes. Safe to call twice. */
  close(millis?: number): Promise<void>
  /** Drops what is queued and resets the connection. */
  abort(error: Error): void
}

/** The connection under a `FrameStream`: an ordered stream of bytes. */
export interface ByteStream {
  /** Takes all of `bytes`; false: enough for now, `drain` follows. May throw if it is closed. */
  send(bytes: Uint8Array): boolean
  /** Events; `closed` is called once. */
  listen(events: { bytes(chunk: Uint8Array): void; drain(): void; ended(): void; closed(error?: Error): void }): void
  pause(): void
  resume(): void
  close(): Promise<void>
  abort(error: Error): void
}

/** What bounds a `FrameStream`. */
export interface FrameLimits {
  /** Largest content of a frame in bytes, sent or received. Default 4 MiB. */
  readonly frameBytes?: number
  /** Bytes that may wait in the queue; a message beyond it is dropped. Default 16 MiB. */
  readonly queueBytes?: number
}

/** Frames are filled up to this, unless one message is larger: beyond it a bigger frame saves nothing and only makes the receiver assemble it. */
const goodFrame = 256 * 1024
const defaultQueueBytes = 16 * 1024 * 1024
export const closeMillis = 1000

/** See `FrameStream`. */
export class FramedBytes implements FrameStream {
  readonly peer: NodeId
  readonly remoteAddress: string
  readonly maxMessage: number
  readonly #bytes: ByteStream
  readonly #queueBytes: number
  readonly #cutter: FrameCutter
  #listener: FrameListener | undefined
  /** What was sent is let go of at once; the array itself is cut when half of it is empty. */
  #queue: (Queued | undefined)[] = []
  #head = 0
  #queuedBytes = 0
  #scheduled = false
  #blocked = false
  /** Something was held back or dropped: `drained` is due when the queue is empty. */
  #owesDrained = false
  #closing = false
  #closed = false
  #idle: (() => void) | undefined

  constructor(bytes: ByteStream, peer: NodeId, remoteAddress: string, frameBytes: number, limits: FrameLimits = {}) {
    this.#bytes = bytes
    this.peer = peer
    this.remoteAddress = remoteAddress
    this.maxMessage = frameBytes - lengthBytes
    this.#queueBytes = limits.queueBytes ?? defaultQueueBytes
    this.#cutter = new FrameCutter(frameBytes, (messages) => {
      if (!this.#closed) this.#listener?.messages(messages)
    })
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }
  get writable(): boolean {
    return !this.#blocked && this.open
  }
  get open(): boolean {
    return !this.#closed && !this.#closing
  }

  start(listener: FrameListener): void {
    this.#listener = listener
    this.#bytes.listen({
      bytes: (chunk) => this.#received(chunk),
      drain: () => this.#drain(),
      ended: () => {
        if (this.#cutter.between) void this.close()
        else this.abort(new LinkFailed('the peer ended the stream within a frame'))
      },
      closed: (error) => this.#end(error),
    })
  }

  #received(chunk: Uint8Array): void {
    if (this.#closed) return
    try {
      this.#cutter.feed(chunk)
    } catch (thrown) {
      this.abort(asError(thrown))
    }
  }

  send(message: Chunks): boolean {
    if (!this.open) return false
    const entry = queued(message)
    if (
      entry.bytes - lengthBytes > this.maxMessage ||
      (this.#queuedBytes > 0 && this.#queuedBytes + entry.bytes > this.#queueBytes)
    ) {
      this.#owesDrained = true
      return false
    }
    this.#queue.push(entry)
    this.#queuedBytes += entry.bytes
    if (!this.#scheduled && !this.#blocked) {
      this.#scheduled = true
      // After the callback that is running and the promises it settles: one frame for all that they send, and no turn of the loop is lost.
      process.nextTick(() => this.flush())
    }
    return true
  }

  flush(): void {
    this.#scheduled = false
    try {
      while (!this.#blocked && !this.#closed && this.#queuedBytes > 0) this.#blocked = !this.#bytes.send(this.#take())
    } catch (thrown) {
      this.abort(asError(thrown))
    }
    if (this.#owesDrained && !this.#blocked && !this.#closed) this.#drained()
  }

  #drained(): void {
    this.#owesDrained = false
    this.#idle?.()
    this.#listener?.drained?.()
  }

  #take(): Uint8Array {
    const from = this.#head
    let to = from
    let content = 0
    for (let next = this.#queue[to]; next !== undefined; next = this.#queue[to]) {
      if (to > from && content + next.bytes > Math.min(goodFrame, this.maxMessage)) break
      content += next.bytes
      to++
    }
    const frame = encodeFrame(this.#queue, from, to, content)
    this.#queuedBytes -= content
    if (to === this.#queue.length) {
      this.#queue = []
      this.#head = 0
    } else if (to > 1024 && to * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(to)
      this.#head = 0
    } else {
      this.#queue.fill(undefined, from, to)
      this.#head = to
    }
    return frame
  }

  #drain(): void {
    if (!this.#blocked) return
    this.#blocked = false
    this.#owesDrained = true
    this.flush()
  }

  pause(): void {
    if (!this.#closed) this.#bytes.pause()
  }
  resume(): void {
    if (!this.#closed) this.#bytes.resume()
  }

  async close(millis = closeMillis): Promise<void> {
    if (!this.open) return
    this.flush()
    this.#closing = true
    if (this.#blocked) await this.#drainedWithin(millis)
    if (this.#closed) return
    try {
      await this.#bytes.close()
    } catch (thrown) {
      this.abort(asError(thrown))
    }
  }

  #drainedWithin(millis: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, millis)
      this.#idle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  abort(error: Error): void {
    if (this.#closed) return
    // First the listener, so that it learns this error and not how the connection words it.
    this.#end(error)
    this.#bytes.abort(error)
  }

  #end(error?: Error): void {
    if (this.#closed) return
    this.#closed = true
    this.#queue = []
    this.#head = 0
    this.#queuedBytes = 0
    this.#idle?.()
    this.#listener?.closed(error)
  }
}
