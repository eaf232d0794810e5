import type { Cancel, Clock, IncomingTransfer } from '@conclave/interface'
import { LinkFailed } from './errors.ts'
import type { FrameListener, FrameStream } from './frame-stream.ts'
import { kindOnly, kinds, mostHeaderBytes, mostStagingMillis, stagingMillis } from './transfer-wire.ts'

export interface ReceiveTransferInit {
  readonly stream: FrameStream
  readonly clock: Clock
  /** An offer that is not answered for so long counts as rejected; a body of which nothing comes for so long fails. */
  readonly millis: number
  readonly offered: (transfer: IncomingTransfer) => void
  readonly closed: (error?: Error) => void
}

/** Bytes of the body that wait for the reader before the sender is held back, and at which it may go on. */
const holdBytes = 1024 * 1024
const goOnBytes = 256 * 1024

/** The receiving end of one snapshot stream. */
export const receiveTransfer = (init: ReceiveTransferInit): FrameListener => new Reception(init)

class Reception implements FrameListener {
  readonly #init: ReceiveTransferInit
  #state: 'waiting' | 'offered' | 'accepted' | 'whole' | 'over' = 'waiting'
  #chunks: Uint8Array[] = []
  #bytes = 0
  #paused = false
  #ended = false
  #failure: Error | undefined
  #wake: (() => void) | undefined
  #timer: Cancel

  constructor(init: ReceiveTransferInit) {
    this.#init = init
    this.#timer = init.clock.after(init.millis, () => this.#fail('no offer in time'))
  }

  messages(messages: readonly Uint8Array[]): void {
    for (const message of messages) this.#message(message[0] ?? 0, message.subarray(1))
    if (this.#bytes > holdBytes && !this.#paused) {
      this.#paused = true
      this.#init.stream.pause()
    }
    this.#wake?.()
  }

  #message(kind: number, bytes: Uint8Array): void {
    if (this.#state === 'over') return
    if (kind === kinds.offer && this.#state === 'waiting' && bytes.length <= mostHeaderBytes) this.#offered(bytes)
    else if (kind === kinds.chunk && this.#state === 'accepted' && !this.#ended) {
      this.#chunks.push(bytes)
      this.#bytes += bytes.length
    } else if (kind === kinds.end && this.#state === 'accepted' && !this.#ended) this.#ended = true
    else this.#fail(`a message of kind ${kind} out of turn`)
  }

  #offered(header: Uint8Array): void {
    this.#state = 'offered'
    this.#timer()
    this.#timer = this.#init.clock.after(this.#init.millis, () => this.#reject())
    this.#init.offered({
      header,
      accept: () => this.#accept(),
      confirm: () => this.#confirm(),
      reject: () => this.#reject(),
    })
  }

  /** Also of a body that is here whole and could not be staged: the sender need not wait for its time-out. */
  #reject(): void {
    if (this.#state !== 'offered' && this.#state !== 'whole') return
    this.#end(kinds.reject)
  }

  #confirm(): void {
    if (this.#state !== 'whole') return
    this.#end(kinds.confirm)
  }

  /** The last word on this stream. */
  #end(kind: number): void {
    this.#state = 'over'
    this.#timer()
    this.#init.stream.send([kindOnly(kind)])
    this.#init.stream.flush()
    // The sender closes when it has read it. Should it not, the link is of no use any more.
    this.#timer = this.#init.clock.after(this.#init.millis, () => void this.#init.stream.close())
  }

  #fail(reason: string): void {
    this.#init.stream.abort(new LinkFailed(reason))
  }

  closed(error?: Error): void {
    this.#timer()
    if (this.#state !== 'over') {
      this.#state = 'over'
      this.#failure = error ?? new LinkFailed('the sender closed the link')
    }
    this.#wake?.()
    this.#init.closed(error)
  }

  #accept(): AsyncIterable<Uint8Array> {
    if (this.#state !== 'offered') throw new LinkFailed('this offer is answered or gone')
    this.#state = 'accepted'
    this.#timer()
    this.#init.stream.send([kindOnly(kinds.accept)])
    return this.#body()
  }

  async *#body(): AsyncGenerator<Uint8Array> {
    let whole = false
    try {
      for (;;) {
        const chunks = this.#chunks
        this.#chunks = []
        for (const chunk of chunks) {
          this.#bytes -= chunk.length
          yield chunk
        }
        if (this.#failure !== undefined) throw this.#failure
        if (this.#chunks.length > 0) continue
        if (this.#ended) break
        await this.#more()
      }
      whole = true
      this.#state = 'whole'
      this.#stage(0)
    } finally {
      if (!whole) this.#fail('the receiver gave up')
    }
  }

  async #more(): Promise<void> {
    if (this.#paused && this.#bytes <= goOnBytes) {
      this.#paused = false
      this.#init.stream.resume()
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    this.#timer = this.#init.clock.after(this.#init.millis, () => this.#fail('the sender sends nothing'))
    if (this.#chunks.length === 0 && !this.#ended && this.#failure === undefined) await promise
    this.#wake = undefined
    this.#timer()
  }

  /** Tells the sender again and again that the body is being staged, so that a big one on a slow disk is no time-out. */
  #stage(waited: number): void {
    this.#timer = this.#init.clock.after(stagingMillis, () => {
      if (waited >= mostStagingMillis) return this.#fail('the body was not staged in time')
      this.#init.stream.send([kindOnly(kinds.staging)])
      this.#stage(waited + stagingMillis)
    })
  }
}
