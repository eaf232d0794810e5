/**
 * Encrypted links between the members of a cluster, and between a client and a node: libp2p over TCP, Noise and yamux, with messages
 * framed and batched.
 *
 * @example
 * ```ts
 * import { createHost, loadOrCreateIdentity } from '@conclave/transport-libp2p'
 *
 * const identity = await loadOrCreateIdentity('node.key')
 * const host = await createHost({ identity, listen: ['/ip4/127.0.0.1/tcp/0'] })
 * console.log(host.addresses())
 * await host.close()
 * ```
 *
 * @packageDocumentation
 */

export { createHost } from './create-host.ts'
export { DialFailed, IdentityUnfit, LinkFailed, ListenFailed, MalformedFrame } from './errors.ts'
export type { FrameLimits, FrameListener, FrameStream } from './frame-stream.ts'
export { type Gate, isLoopback } from './gate.ts'
export type { Verdict } from './hello.ts'
export type { Host, HostInit, PeerAddress } from './host.ts'
export {
  generateIdentity,
  type Identity,
  identityFromProtobuf,
  identityId,
  loadIdentity,
  loadOrCreateIdentity,
} from './identity.ts'
export { type Libp2pTransportInit, libp2pTransport } from './transport.ts'
