import {
  type Chunks,
  type Clock,
  concatChunks,
  type IncomingTransfer,
  type Monotonic,
  nodeId,
  seededRandom,
  type Transport,
  type TransportHandler,
} from '@conclave/interface'
import { memoryNetwork } from '@conclave/transport-memory'
import type { TransportNetwork, TransportSubject } from '../src/transport.ts'

const clock: Clock = {
  now: () => performance.now() as Monotonic,
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
  defer: (run) => void setImmediate(run),
}

/** Changes some methods of a transport. */
const changed = (transport: Transport, change: Partial<Transport>): Transport => ({
  self: transport.self,
  start: (handler) => transport.start(handler),
  setPeers: (peers) => transport.setPeers(peers),
  send: (to, message, lane) => transport.send(to, message, lane),
  transfer: (to, header, body, signal) => transport.transfer(to, header, body, signal),
  close: () => transport.close(),
  ...change,
})

/** Changes what a transport tells its handler. */
const telling = (transport: Transport, change: (handler: TransportHandler) => Partial<TransportHandler>): Transport =>
  changed(transport, {
    start: (handler) =>
      transport.start({
        receive: (from, message) => handler.receive(from, message),
        peer: (id, state) => handler.peer(id, state),
        offered: (from, transfer) => handler.offered(from, transfer),
        ...change(handler),
      }),
  })

const offering = (transport: Transport, change: (transfer: IncomingTransfer) => Partial<IncomingTransfer>): Transport =>
  telling(transport, (handler) => ({
    offered: (from, transfer) =>
      handler.offered(from, {
        header: transfer.header,
        accept: () => transfer.accept(),
        confirm: () => transfer.confirm(),
        reject: () => transfer.reject(),
        ...change(transfer),
      }),
  }))

/** A transport that is broken in one way, and the test that has to see it. */
export const brokenTransports: Readonly<Record<string, { found: string; breaks(transport: Transport): Transport }>> = {
  'throws at a stranger': {
    found: 'send: never throws',
    breaks: (transport) => {
      let peers: readonly string[] = []
      return changed(transport, {
        setPeers: (wanted) => {
          peers = wanted.map(({ id }) => id)
          transport.setPeers(wanted)
        },
        send: (to, message, lane) => {
          if (!peers.includes(to)) throw new RangeError(`no link to ${to}`)
          transport.send(to, message, lane)
        },
      })
    },
  },
  'sends the first chunk only': {
    found: 'receive: a whole message',
    breaks: (transport) =>
      changed(transport, { send: (to, message: Chunks, lane) => transport.send(to, message.slice(0, 1), lane) }),
  },
  'cuts large messages': {
    found: 'send: messages of every size',
    breaks: (transport) =>
      changed(transport, {
        send: (to, message, lane) => transport.send(to, [concatChunks(message).subarray(0, 65_535)], lane),
      }),
  },
  'loses the last message of a burst': {
    found: 'send: messages of one turn',
    breaks: (transport) => {
      let sent = 0
      return changed(transport, {
        send: (to, message, lane) => {
          if (++sent % 200 !== 0) transport.send(to, message, lane)
        },
      })
    },
  },
  'hands out one array for all messages': {
    found: 'send: messages of one turn',
    breaks: (transport) => {
      const shared = new Uint8Array(8 * 1024 * 1024)
      return telling(transport, (handler) => ({
        receive: (from, message) => {
          shared.set(message)
          handler.receive(from, shared.subarray(0, message.length))
        },
      }))
    },
  },
  'does not tell what it drops': {
    found: 'peer lost',
    breaks: (transport) =>
      telling(transport, (handler) => ({
        peer: (id, state) => (state === 'lost' ? undefined : handler.peer(id, state)),
      })),
  },
  'does not tell that a link broke': {
    found: 'peer down, then up: a reset',
    breaks: (transport) =>
      telling(transport, (handler) => ({
        peer: (id, state) => (state === 'down' ? undefined : handler.peer(id, state)),
      })),
  },
  'tells of messages after close': {
    found: 'close: no handler call follows',
    breaks: (transport) => {
      let late: TransportHandler | undefined
      return changed(transport, {
        start: (handler) => {
          late = handler
          return transport.start(handler)
        },
        close: async () => {
          await transport.close()
          setImmediate(() => late?.receive(transport.self, new Uint8Array()))
        },
      })
    },
  },
  'accepts before the peer has confirmed': {
    found: 'transfer: the header is offered',
    breaks: (transport) =>
      changed(transport, {
        transfer: async (to, header, body, signal) => {
          let over = () => {}
          const ended = new Promise<void>((resolve) => {
            over = resolve
          })
          const watched = async function* (): AsyncGenerator<Uint8Array> {
            yield* body
            over()
          }
          const outcome = transport.transfer(to, header, watched(), signal)
          return Promise.race([outcome, ended.then(() => 'accepted' as const)])
        },
      }),
  },
  'reads the whole body at once': {
    found: 'accept: back-pressure holds the body back',
    breaks: (transport) =>
      changed(transport, {
        transfer: async (to, header, body, signal) => {
          const chunks: Uint8Array[] = []
          for await (const chunk of body) chunks.push(chunk)
          const all = async function* (): AsyncGenerator<Uint8Array> {
            yield* chunks
          }
          return transport.transfer(to, header, all(), signal)
        },
      }),
  },
  'ends a broken body as if it were whole': {
    found: 'transfer: a body that throws',
    breaks: (transport) =>
      offering(transport, (transfer) => ({
        accept: async function* () {
          try {
            yield* transfer.accept()
          } catch {
            // Swallowed: the receiver takes it for the end.
          }
        },
      })),
  },
  'ignores the signal': {
    found: 'transfer: when the signal fires',
    breaks: (transport) =>
      changed(transport, {
        transfer: (to, header, body) => transport.transfer(to, header, body, new AbortController().signal),
      }),
  },
}

/** The network in memory, with `breaks` around every transport. */
export const memorySubject = (name: string, breaks: (transport: Transport) => Transport): TransportSubject => {
  const queueBytes = 1024 * 1024
  const transferMillis = 300
  return {
    name,
    queueBytes,
    transferMillis,
    messageBytes: queueBytes,
    seeds: 1,
    network: (): TransportNetwork => {
      const network = memoryNetwork({ clock, random: seededRandom(1), queueBytes, transferMillis })
      return {
        member: async (of) => ({
          transport: breaks(network.transport(nodeId(of))),
          peer: () => ({ id: nodeId(of), name: of, addresses: [] }),
        }),
        reset: (a, b) => network.reset(a, b),
      }
    },
  }
}
