import {
  clientProtocol,
  decodeServerMessage,
  encodeClientMessage,
  maxMessageBytes,
  membershipFeature,
  protocolVersion,
  type ServerMessage,
} from '@conclave/client/protocol'
import type { Cancel, Clock, Membership, Peer } from '@conclave/interface'
import type { Host } from '@conclave/transport-libp2p'

/** A member is given so long to answer. */
const answerMillis = 2000
/** Between two inquiries at least; doubled, up to the most, by each that brings nothing new. */
const leastMillis = 250
const mostMillis = 5000
/** Members that one inquiry asks, until one answers. */
const mostAsked = 3

export interface InquiryInit {
  readonly clock: Clock
  /** Whose word counts. */
  trusted(): readonly Peer[]
  /** Asks one of them. Rejects, or resolves to nothing, if it does not tell. */
  ask(peer: Peer, signal: AbortSignal): Promise<Membership | undefined>
  /** True if it brought news. */
  learned(membership: Membership): boolean
}

/**
 * Asks members who belongs to the cluster, after somebody unknown was turned away: it may be a leader that was elected while this node was away, or
 * that a node which has just joined never heard of. However many knock, there is one inquiry at a time, and a pause after it; who knocked is not remembered.
 */
export class Inquiry {
  readonly #init: InquiryInit
  readonly #abort = new AbortController()
  #task: Promise<void> | undefined
  #cancel: Cancel | undefined
  #knocked = false
  #pause = leastMillis
  #turn = 0
  /** Inquiries made. */
  count = 0

  constructor(init: InquiryInit) {
    this.#init = init
  }

  /** Somebody unknown was turned away. */
  knocked(): void {
    this.#knocked = true
    if (this.#task === undefined && this.#cancel === undefined) this.#begin()
  }

  #begin(): void {
    if (this.#abort.signal.aborted) return
    this.#knocked = false
    this.count++
    this.#task = this.#inquire().then((news) => {
      this.#task = undefined
      this.#pause = news ? leastMillis : Math.min(this.#pause * 2, mostMillis)
      if (this.#abort.signal.aborted) return
      this.#cancel = this.#init.clock.after(this.#pause, () => {
        this.#cancel = undefined
        if (this.#knocked) this.#begin()
      })
    })
  }

  /** Another one is asked first each time, so that none that hangs is in the way for long. */
  async #inquire(): Promise<boolean> {
    const trusted = this.#init.trusted()
    const first = this.#turn++
    for (let at = 0; at < Math.min(trusted.length, mostAsked); at++) {
      const peer = trusted[(first + at) % trusted.length]
      if (peer === undefined || this.#abort.signal.aborted) break
      const late = new AbortController()
      const cancel = this.#init.clock.after(answerMillis, () => late.abort(new Error('no answer in time')))
      try {
        const membership = await this.#init.ask(peer, AbortSignal.any([this.#abort.signal, late.signal]))
        if (membership !== undefined) return this.#init.learned(membership)
      } catch {
        // It is down, or does not let this node in: the next one may.
      } finally {
        cancel()
      }
    }
    return false
  }

  async close(): Promise<void> {
    this.#abort.abort(new Error('the node closes'))
    this.#cancel?.()
    await this.#task
  }
}

/** Asks a member for the configuration that it knows, over the client protocol. @throws if it is not reached or does not answer before `signal` fires. */
export const askMember = async (
  host: Host,
  cluster: string,
  peer: Peer,
  signal: AbortSignal,
): Promise<Membership | undefined> => {
  const stream = await host.dial(peer, clientProtocol, signal, { frameBytes: maxMessageBytes * 2 })
  const { promise, resolve, reject } = Promise.withResolvers<Membership | undefined>()
  const receive = (message: ServerMessage): void => {
    if (message.type === 'welcome') {
      if (((message.features ?? 0) & membershipFeature) === 0) return resolve(undefined)
      stream.send(encodeClientMessage({ type: 'members', id: 1, level: 'local' }))
    } else if (message.type === 'members') resolve('membership' in message ? message.membership : undefined)
    else if (message.type === 'goodbye') resolve(undefined)
  }
  const aborted = (): void => reject(signal.reason)
  signal.addEventListener('abort', aborted, { once: true })
  stream.start({
    messages: (messages) => {
      try {
        for (const message of messages) receive(decodeServerMessage(message))
      } catch (error) {
        reject(error)
      }
    },
    closed: (error) => reject(error ?? new Error('the member closed the connection')),
  })
  stream.send(encodeClientMessage({ type: 'hello', version: protocolVersion, features: membershipFeature, cluster }))
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', aborted)
    await stream.close()
  }
}
