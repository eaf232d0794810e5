import { type NodeId, nodeId } from '@conclave/interface'
import type { FrameStream, Host, Identity } from '@conclave/transport-libp2p'
import type { Channel } from './channel.ts'
import { InvalidEndpoint } from './errors.ts'
import { clientProtocol, maxMessageBytes } from './protocol.ts'

export interface Endpoint {
  readonly id: NodeId
  /** A multiaddr without `/p2p`. */
  readonly address: string
}

/** @throws InvalidEndpoint unless it is a multiaddr that ends in `/p2p/ID`. */
export const parseEndpoint = (endpoint: string): Endpoint => {
  const [, address, id] =
    /^(\/(?:ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d{1,5})\/p2p\/([1-9A-HJ-NP-Za-km-z]{16,128})$/.exec(endpoint) ?? []
  if (address !== undefined && id !== undefined) return { id: nodeId(id), address }
  throw new InvalidEndpoint(
    endpoint.includes('/p2p/')
      ? `"${endpoint}" is no multiaddr such as /ip4/192.168.1.10/tcp/7400/p2p/12D3KooW…`
      : `"${endpoint}" lacks the node's peer id, without which nobody can tell that the right node answers: append /p2p/ID (\`conclave status\` shows it)`,
  )
}

/** Opens a channel to a node of which addresses are known. Rejects if none leads to it or `signal` fires. */
export type Dial = (id: NodeId, addresses: readonly string[], signal: AbortSignal) => Promise<Channel>

const streamChannel = (stream: FrameStream): Channel => {
  let handle: ((message: Uint8Array) => void) | undefined
  let closed: ((error?: Error) => void) | undefined
  stream.start({
    messages: (messages) => {
      for (const message of messages) handle?.(message)
    },
    closed: (error) => closed?.(error),
  })
  return {
    peer: stream.peer,
    send: (message) => {
      if (!stream.send(message) && stream.open) stream.abort(new Error('the connection takes no more'))
    },
    onMessage: (listener) => {
      handle = listener
    },
    onClose: (listener) => {
      closed = listener
    },
    close: () => {
      // Closing never fails: what cannot be sent any more is dropped.
      stream.close().catch(() => {})
    },
  }
}

/** Dials over libp2p, with a host of its own unless one is given; libp2p is loaded by the first dial. */
export class Dialer {
  readonly #shared: Host | undefined
  readonly #identity: Identity | undefined
  #own: Promise<Host> | undefined
  #closed = false

  constructor(host: Host | undefined, identity: Identity | undefined) {
    this.#shared = host
    this.#identity = identity
  }

  readonly dial: Dial = async (id, addresses, signal) => {
    const host = this.#shared ?? (await this.#host())
    const stream = await host.dial({ id, addresses }, clientProtocol, signal, { frameBytes: maxMessageBytes * 2 })
    return streamChannel(stream)
  }

  /** Who dials. */
  async principal(): Promise<NodeId> {
    return (this.#shared ?? (await this.#host())).id
  }

  #host(): Promise<Host> {
    if (this.#closed) throw new Error('the client is closed')
    this.#own ??= (async () => {
      const { createHost, generateIdentity } = await import('@conclave/transport-libp2p')
      return createHost({ identity: this.#identity ?? (await generateIdentity()) })
    })()
    return this.#own
  }

  /** Closes the own host; a given one stays. */
  async close(): Promise<void> {
    this.#closed = true
    const host = await this.#own?.catch(() => undefined)
    await host?.close()
  }
}
