import type { Cancel, Clock } from '@conclave/interface'
import { asError, LinkFailed } from './errors.ts'
import type { FrameListener, FrameStream } from './frame-stream.ts'
import {
  type Answer,
  decodeAnswer,
  decodeHello,
  encodeAnswer,
  encodeHello,
  type Hello,
  type HelloInit,
  type HelloVersion,
  judge,
  type StreamLane,
  type Verdict,
} from './hello.ts'

/** Who a transport speaks for. */
export interface Household extends HelloInit {
  readonly clock: Clock
  /** Until a hello or its answer must have come. */
  readonly greetingMillis: number
}

/** The peer answered a hello with another verdict than welcome. */
export class NotWelcome extends LinkFailed {
  readonly verdict: Verdict
  /** The peer's engine, if it says. */
  readonly engine: string | undefined

  constructor({ verdict, engine }: Answer) {
    super(`the peer refused the link: ${verdict}`)
    this.verdict = verdict
    this.engine = engine
  }
}

/** What a hello says besides who it is that says it. */
export interface Greeting {
  readonly lane: StreamLane
  readonly version: HelloVersion
}

/**
 * Says hello on a stream that was dialled; resolves when the peer has welcomed it. `listener` gets what follows, its `closed` is called only
 * if the promise resolved.
 * @throws NotWelcome, LinkFailed, MalformedBytes; the stream is closed then.
 */
export const greet = (
  stream: FrameStream,
  { lane, version }: Greeting,
  home: Household,
  listener: FrameListener,
): Promise<void> =>
  new Promise((resolve, reject) => {
    let welcome = false
    let cancel: Cancel = () => {}
    const fail = (error: Error): void => {
      cancel()
      reject(error)
      stream.abort(error)
    }
    cancel = home.clock.after(home.greetingMillis, () => fail(new LinkFailed('no answer to the hello in time')))
    stream.start({
      messages(messages) {
        if (welcome) return listener.messages(messages)
        try {
          const answer = decodeAnswer(messages[0] ?? new Uint8Array())
          if (answer.verdict !== 'welcome') return fail(new NotWelcome(answer))
        } catch (thrown) {
          return fail(asError(thrown))
        }
        welcome = true
        cancel()
        resolve()
        if (messages.length > 1) listener.messages(messages.slice(1))
      },
      drained: () => listener.drained?.(),
      closed(error) {
        cancel()
        reject(error ?? new LinkFailed('the peer closed the link without a word'))
        if (welcome) listener.closed(error)
      },
    })
    stream.send([encodeHello(lane, home, version)])
    stream.flush()
  })

/** What comes of a hello that was received. */
export interface Guest {
  /** Whether the peer was removed from the cluster: it is told so instead of being welcomed. */
  wasMember(): boolean
  /** The peer is welcomed next; what is returned gets all that follows. */
  welcome(lane: StreamLane): FrameListener
  /** The peer was refused, or said no hello: for the log. The stream is closed. */
  refused(reason: string, hello?: Hello): void
}

/** Waits for the hello on a stream that a peer has opened, and answers it. */
export const receiveGreeting = (
  stream: FrameStream,
  fit: readonly StreamLane[],
  home: Household,
  guest: Guest,
): void => {
  let listener: FrameListener | undefined
  let over = false
  const refuse = (reason: string, hello?: Hello): void => {
    if (over) return
    over = true
    cancel()
    guest.refused(reason, hello)
  }
  const cancel = home.clock.after(home.greetingMillis, () => {
    refuse('no hello in time')
    stream.abort(new LinkFailed('no hello in time'))
  })
  const greeting = (first: Uint8Array): void => {
    try {
      const hello = decodeHello(first)
      const fits = judge(hello, fit, home)
      const removed = (fits === 'welcome' || fits === 'wrong-engine') && guest.wasMember()
      const verdict = removed ? 'removed' : fits
      stream.send([encodeAnswer({ verdict, engine: home.engine }, hello)])
      if (verdict === 'welcome' && hello.lane !== undefined) {
        cancel()
        listener = guest.welcome(hello.lane)
        return
      }
      refuse(verdict, hello)
      void stream.close()
    } catch (thrown) {
      refuse(asError(thrown).message)
      stream.abort(asError(thrown))
    }
  }
  stream.start({
    messages(messages) {
      if (over) return
      if (listener !== undefined) return listener.messages(messages)
      greeting(messages[0] ?? new Uint8Array())
      if (listener !== undefined && messages.length > 1) (listener as FrameListener).messages(messages.slice(1))
    },
    drained: () => listener?.drained?.(),
    closed(error) {
      if (listener !== undefined) listener.closed(error)
      else refuse(error?.message ?? 'the peer closed the link without a hello')
    },
  })
}
