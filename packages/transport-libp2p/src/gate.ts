import { BlockList, isIP } from 'node:net'
import type { NodeId } from '@conclave/interface'

/**
 * Who is let in. Asked after the peer has proved its key and before it may open a stream: one that is refused learns nothing but the
 * key of this node. The answers may change at any time; they count for new connections and new streams.
 */
export interface Gate {
  /** May open engine and snapshot streams, from anywhere. */
  isMember(peer: NodeId): boolean
  /** Was removed from the cluster, and is no member: its streams are answered with that news and closed. Default: nobody. */
  wasMember?(peer: NodeId): boolean
  /** Told of a peer that proved its key and was not let in, or not to what it asked for. */
  refused?(peer: NodeId): void
  /** May open client streams. Asked only when clients are served at all, see `HostInit.insecureClients`. */
  admitClient(peer: NodeId, remoteAddress: string): boolean
}

/** Lets nobody in: for a host that only dials. */
export const closedGate: Gate = { isMember: () => false, admitClient: () => false }

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')
loopback.addSubnet('::ffff:127.0.0.0', 104, 'ipv6')

/** True if a multiaddr begins with an IP address of this host's loopback. A name is not taken for loopback, whatever it resolves to. */
export const isLoopback = (multiaddr: string): boolean => {
  const [, protocol, host = ''] = multiaddr.split('/')
  const version = isIP(host)
  if (protocol === 'ip4') return version === 4 && loopback.check(host, 'ipv4')
  return protocol === 'ip6' && version === 6 && loopback.check(host, 'ipv6')
}
