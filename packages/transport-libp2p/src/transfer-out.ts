import type { Cancel, Clock } from '@conclave/interface'
import { MalformedBytes } from '@conclave/interface'
import { asError, LinkFailed } from './errors.ts'
import type { FrameStream } from './frame-stream.ts'
import { greet, type Household } from './greeting.ts'
import type { HelloVersion } from './hello.ts'
import type { Host, PeerAddress } from './host.ts'
import { kindOnly, kinds, mostHeaderBytes, snapshotProtocol } from './transfer-wire.ts'

export interface SendTransferInit {
  readonly host: Host
  readonly home: Household
  readonly peer: PeerAddress
  /** Of the hello that the peer knows. */
  readonly version: HelloVersion
  readonly header: Uint8Array
  readonly body: AsyncIterable<Uint8Array>
  readonly signal: AbortSignal
  /** Without progress for so long it fails. */
  readonly millis: number
  readonly frameBytes: number
}

/** Bytes of the body in one message; a larger chunk is sent in parts. */
const partBytes = 256 * 1024
/** Handed to the connection at once: fewer would make small frames, more would hold memory. */
const flushBytes = 64 * 1024

/** See `Transport.transfer`. */
export const sendTransfer = async (init: SendTransferInit): Promise<'accepted' | 'rejected'> => {
  if (init.header.length > mostHeaderBytes)
    throw new RangeError(`a snapshot header has at most ${mostHeaderBytes} bytes, got ${init.header.length}`)
  init.signal.throwIfAborted()
  const limit = new AbortController()
  const cancel = init.home.clock.after(init.millis, () => limit.abort(new LinkFailed('no connection in time')))
  let stream: FrameStream
  try {
    stream = await init.host.dial(init.peer, snapshotProtocol, AbortSignal.any([init.signal, limit.signal]), {
      frameBytes: init.frameBytes,
      queueBytes: init.frameBytes,
    })
  } finally {
    cancel()
  }
  const talk = new Talk(stream, init.home.clock, init.millis)
  const abort = (): void => stream.abort(asError(init.signal.reason))
  init.signal.addEventListener('abort', abort, { once: true })
  if (init.signal.aborted) abort()
  try {
    await greet(stream, { lane: 'snapshot', version: init.version }, init.home, talk)
    const outcome = await offer(stream, talk, init)
    void stream.close()
    return outcome
  } catch (thrown) {
    stream.abort(asError(thrown))
    throw init.signal.aborted ? asError(init.signal.reason) : thrown
  } finally {
    init.signal.removeEventListener('abort', abort)
    talk.over()
  }
}

const offer = async (
  stream: FrameStream,
  talk: Talk,
  { header, body }: SendTransferInit,
): Promise<'accepted' | 'rejected'> => {
  stream.send([kindOnly(kinds.offer), header])
  const answer = await talk.next()
  if (answer === kinds.reject) return 'rejected'
  if (answer !== kinds.accept) throw new MalformedBytes(`an offer was answered by ${answer}`)
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; at += partBytes) {
      talk.check()
      stream.send([kindOnly(kinds.chunk), chunk.subarray(at, at + partBytes)])
      if (stream.queuedBytes >= flushBytes) stream.flush()
      if (!stream.writable) await talk.taken()
    }
  }
  talk.check()
  stream.send([kindOnly(kinds.end)])
  let last = await talk.next()
  while (last === kinds.staging) last = await talk.next()
  if (last === kinds.reject) return 'rejected'
  if (last !== kinds.confirm) throw new MalformedBytes(`a body was answered by ${last}`)
  return 'accepted'
}

/** The receiver's side of the conversation, as promises with the progress time-out. */
class Talk {
  readonly #stream: FrameStream
  readonly #clock: Clock
  readonly #millis: number
  readonly #kinds: number[] = []
  #wait: { ready: () => boolean; resolve: () => void; reject: (error: Error) => void } | undefined
  #timer: Cancel = () => {}
  #failure: Error | undefined

  constructor(stream: FrameStream, clock: Clock, millis: number) {
    this.#stream = stream
    this.#clock = clock
    this.#millis = millis
  }

  messages(messages: readonly Uint8Array[]): void {
    for (const message of messages) this.#kinds.push(message[0] ?? 0)
    // A peer that talks without being asked is at fault; it must not fill our memory.
    if (this.#kinds.length > 16) this.#stream.abort(new LinkFailed('the receiver of a snapshot talks too much'))
    else this.#look()
  }
  drained(): void {
    this.#look()
  }
  closed(error?: Error): void {
    this.#failure ??= error ?? new LinkFailed('the receiver closed the link')
    this.#look()
  }

  #look(): void {
    const wait = this.#wait
    if (wait === undefined || (this.#failure === undefined && !wait.ready())) return
    this.over()
    if (wait.ready()) wait.resolve()
    else if (this.#failure !== undefined) wait.reject(this.#failure)
  }

  #until(ready: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#wait = { ready, resolve, reject }
      this.#timer = this.#clock.after(this.#millis, () =>
        this.#stream.abort(new LinkFailed(`no progress in time: ${what}`)),
      )
      this.#look()
    })
  }

  /** The kind of the receiver's next message. */
  async next(): Promise<number> {
    await this.#until(() => this.#kinds.length > 0, 'waiting for the receiver')
    return this.#kinds.shift() ?? 0
  }
  taken(): Promise<void> {
    return this.#until(() => this.#stream.writable, 'the receiver takes nothing')
  }
  /** @throws if the link failed. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }
  /** Nothing is waited for any more. */
  over(): void {
    this.#timer()
    this.#wait = undefined
  }
}
