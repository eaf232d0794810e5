/**
 * What a frame stream costs against a stock libp2p stream with the same frames: messages of 300 bytes, two processes on loopback.
 *
 *   node --conditions=@conclave/source packages/transport-libp2p/bench/frames.ts [seconds]
 *
 * `rounds`: a batch is sent when all of the one before has come back. `flow`: batches one way, as fast as they are taken. CPU in µs per message,
 * both processes.
 */
import { fork } from 'node:child_process'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createHost, type FrameStream, generateIdentity } from '../src/index.ts'

const size = 300
const batches = [1, 16, 64, 256]
const millis = Number(process.argv[2] ?? 2) * 1000

/** A channel of either kind: whole messages, batched per turn. */
interface Channel {
  send(message: Uint8Array): void
  flush(): void
  ready(): Promise<void>
}
type Got = (count: number, messages: Uint8Array[]) => void
interface Side {
  listen(accept: (channel: Channel) => Got): Promise<string>
  dial(address: string, got: Got): Promise<Channel>
}

const ours = async (): Promise<Side> => {
  const open = { isMember: () => true, admitClient: () => true }
  const host = await createHost({ identity: await generateIdentity(), listen: ['/ip4/127.0.0.1/tcp/0'], gate: open })
  const channel = (stream: FrameStream): { channel: Channel; start(got: Got): void } => {
    let drained: (() => void) | undefined
    return {
      channel: {
        send: (message) => void stream.send([message]),
        flush: () => stream.flush(),
        ready: async () => {
          while (!stream.writable)
            await new Promise<void>((resolve) => {
              drained = resolve
            })
        },
      },
      start: (got) =>
        stream.start({
          messages: (messages) => got(messages.length, messages),
          drained: () => drained?.(),
          closed: () => {},
        }),
    }
  }
  return {
    async listen(accept) {
      await host.handle(
        '/bench/1',
        (stream) => {
          const side = channel(stream)
          side.start(accept(side.channel))
        },
        () => true,
      )
      return host.addresses()[0] ?? ''
    },
    async dial(address, got) {
      const side = channel(await host.dial({ addresses: [address] }, '/bench/1', AbortSignal.timeout(5000)))
      side.start(got)
      return side.channel
    },
  }
}

/** The least that stock libp2p needs for the same frames. */
const stock = async (): Promise<Side> => {
  const { noise } = await import('@chainsafe/libp2p-noise')
  const { tcp } = await import('@libp2p/tcp')
  const { yamux } = await import('@libp2p/yamux')
  const { createLibp2p } = await import('libp2p')
  const { multiaddr } = await import('@multiformats/multiaddr')
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    connectionMonitor: { enabled: false },
    streamMuxers: [yamux({ streamOptions: { initialStreamWindowSize: 4 << 20, maxStreamWindowSize: 16 << 20 } })],
  })
  const channel = (stream: Awaited<ReturnType<typeof node.dialProtocol>>) => {
    let out: Uint8Array[] = []
    let blocked: Promise<void> | undefined
    let rest: Buffer | undefined
    const start = (got: Got): void =>
      stream.addEventListener('message', ({ data }) => {
        const bytes = rest === undefined ? Buffer.from(data.subarray()) : Buffer.concat([rest, data.subarray()])
        const messages: Uint8Array[] = []
        let at = 0
        while (bytes.length - at >= 4 && bytes.length - at - 4 >= bytes.readUInt32LE(at)) {
          messages.push(bytes.subarray(at + 4, at + 4 + bytes.readUInt32LE(at)))
          at += 4 + bytes.readUInt32LE(at)
        }
        rest = at === bytes.length ? undefined : bytes.subarray(at)
        if (messages.length > 0) got(messages.length, messages)
      })
    const flush = (): void => {
      if (out.length === 0) return
      const bytes = Buffer.concat(out)
      out = []
      if (!stream.send(bytes))
        blocked = new Promise((resolve) => stream.addEventListener('drain', () => resolve(), { once: true }))
    }
    const send = (message: Uint8Array): void => {
      if (out.length === 0) process.nextTick(flush)
      const length = Buffer.allocUnsafe(4)
      length.writeUInt32LE(message.length)
      out.push(length, message)
    }
    return { channel: { send, flush, ready: async () => blocked }, start }
  }
  return {
    async listen(accept) {
      await node.handle('/bench/1', (stream) => {
        const side = channel(stream)
        side.start(accept(side.channel))
      })
      return String(node.getMultiaddrs()[0])
    },
    async dial(address, got) {
      const side = channel(await node.dialProtocol(multiaddr(address), '/bench/1'))
      side.start(got)
      return side.channel
    },
  }
}

const sides = { stock, ours }
const cpu = (): number => process.cpuUsage().user + process.cpuUsage().system

if (process.argv[3] !== undefined) {
  const [kind, mode] = process.argv[3].split(' ') as [keyof typeof sides, string]
  let received = 0
  const address = await (await sides[kind]()).listen((channel) => (count, messages) => {
    received += count
    if (mode === 'rounds') for (const message of messages) channel.send(message)
  })
  process.send?.(address)
  process.on('message', () => process.send?.({ cpu: cpu(), received }))
} else {
  for (const mode of ['rounds', 'flow']) {
    for (const batch of batches) for (const kind of ['stock', 'ours'] as const) await run(kind, mode, batch)
  }
  process.exit(0)
}

async function run(kind: keyof typeof sides, mode: string, batch: number): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), [String(millis / 1000), `${kind} ${mode}`], {
    execArgv: [...process.execArgv],
  })
  const answer = <T>(): Promise<T> =>
    new Promise((resolve) => child.once('message', (message) => resolve(message as T)))
  const address = await answer<string>()
  let back = 0
  let whole: (() => void) | undefined
  const channel = await (await sides[kind]()).dial(address, (count) => {
    back += count
    if (back >= batch) whole?.()
  })
  const message = new Uint8Array(size).fill(7)
  const burst = async (): Promise<void> => {
    const round = new Promise<void>((resolve) => {
      whole = resolve
    })
    back = 0
    for (let i = 0; i < batch; i++) channel.send(message)
    channel.flush()
    if (mode === 'rounds') await round
    else {
      await channel.ready()
      await turn()
    }
  }
  const spend = async (until: number): Promise<number> => {
    let sent = 0
    for (; performance.now() < until; sent += batch) await burst()
    return sent
  }
  await spend(performance.now() + millis / 4)
  child.send('sample')
  const before = { there: await answer<{ cpu: number; received: number }>(), here: cpu() }
  const from = performance.now()
  const sent = await spend(from + millis)
  child.send('sample')
  const after = { there: await answer<{ cpu: number; received: number }>(), here: cpu() }
  const seconds = (performance.now() - from) / 1000
  const count = mode === 'rounds' ? sent : after.there.received - before.there.received
  const micros = (after.here - before.here + after.there.cpu - before.there.cpu) / count
  console.log(
    `${mode} × ${batch}`.padEnd(14),
    kind.padEnd(6),
    `${Math.round(count / seconds)} messages/s`.padEnd(22),
    `${micros.toFixed(2)} µs CPU`,
  )
  child.kill()
}
