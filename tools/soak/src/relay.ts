/**
 * The process that stands for slow wires: it takes connections that one node makes to its peers, and passes their bytes on, late, not at all for a
 * while, or not any more. Order and content stay. It does what `tc netem delay` would do, on kernels without it.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** From one node to one peer. */
export interface Route {
  readonly peer: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly target: { readonly host: string; readonly port: number }
  /** The address from which the relay itself dials. */
  readonly from?: string
}

/** How bytes to one peer and back travel. None: as fast as they can. */
export interface Pace {
  readonly delayMillis: number
  readonly jitterMillis: number
  /** Nothing passes until this is over; nothing is lost. */
  readonly stalled: boolean
}

export type ToRelay =
  | { readonly type: 'listen'; readonly routes: readonly Route[] }
  | { readonly type: 'pace'; readonly paces: Readonly<Record<string, Pace>> }
  /** Cuts every connection to this peer by a reset. */
  | { readonly type: 'reset'; readonly peer: string }
export type FromRelay =
  | { readonly type: 'listening'; readonly ports: Readonly<Record<string, number>> }
  /** Answers `pace`: it holds for whatever arrives from now on. */
  | { readonly type: 'paced' }

const fast: Pace = { delayMillis: 0, jitterMillis: 0, stalled: false }
/** Bytes that wait in one direction of one connection before its sender is held back. */
const mostWaiting = 1024 * 1024

/** One direction of one connection: chunks leave in order, each not before its time. */
class Line {
  readonly #to: Socket
  readonly #from: Socket
  readonly #pace: () => Pace
  readonly #waiting: { readonly due: number; readonly chunk: Buffer | undefined }[] = []
  #bytes = 0
  #lastDue = 0
  #timer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket, pace: () => Pace) {
    this.#from = from
    this.#to = to
    this.#pace = pace
    from.on('data', (chunk) => this.#take(chunk))
    from.on('end', () => this.#take(undefined))
  }

  #take(chunk: Buffer | undefined): void {
    const { delayMillis, jitterMillis } = this.#pace()
    this.#lastDue = Math.max(this.#lastDue, performance.now() + delayMillis + Math.random() * jitterMillis)
    this.#waiting.push({ due: this.#lastDue, chunk })
    this.#bytes += chunk?.length ?? 0
    if (this.#bytes > mostWaiting) this.#from.pause()
    this.pump()
  }

  pump(): void {
    clearTimeout(this.#timer)
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#pace().stalled) return
      const early = next.due - performance.now()
      if (early > 0) {
        this.#timer = setTimeout(() => this.pump(), early)
        return
      }
      this.#waiting.shift()
      if (next.chunk === undefined) this.#to.end()
      else {
        this.#bytes -= next.chunk.length
        this.#to.write(next.chunk)
      }
    }
    if (this.#bytes <= mostWaiting) this.#from.resume()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#waiting.length = 0
  }
}

interface Connection {
  readonly lines: readonly [Line, Line]
  reset(): void
}

class Relay {
  readonly #paces = new Map<string, Pace>()
  readonly #connections = new Map<string, Set<Connection>>()
  readonly #servers: Server[] = []

  async listen(routes: readonly Route[]): Promise<Record<string, number>> {
    const ports: Record<string, number> = {}
    for (const route of routes) {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#join(route, socket))
      this.#servers.push(server)
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(route.listen.port, route.listen.host, resolve)
      })
      ports[route.peer] = (server.address() as AddressInfo).port
    }
    return ports
  }

  #join(route: Route, near: Socket): void {
    const { host, port } = route.target
    const bound = route.from === undefined ? {} : { localAddress: route.from }
    const far = connect({ host, port, allowHalfOpen: true, noDelay: true, ...bound })
    const pace = (): Pace => this.#paces.get(route.peer) ?? fast
    const lines = [new Line(near, far, pace), new Line(far, near, pace)] as const
    const all = this.#connections.get(route.peer) ?? new Set()
    this.#connections.set(route.peer, all)
    const reset = (): void => {
      for (const line of lines) line.stop()
      for (const socket of [near, far]) if (!socket.destroyed) socket.resetAndDestroy()
      all.delete(connection)
    }
    const connection: Connection = { lines, reset }
    all.add(connection)
    // What ends one side badly ends the other as badly.
    near.on('error', reset)
    far.on('error', reset)
    const closed = (): void => {
      if (near.closed && far.closed) all.delete(connection)
    }
    near.on('close', closed)
    far.on('close', closed)
  }

  pace(paces: Readonly<Record<string, Pace>>): void {
    this.#paces.clear()
    for (const [peer, pace] of Object.entries(paces)) this.#paces.set(peer, pace)
    for (const connections of this.#connections.values())
      for (const { lines } of connections) for (const line of lines) line.pump()
  }

  reset(peer: string): void {
    for (const connection of [...(this.#connections.get(peer) ?? [])]) connection.reset()
  }
}

const relay = new Relay()
const tell = (message: FromRelay): void => {
  process.send?.(message)
}
process.on('disconnect', () => process.exit(0))
process.on('message', (message: ToRelay) => {
  switch (message.type) {
    case 'listen':
      relay.listen(message.routes).then(
        (ports) => tell({ type: 'listening', ports }),
        (error: unknown) => {
          console.error(error)
          process.exit(1)
        },
      )
      break
    case 'pace':
      relay.pace(message.paces)
      tell({ type: 'paced' })
      break
    case 'reset':
      relay.reset(message.peer)
      break
  }
})
