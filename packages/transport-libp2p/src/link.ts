import type { Cancel, Chunks, Lane, Logger, NodeId, Peer, Random } from '@conclave/interface'
import { asError, LinkFailed } from './errors.ts'
import type { FrameStream } from './frame-stream.ts'
import { greet, type Household, NotWelcome } from './greeting.ts'
import { firstVersion, type HelloVersion, helloVersion } from './hello.ts'
import type { Host } from './host.ts'

export const engineProtocol = '/conclave/engine/1'

/** The first wait before a link is dialled again, and the longest; it doubles in between. */
const leastBackoff = 50
const mostBackoff = 1000
/** For a dial to get through to a peer. */
const dialMillis = 5000

export interface LinkInit {
  readonly host: Host
  readonly home: Household
  readonly random: Random
  readonly logger: Logger
  readonly frameBytes: number
  readonly queueBytes: Readonly<Record<Lane, number>>
  /** Links to a peer: made, reset or closed, frames to it dropped. */
  readonly tell: (id: NodeId, state: 'up' | 'down' | 'lost') => void
  /** The peer answered the hello otherwise than with a welcome. */
  readonly refused: (id: NodeId, answer: NotWelcome) => void
}

interface Lanes {
  readonly urgent: FrameStream
  readonly bulk: FrameStream
}

/**
 * The outgoing half of the link to one peer: a stream for each lane, each on a connection of its own, made again with jittered back-off as
 * long as the peer is wanted. The peer's messages come by streams that it dials itself.
 */
export class PeerLink {
  readonly #init: LinkInit
  #peer: Peer
  #lanes: Lanes | undefined
  /** Lanes on which frames were dropped since they last drained. */
  readonly #lost = new Set<Lane>()
  /** Of the hello that is said next, or that the peer has welcomed. */
  #version: HelloVersion = helloVersion
  #wanted = true
  readonly #stop = new AbortController()
  #wake: (() => void) | undefined
  #giveUp: (() => void) | undefined
  #complaint = ''
  /** Settles when the link is given up and its streams are closed. */
  readonly done: Promise<void>

  constructor(peer: Peer, init: LinkInit) {
    this.#peer = peer
    this.#init = init
    this.done = this.#keep()
  }

  /** As it is known now. */
  get peer(): Peer {
    return this.#peer
  }

  /** Of the hello that the peer knows, as far as it was asked. */
  get version(): HelloVersion {
    return this.#version
  }

  /** New addresses, for the next dial. */
  update(peer: Peer): void {
    const moved = peer.addresses.join() !== this.#peer.addresses.join()
    this.#peer = peer
    if (moved) this.nudge()
  }

  /** The peer was heard of: dial at once instead of waiting. */
  nudge(): void {
    this.#wake?.()
  }

  /** The peer lives, but not at the other end of this link: dial it anew. */
  renew(): void {
    const error = new LinkFailed('the peer came back on another connection')
    this.#lanes?.urgent.abort(error)
    this.#lanes?.bulk.abort(error)
    this.nudge()
  }

  send(message: Chunks, lane: Lane): void {
    const stream = this.#lanes?.[lane]
    if (stream === undefined || stream.send(message) || !stream.open || this.#lost.has(lane)) return
    this.#lost.add(lane)
    this.#init.logger.debug({ peer: this.#peer.id, lane, queued: stream.queuedBytes }, 'messages to a peer are dropped')
    // Not within `send`: the handler may send again.
    this.#init.home.clock.defer(() => {
      if (this.#wanted && this.#lanes?.[lane] === stream) this.#init.tell(this.#peer.id, 'lost')
    })
  }

  /** Gives the link up. Nothing is told any more. */
  close(): Promise<void> {
    this.#wanted = false
    this.#stop.abort(new LinkFailed('the peer is no longer wanted'))
    this.#wake?.()
    this.#giveUp?.()
    return this.done
  }

