import {
  type Clock,
  type IncomingTransfer,
  type Logger,
  type Monotonic,
  type NodeId,
  type Peer,
  seededRandom,
  type Transport,
  type TransportHandler,
} from '@conclave/interface'
import {
  createHost,
  type FrameLimits,
  type FrameStream,
  generateIdentity,
  type Host,
  type HostInit,
  type Identity,
  type Libp2pTransportInit,
  libp2pTransport,
} from '../src/index.ts'

export const realClock: Clock = {
  now: () => performance.now() as Monotonic,
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
  defer: (run) => void setImmediate(run),
}

/** Something to wait for: `until` resolves as soon as a later `check` finds the condition true. */
export class Signal {
  #waits = new Set<{ ready: () => boolean; resolve: () => void }>()
  until(ready: () => boolean): Promise<void> {
    if (ready()) return Promise.resolve()
    return new Promise((resolve) => void this.#waits.add({ ready, resolve }))
  }
  check(): void {
    for (const wait of this.#waits) {
      if (!wait.ready()) continue
      this.#waits.delete(wait)
      wait.resolve()
    }
  }
}

/** What one end of a stream got. */
export class Ear {
  readonly frames: Uint8Array[][] = []
  readonly signal = new Signal()
  count = 0
  bytes = 0
  drained = 0
  closed = false
  error: Error | undefined
  each: ((message: Uint8Array) => void) | undefined
  keep = true

  hear(stream: FrameStream): this {
    stream.start({
      messages: (messages) => {
        if (this.keep) this.frames.push(messages)
        this.count += messages.length
        for (const message of messages) {
          this.bytes += message.length
          this.each?.(message)
        }
        this.signal.check()
      },
      drained: () => {
        this.drained++
        this.signal.check()
      },
      closed: (error) => {
        this.closed = true
        this.error = error
        this.signal.check()
      },
    })
    return this
  }
  get texts(): string[] {
    return this.frames.flat().map((message) => Buffer.from(message).toString())
  }
  until(ready: (ear: this) => boolean): Promise<void> {
    return this.signal.until(() => ready(this))
  }
}

/** A member that writes down what it is told. */
export class Witness implements TransportHandler {
  readonly signal = new Signal()
  readonly got: { from: NodeId; message: Uint8Array }[] = []
  readonly links: string[] = []
  offer: (from: NodeId, transfer: IncomingTransfer) => void = (_, transfer) => transfer.reject()
  receive(from: NodeId, message: Uint8Array): void {
    this.got.push({ from, message })
    this.signal.check()
  }
  peer(id: NodeId, state: 'up' | 'down' | 'lost'): void {
    this.links.push(`${id} ${state}`)
    this.signal.check()
  }
  offered(from: NodeId, transfer: IncomingTransfer): void {
    this.offer(from, transfer)
  }
  count(line: string): number {
    return this.links.filter((other) => other === line).length
  }
}

export interface Member {
  readonly identity: Identity
  readonly host: Host
  readonly transport: Transport
  readonly witness: Witness
  readonly log: string[]
}

/** Hosts and members of one test; all are closed at its end. */
export class World implements AsyncDisposable {
  readonly #hosts: Host[] = []
  readonly #transports: Transport[] = []
  readonly members = new Set<string>()
  readonly removed = new Set<string>()
  readonly gate = {
    isMember: (peer: NodeId): boolean => this.members.has(peer),
    wasMember: (peer: NodeId): boolean => this.removed.has(peer),
    admitClient: () => true,
  }

  async identity(): Promise<Identity> {
    const identity = await generateIdentity()
    this.members.add(identity.id)
    return identity
  }

  async host(init: Partial<HostInit> = {}): Promise<Host> {
    const host = await createHost({
      identity: init.identity ?? (await this.identity()),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      gate: this.gate,
      ...init,
    })
    this.#hosts.push(host)
    return host
  }

  async member(init: Partial<Libp2pTransportInit & HostInit> = {}): Promise<Member> {
    const identity = init.identity ?? (await this.identity())
    const log: string[] = []
    const line = (_: object, message: string): void => void log.push(message)
    const logger: Logger = { debug: () => {}, info: line, warn: line, error: line }
    const host = await this.host({ listen: init.listen ?? ['/ip4/127.0.0.1/tcp/0'], identity, logger })
    const transport = libp2pTransport({
      host,
      clusterId: 'test',
      gate: this.gate,
      clock: realClock,
      random: seededRandom(1),
      logger,
      ...init,
    })
    this.#transports.push(transport)
    const witness = new Witness()
    await transport.start(witness)
    return { identity, host, transport, witness, log }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#transports.map((transport) => transport.close()))
    await Promise.all(this.#hosts.map((host) => host.close()))
  }
}

export const peerOf = ({ host }: { host: Host }): Peer => ({
  id: host.id,
  name: host.id.slice(-6),
  addresses: host.addresses(),
})

/** Both members hold a link to each other. */
export const acquaint = async (one: Member, other: Member): Promise<void> => {
  one.transport.setPeers([peerOf(other)])
  other.transport.setPeers([peerOf(one)])
  await one.witness.signal.until(() => one.witness.links.at(-1) === `${other.host.id} up`)
  await other.witness.signal.until(() => other.witness.links.at(-1) === `${one.host.id} up`)
}

/** A stream from one host to another, and both its ends' ears. */
export const connected = async (
  from: Host,
  to: Host,
  limits?: FrameLimits,
): Promise<{ near: FrameStream; far: FrameStream; nearEar: Ear; farEar: Ear }> => {
  const farEar = new Ear()
  const { promise, resolve } = Promise.withResolvers<FrameStream>()
  const taken = (stream: FrameStream): void => {
    farEar.hear(stream)
    resolve(stream)
  }
  await to.handle('/test/1', taken, () => true, limits)
  const near = await from.dial({ id: to.id, addresses: to.addresses() }, '/test/1', AbortSignal.timeout(5000), limits)
  const nearEar = new Ear().hear(near)
  return { near, far: await promise, nearEar, farEar }
}

export const text = (of: string): Uint8Array[] => [Buffer.from(of)]
