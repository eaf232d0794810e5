import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  request,
  type Server,
} from 'node:http'
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net'
import type { Writable } from 'node:stream'
import type { Balancer } from '@conclave/interface'
import { afterEach } from 'vitest'
import {
  type ConclaveProxy,
  createProxy,
  fixedInstances,
  type HttpProxyOptions,
  type InstanceSource,
  type ProxyCandidate,
  type ProxyInstance,
  type ProxyOptions,
  type ProxyRequest,
  type TcpProxyOptions,
} from '../src/index.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
/** Runs `cleanup` after this test, the last one first. */
export const after = (cleanup: () => unknown): void => void cleanups.push(cleanup)

/** One candidate after the other, and what it was told. */
export class Turns implements Balancer<ProxyRequest, ProxyCandidate> {
  readonly keys: (string | undefined)[] = []
  readonly settlements: { readonly id: string; readonly latency: number; readonly error?: unknown }[] = []
  picks = 0

  pick(wish: ProxyRequest, candidates: readonly ProxyCandidate[]): ProxyCandidate | undefined {
    this.keys.push(wish.key)
    return candidates[this.picks++ % candidates.length]
  }

  settled({ id }: ProxyCandidate, result: { readonly latency: number; readonly error?: unknown }): void {
    this.settlements.push({ id, ...result })
  }
}

/** A list that a test changes. */
export class Lists implements InstanceSource {
  #list: readonly ProxyInstance[]
  #changed = Promise.withResolvers<void>()
  #failure: Error | undefined

  constructor(...list: readonly string[]) {
    this.#list = list.map((address) => ({ address }))
  }

  set(...list: readonly (string | ProxyInstance)[]): void {
    this.#list = list.map((each) => (typeof each === 'string' ? { address: each } : each))
    this.#change()
  }

  fail(error: Error): void {
    this.#failure = error
    this.#change()
  }

  #change(): void {
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers()
    resolve()
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      const changed = this.#changed.promise
      yield this.#list
      await changed
      if (this.#failure !== undefined) throw this.#failure
    }
  }
}

export interface Backend {
  readonly address: string
  readonly server: Server
  /** How many requests came. */
  readonly count: number
}

export const backend = async (listener: RequestListener = (_, res) => res.end('hello')): Promise<Backend> => {
  let count = 0
  const server = createServer((req, res) => {
    count++
    listener(req, res)
  })
  return {
    address: await listening(server),
    server,
    get count() {
      return count
    },
  }
}

/** A server on a free port, which is closed after the test. @returns `HOST:PORT`. */
export const listening = async (server: Server | TcpServer): Promise<string> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket.on('close', () => sockets.delete(socket))))
  after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

export const tcpBackend = (listener: (socket: Socket) => void): Promise<string> =>
  listening(createTcpServer({ allowHalfOpen: true }, listener))

/** An address at which nobody listens. */
export const nobody = async (): Promise<string> => {
  const server = createTcpServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `127.0.0.1:${port}`
}

type HttpChoice = Partial<Omit<HttpProxyOptions, 'mode' | 'source'>>
type TcpChoice = Partial<Omit<TcpProxyOptions, 'mode' | 'source'>>
type Addresses = InstanceSource | readonly string[]

const sourceOf = (instances: Addresses): InstanceSource =>
  Symbol.asyncIterator in instances ? instances : fixedInstances(instances)

const started = async (
  options: Pick<ProxyOptions, 'mode' | 'source'> & (HttpChoice | TcpChoice),
): Promise<ConclaveProxy> => {
  const proxy = await createProxy({ listen: { port: 0 }, balancer: new Turns(), ...options } as ProxyOptions)
  after(() => proxy.close({ drain: 0 }))
  return proxy
}

export const httpProxy = (instances: Addresses, options: HttpChoice = {}): Promise<ConclaveProxy> =>
  started({ mode: 'http', source: sourceOf(instances), ...options })

export const tcpProxy = (instances: Addresses, options: TcpChoice = {}): Promise<ConclaveProxy> =>
  started({ mode: 'tcp', source: sourceOf(instances), ...options })

/** Writes for as long as it is taken, and stops once nothing has been for half a second. @returns bytes. */
export const takenBy = async (writable: Writable, most: number): Promise<number> => {
  const chunk = Buffer.alloc(65_536)
  let written = 0
  const more = (): void => {
    while (written < most) {
      written += chunk.length
      if (!writable.write(chunk)) return
    }
  }
  writable.on('drain', more)
  more()
  for (let before = -1; before !== written && written < most; ) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  return written
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly trailers: IncomingMessage['trailers']
  readonly text: string
}

/** A request on a connection of its own, unless an agent is given. */
export const ask = (
  { address: { port } }: Pick<ConclaveProxy, 'address'>,
  path = '/',
  { body, ...options }: RequestOptions & { readonly body?: string | Buffer } = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, path, agent: false, ...options }, (res) => {
      answerOf(res).then(resolve, reject)
    })
    req.on('error', reject).end(body)
  })

export const answerOf = async (res: IncomingMessage): Promise<Answer> => {
  const chunks: Buffer[] = []
  for await (const chunk of res) chunks.push(chunk as Buffer)
  const { statusCode: status = 0, headers, rawHeaders, trailers } = res
  return { status, headers, rawHeaders, trailers, text: Buffer.concat(chunks).toString() }
}

/** A connection over which a test writes bytes itself. */
export const rawClient = async ({ address: { port } }: Pick<ConclaveProxy, 'address'>): Promise<RawClient> => {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  after(() => socket.destroy())
  await once(socket, 'connect')
  return new RawClient(socket)
}

export class RawClient {
  readonly socket: Socket
  readonly #ended: Promise<void>
  received = ''

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1')
    })
    this.#ended = new Promise((resolve) => {
      socket.on('end', resolve).on('close', resolve).on('error', resolve)
    })
  }

  write(text: string): this {
    this.socket.write(text, 'latin1')
    return this
  }

  /** Everything that came until the other side closed. */
  async closed(): Promise<string> {
    await this.#ended
    return this.received
  }

  async until(found: string | RegExp): Promise<string> {
    await until(() => (typeof found === 'string' ? this.received.includes(found) : found.test(this.received)))
    return this.received
  }
}

/** Looks again and again until it is so. The test's own time limit ends it. */
export const until = async (so: () => boolean): Promise<void> => {
  while (!so()) await new Promise((resolve) => setTimeout(resolve, 2))
}

/** The body of a request as it comes, to its end. */
export const bodyOf = async (req: IncomingMessage): Promise<string> => {
  let text = ''
  for await (const chunk of req) text += (chunk as Buffer).toString('latin1')
  return text
}
