import type { Logger, NodeId } from '@conclave/interface'
import { silentLogger } from '@conclave/interface'
import { DialFailed } from './errors.ts'
import { defaultFrameBytes } from './frame.ts'
import type { FrameLimits, FrameStream } from './frame-stream.ts'
import type { Gate } from './gate.ts'
import type { Identity } from './identity.ts'

export interface HostInit {
  readonly identity: Identity
  /** Multiaddrs to listen on, such as `/ip4/0.0.0.0/tcp/4711`; port 0 takes a free one. Default none: a host that only dials. */
  readonly listen?: readonly string[]
  /** Default: nobody gets in. */
  readonly gate?: Gate
  /**
   * Without it, peers that are no members are let in only if every address of `listen` is on loopback and they come from loopback:
   * beyond this machine anybody could call himself a client.
   */
  readonly insecureClients?: boolean
  /** Connections of peers that are no members; one more is refused. Default 1024. */
  readonly maxClients?: number
  readonly logger?: Logger
}

/** Where a peer may be found. With `id`, only a peer that proves this id is taken; without, an id in the addresses is asked for, if there is one. */
export interface PeerAddress {
  readonly id?: NodeId
  readonly addresses: readonly string[]
}

/** One libp2p node: TCP, Noise, yamux. Each stream has a connection of its own, so that nothing waits behind the bytes of another. */
export interface Host {
  readonly id: NodeId
  /** The addresses that it listens on now, ports resolved, each with `/p2p/ID`. */
  addresses(): string[]
  /**
   * Takes streams of `protocol` from now on, until `unhandle`. A peer that `admit` refuses has its stream reset. `onStream` calls `start` on
   * the stream before it returns.
   */
  handle(
    protocol: string,
    onStream: (stream: FrameStream) => void,
    admit: (peer: NodeId, remoteAddress: string) => boolean,
    limits?: FrameLimits,
  ): Promise<void>
  unhandle(protocol: string): Promise<void>
  /**
   * A new connection with one stream. That it resolves does not say that the other side has admitted this host: its first message does.
   * @throws DialFailed if no address led to the peer; what `signal` was aborted with.
   */
  dial(peer: PeerAddress, protocol: string, signal: AbortSignal, limits?: FrameLimits): Promise<FrameStream>
  /** Closes every stream, in about a second at most even if peers hang. Safe to call twice. */
  close(): Promise<void>
}

export const hostDefaults = { maxClients: 1024, frameBytes: defaultFrameBytes, logger: silentLogger } as const

/** The addresses to dial, each ending in the id that is to be proved. @throws DialFailed if none fits. */
export const dialable = ({ id, addresses }: PeerAddress): string[] => {
  const fit: string[] = []
  for (const address of addresses) {
    const at = address.lastIndexOf('/p2p/')
    const named = at < 0 ? undefined : address.slice(at + '/p2p/'.length)
    if (id === undefined || named === id) fit.push(address)
    else if (named === undefined) fit.push(`${address}/p2p/${id}`)
  }
  if (fit.length === 0)
    throw new DialFailed(addresses.length === 0 ? 'no address is known' : `none of the addresses belongs to ${id}`)
  return fit
}