  async #keep(): Promise<void> {
    let backoff = leastBackoff
    while (this.#wanted) {
      try {
        await this.#live()
        backoff = leastBackoff
        this.#version = helloVersion
      } catch (thrown) {
        if (!this.#wanted) return
        if (this.#lowered(thrown)) continue
        this.#complain(asError(thrown))
        if (thrown instanceof NotWelcome) this.#init.refused(this.#peer.id, thrown)
      }
      if (!this.#wanted) return
      await this.#pause(backoff * (0.5 + this.#init.random.next() / 2))
      backoff = Math.min(backoff * 2, mostBackoff)
    }
  }

  /**
   * A peer that does not know the newest hello is greeted at once in the words of the first release; after any other failure in the newest, since it may
   * have been upgraded.
   */
  #lowered(thrown: unknown): boolean {
    const unknown = thrown instanceof NotWelcome && thrown.verdict === 'unknown-version'
    const lower = unknown && this.#version !== firstVersion
    this.#version = lower ? firstVersion : helloVersion
    return lower
  }

  #pause(millis: number): Promise<void> {
    return new Promise((resolve) => {
      let cancel: Cancel = () => {}
      const wake = (): void => {
        cancel()
        this.#wake = undefined
        resolve()
      }
      this.#wake = wake
      cancel = this.#init.home.clock.after(millis, wake)
      if (!this.#wanted) wake()
    })
  }

  /** One life of the link. Resolves when a link that was up is down. @throws if it did not come up. */
  async #live(): Promise<void> {
    const { promise: down, resolve: broken } = Promise.withResolvers<Error | undefined>()
    const opened: FrameStream[] = []
    const open = async (lane: Lane, signal: AbortSignal): Promise<FrameStream> => {
      const { host, home, frameBytes, queueBytes } = this.#init
      const stream = await host.dial(this.#peer, engineProtocol, signal, { frameBytes, queueBytes: queueBytes[lane] })
      opened.push(stream)
      const drained = (): void => void this.#lost.delete(lane)
      // The peer says nothing on our streams but the answer to our hello.
      const messages = (): void => stream.abort(new LinkFailed('the peer spoke on a stream that is not its own'))
      await greet(stream, { lane, version: this.#version }, home, { messages, drained, closed: broken })
      return stream
    }
    const dialling = new AbortController()
    const cancel = this.#init.home.clock.after(dialMillis, () =>
      dialling.abort(new LinkFailed('no connection in time')),
    )
    try {
      const signal = AbortSignal.any([this.#stop.signal, dialling.signal])
      const [urgent, bulk] = await Promise.all([open('urgent', signal), open('bulk', signal)])
      if (!this.#wanted || !urgent.open || !bulk.open) throw new LinkFailed('the link broke while it was made')
      this.#rise({ urgent, bulk })
      this.#giveUp = () => broken(undefined)
      this.#fall(await down)
    } finally {
      cancel()
      // Also ends a dial of the other lane that is still under way.
      dialling.abort(new LinkFailed('the other lane failed'))
      await Promise.all(
        opened.map((stream) => (this.#wanted ? stream.abort(new LinkFailed('the link is down')) : stream.close())),
      )
    }
  }

  #rise(lanes: Lanes): void {
    this.#lanes = lanes
    this.#lost.clear()
    this.#complaint = ''
    this.#init.logger.info({ peer: this.#peer.id, name: this.#peer.name }, 'link up')
    this.#init.tell(this.#peer.id, 'up')
  }

  #fall(error: Error | undefined): void {
    this.#lanes = undefined
    if (!this.#wanted) return
    this.#init.logger.info(
      { peer: this.#peer.id, name: this.#peer.name, reason: error?.message ?? 'closed' },
      'link down',
    )
    this.#init.tell(this.#peer.id, 'down')
  }

  /** Each reason is told once, not at every attempt. */
  #complain(error: Error): void {
    const { id, name, addresses } = this.#peer
    if (error.message === this.#complaint) return
    this.#complaint = error.message
    const fields = { peer: id, name, addresses, reason: error.message }
    if (error instanceof NotWelcome && error.verdict === 'wrong-engine') return // The transport says it, once for both directions.
    if (error instanceof NotWelcome && error.verdict === 'wrong-cluster') {
      this.#init.logger.error(
        fields,
        'the peer belongs to another cluster: check the addresses, or the cluster id of both',
      )
    } else if (error instanceof NotWelcome) this.#init.logger.error(fields, 'the peer refused the link')
    else this.#init.logger.warn(fields, 'no link to a peer yet; it is dialled again')
  }
}
