import type { NodeId, Peer, Transport, TransportHandler } from '@conclave/interface'

export interface HearsayInit {
  readonly transport: Transport
  /** Is it a member of the cluster, as another member would say when asked? */
  readonly isMember: (id: NodeId) => boolean
  /** Asks, and calls back with the answer some time later, unless the process has died. */
  readonly ask: (answer: () => void) => void
}

/**
 * What a node does for its engine: the engine asks for links to the members that it knows, but a member that it does not know yet may speak to
 * it, a leader that was elected while it was away. The node asks another member who that is, and holds a link, so that answers find their way
 * before the log has arrived.
 */
export const withHearsay = ({ transport, isMember, ask }: HearsayInit): Transport => {
  let own: readonly Peer[] = []
  const heard = new Map<NodeId, Peer>()
  const link = (): void => {
    for (const id of heard.keys()) if (!isMember(id)) heard.delete(id)
    const known = new Set(own.map(({ id }) => id))
    transport.setPeers([...own, ...[...heard.values()].filter(({ id }) => !known.has(id))])
  }
  const knock = (id: NodeId): void => {
    if (heard.has(id) || own.some((peer) => peer.id === id)) return
    const peer = { id, name: id, addresses: [] }
    heard.set(id, peer) // asked about once; a stranger is forgotten again by the answer
    ask(link)
  }
  return {
    self: transport.self,
    start: (handler) => transport.start(listening(handler, knock)),
    setPeers: (peers) => {
      own = peers
      link()
    },
    send: (to, message, lane) => transport.send(to, message, lane),
    transfer: (to, header, body, signal) => transport.transfer(to, header, body, signal),
    close: () => transport.close(),
  }
}

const listening = (handler: TransportHandler, knock: (from: NodeId) => void): TransportHandler => ({
  receive: (from, message) => {
    knock(from)
    handler.receive(from, message)
  },
  peer: (id, state) => handler.peer(id, state),
  offered: (from, transfer) => {
    knock(from)
    handler.offered(from, transfer)
  },
})
