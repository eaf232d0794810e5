import { noise } from '@chainsafe/libp2p-noise'
import { type NodeId, nodeId } from '@conclave/interface'
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import type { ComponentLogger, Connection, Libp2p, Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { asError, DialFailed, LinkFailed, ListenFailed } from './errors.ts'
import { FramedBytes, type FrameLimits, type FrameStream } from './frame-stream.ts'
import { closedGate, isLoopback } from './gate.ts'
import { dialable, type Host, type HostInit, hostDefaults, type PeerAddress } from './host.ts'
import { streamBytes } from './stream-bytes.ts'
import { tuned, updateWindowLazily, windowBytes } from './tuning.ts'

/** Connections that have not proved their key yet. */
const maxPending = 512
/** For the handshakes of a connection, and until an accepted one has a stream. */
const handshakeMillis = 5000
/** For one of a peer's addresses to answer, so that a dead one does not use up the time of the others. */
const addressMillis = 3000
/** libp2p starts a timer of 32 bits with it: 24 days. Idle links are kept; hung ones are the engine's to judge. */
const never = 2 ** 31 - 1

/** libp2p's own log lines go nowhere: they are many, and what matters is told by this package. */
const silent: ComponentLogger = {
  forComponent() {
    const line = Object.assign(() => {}, { enabled: false, error: () => {}, trace: () => {}, newScope: () => line })
    return line
  },
}

type Dial = (address: ReturnType<typeof multiaddr>, options: { signal: AbortSignal }) => Promise<Connection>

/** libp2p tells of its own settings and puts a stack into the message; what a person needs is the system's reason. */
const listenFailed = (thrown: unknown, listen: readonly string[]): Error => {
  const error = asError(thrown)
  const reasons = [...error.message.matchAll(/Error: listen (.+)/g)].map(([, reason]) => reason)
  if (reasons.length === 0) return error
  return new ListenFailed(`cannot listen on ${listen.join(', ')}: ${reasons.join('; ')}`, { cause: error })
}

/** See `createHost`. In a module of its own, since it loads libp2p. */
export const startLibp2pHost = async (init: HostInit): Promise<Host> => {
  const { identity, listen = [], gate = closedGate, logger = hostDefaults.logger } = init
  const servesClients = init.insecureClients === true || listen.every(isLoopback)
  const clients = new Set<unknown>()
  const admitsClient = (peer: NodeId, remote: string): boolean => {
    if (!servesClients || (init.insecureClients !== true && !isLoopback(remote)) || !gate.admitClient(peer, remote))
      return false
    if (clients.size < (init.maxClients ?? hostDefaults.maxClients)) return true
    logger.warn({ peer, remote, clients: clients.size }, 'too many clients: a connection is refused')
    return false
  }
  const node = await createLibp2p<{ dialer: { dial: Dial } }>({
    privateKey: privateKeyFromProtobuf(identity.privateKey),
    addresses: { listen: [...listen] },
    transports: [tcp({ inboundSocketInactivityTimeout: never, outboundSocketInactivityTimeout: never })],
    connectionEncrypters: [tuned(noise())],
    streamMuxers: [
      yamux({
        enableKeepAlive: false,
        maxInboundStreams: 8,
        streamOptions: { maxStreamWindowSize: windowBytes, maxReadBufferLength: 2 * windowBytes },
      }),
    ],
    connectionMonitor: { enabled: false },
    connectionManager: {
      // Members must get in however many strangers knock: clients are counted by the gate below, not here.
      maxConnections: 1_000_000,
      inboundConnectionThreshold: 1_000_000,
      maxIncomingPendingConnections: maxPending,
      inboundUpgradeTimeout: handshakeMillis,
      reconnectRetries: 0,
    },
    connectionGater: {
      denyDialMultiaddr: () => false,
      denyInboundEncryptedConnection: (peerId, socket) => {
        const peer = nodeId(peerId.toString())
        const remote = socket.remoteAddr.toString()
        if (gate.isMember(peer) || gate.wasMember?.(peer) === true) return false
        if (!admitsClient(peer, remote)) {
          logger.debug({ peer, remote }, 'a stranger is refused')
          gate.refused?.(peer)
          return true
        }
        clients.add(socket)
        socket.addEventListener('close', () => clients.delete(socket))
        return false
      },
    },
    logger: silent,
    services: {
      dialer: ({ transportManager, addressManager }) => {
        // It would announce our addresses to nobody after a second, and keep the process that long after `stop`.
        Object.assign(addressManager, { _updatePeerStoreAddresses: () => {} })
        return { dial: (address, options) => transportManager.dial(address, options) }
      },
    },
  }).catch((thrown: unknown) => {
    throw listenFailed(thrown, listen)
  })
  return new Libp2pHost(node, node.services.dialer.dial, init)
}

class Libp2pHost implements Host {
  readonly id: NodeId
  readonly #node: Libp2p
  readonly #dial: Dial
  readonly #init: HostInit
  readonly #streams = new Set<FrameStream>()
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  constructor(node: Libp2p, dial: Dial, init: HostInit) {
    this.id = init.identity.id
    this.#node = node
    this.#dial = dial
    this.#init = init
    node.addEventListener('connection:open', ({ detail: connection }) => {
      if (connection.direction === 'inbound') this.#watch(connection)
    })
  }

  /** A connection on which no stream is opened is only in the way. */
  #watch(connection: Connection): void {
    const timer = setTimeout(() => {
      if (connection.streams.length === 0) connection.abort(new LinkFailed('no stream was opened'))
    }, handshakeMillis)
    timer.unref()
    connection.addEventListener('close', () => clearTimeout(timer))
  }

  addresses(): string[] {
    return this.#node.getMultiaddrs().map(String)
  }

  async handle(
    protocol: string,
    onStream: (stream: FrameStream) => void,
    admit: (peer: NodeId, remoteAddress: string) => boolean,
    limits?: FrameLimits,
  ): Promise<void> {
    const taken = (stream: Stream, connection: Connection): void => {
      const peer = nodeId(connection.remotePeer.toString())
      const remote = connection.remoteAddr.toString()
      if (!admit(peer, remote) || this.#closed !== undefined) {
        this.#init.logger?.debug({ peer, remote, protocol }, 'a peer asked for a protocol that is not for it')
        this.#init.gate?.refused?.(peer)
        stream.abort(new LinkFailed('refused'))
        connection.abort(new LinkFailed('refused'))
        return
      }
      onStream(this.#framed(stream, connection, limits))
    }
    await this.#node.handle(protocol, taken, { maxInboundStreams: 8, force: true })
  }

  async unhandle(protocol: string): Promise<void> {
    await this.#node.unhandle(protocol)
  }

  async dial(peer: PeerAddress, protocol: string, signal: AbortSignal, limits?: FrameLimits): Promise<FrameStream> {
    const either = AbortSignal.any([signal, this.#closing.signal])
    const failures: Error[] = []
    for (const address of dialable(peer)) {
      either.throwIfAborted()
      try {
        return await this.#open(address, protocol, either, limits)
      } catch (thrown) {
        failures.push(asError(thrown))
      }
    }
    either.throwIfAborted()
    throw new DialFailed(failures.map((failure) => failure.message).join('; '), { cause: failures[0] })
  }

  async #open(address: string, protocol: string, signal: AbortSignal, limits?: FrameLimits): Promise<FrameStream> {
    // A signal of its own, which never fires once the connection is made: Node ties the socket's life to it, not only the dial.
    const attempt = new AbortController()
    const abort = (): void => attempt.abort(signal.reason)
    const timer = setTimeout(() => attempt.abort(new LinkFailed(`${address} does not answer`)), addressMillis)
    signal.addEventListener('abort', abort)
    try {
      const connection = await this.#dial(multiaddr(address), { signal: attempt.signal })
      try {
        return this.#framed(await connection.newStream(protocol, { signal: attempt.signal }), connection, limits)
      } catch (thrown) {
        connection.abort(asError(thrown))
        throw thrown
      }
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
  }

  #framed(stream: Stream, connection: Connection, limits: FrameLimits = {}): FrameStream {
    updateWindowLazily(stream)
    const frameBytes = limits.frameBytes ?? hostDefaults.frameBytes
    const framed = new FramedBytes(
      streamBytes(stream, connection),
      nodeId(connection.remotePeer.toString()),
      connection.remoteAddr.toString(),
      frameBytes,
      limits,
    )
    this.#streams.add(framed)
    stream.addEventListener('close', () => this.#streams.delete(framed))
    return framed
  }

  close(): Promise<void> {
    this.#closed ??= this.#stop()
    return this.#closed
  }

  async #stop(): Promise<void> {
    this.#closing.abort(new LinkFailed('the host is closed'))
    await Promise.all([...this.#streams].map((stream) => stream.close()))
    for (const connection of this.#node.getConnections()) connection.abort(new LinkFailed('the host is closed'))
    await this.#node.stop()
  }
}
