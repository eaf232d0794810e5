import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { clientAddress } from '../client-address.ts'
import { AttemptEnded } from '../errors.ts'
import type { Front } from '../front.ts'
import { closed, listenOn } from '../listening.ts'
import type { Resolved, TcpProxyOptions } from '../options.ts'
import { type Comings, createParts, Links, type Parts } from '../parts.ts'
import { Underway } from '../underway.ts'
import { TcpLink } from './link.ts'
import { Passage, type TcpSurroundings } from './passage.ts'

/** Accepts connections and passes them on, byte for byte. */
export class TcpFront implements Front {
  readonly parts: Parts
  readonly #options: Resolved<TcpProxyOptions>
  readonly #around: TcpSurroundings
  readonly #passages = new Underway<Passage>()
  readonly #server: Server

  /** @param comings who else is told of instances. */
  constructor(options: Resolved<TcpProxyOptions>, comings: readonly Comings[]) {
    this.#options = options
    const links = new Links(
      (instance) => new TcpLink(instance, options.timeouts.connect),
      options.timeouts.leave,
      () => new AttemptEnded('left'),
    )
    this.parts = createParts(options, [links, ...comings])
    this.#around = { ...this.parts, options, links, ended: (passage) => this.#passages.delete(passage) }
    // Paused, so that nothing is read before there is somebody to give it to.
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true })
    this.#server.maxConnections = options.limits.connections
    this.#server
      .on('connection', (socket) => this.#connected(socket))
      .on('drop', () => this.parts.metrics.refused.connections++)
  }

  listen(): Promise<AddressInfo> {
    return listenOn(this.#server, this.#options.listen)
  }

  async drain(): Promise<void> {
    this.#server.close()
    await this.#passages.empty()
  }

  async cut(): Promise<void> {
    for (const passage of this.#passages) passage.cut()
    await Promise.all([closed(this.#server), this.#passages.empty()])
  }

  #connected(socket: Socket): void {
    const { connections } = this.parts.metrics
    connections.total++
    connections.active++
    socket.on('close', () => connections.active--)
    const passage = new Passage(this.#around, socket, clientAddress(socket))
    this.#passages.add(passage)
    passage.begin()
  }
}
