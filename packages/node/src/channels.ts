import { type Channel, channelPair } from '@conclave/client/protocol'
import type { Chunks, NodeId } from '@conclave/interface'
import { type FrameStream, LinkFailed } from '@conclave/transport-libp2p'
import type { ServedChannel } from './served.ts'

/** Bytes waiting for a client beyond which its requests are no longer read, and beyond which answers to reads are refused. */
const pauseBytes = 1024 * 1024
const congestedBytes = 8 * 1024 * 1024

/** The node's end of a client's stream. A client that does not take its answers is no longer read, so that nothing piles up for it. */
export const streamChannel = (stream: FrameStream): ServedChannel => {
  let receive: (message: Uint8Array) => void = () => {}
  let closed: (error?: Error) => void = () => {}
  let drained: () => void = () => {}
  let paused = false
  stream.start({
    messages: (messages) => {
      for (const message of messages) receive(message)
    },
    drained: () => {
      if (paused) stream.resume()
      paused = false
      drained()
    },
    closed: (error) => closed(error),
  })
  return {
    peer: stream.peer,
    get writable() {
      return stream.writable && stream.queuedBytes < pauseBytes
    },
    get congested() {
      return stream.queuedBytes > congestedBytes
    },
    send: (message: Chunks) => {
      if (!stream.open) return
      // An answer must never be missing while its channel lives: a client that has no room for it loses the channel.
      if (!stream.send(message)) return stream.abort(new LinkFailed('the client does not take its answers'))
      if (paused || stream.queuedBytes < pauseBytes || stream.writable) return
      paused = true
      stream.pause()
    },
    onMessage: (handle) => {
      receive = handle
    },
    onClose: (handle) => {
      closed = handle
    },
    onDrain: (handle) => {
      drained = handle
    },
    close: () => void stream.close(),
  }
}

/** The two ends of a channel within this process: for a client, and for the service. @param as who the client is; by default, the node itself. */
export const localChannels = (
  self: NodeId,
  as: NodeId = self,
): { readonly client: Channel; readonly served: ServedChannel } => {
  const [client, server] = channelPair(as, self)
  const served: ServedChannel = {
    peer: server.peer,
    // What is sent here is handed over in the next turn; a feed sends a bounded amount in each.
    writable: true,
    congested: false,
    send: (message) => server.send(message),
    onMessage: (handle) => server.onMessage(handle),
    onClose: (handle) => server.onClose(handle),
    onDrain: () => {},
    close: () => server.close(),
  }
  return { client, served }
}
