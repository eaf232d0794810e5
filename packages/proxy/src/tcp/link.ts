import { connect, type Socket } from 'node:net'
import type { Instance, Link } from '../instance.ts'
import type { Tunnel } from '../tunnel.ts'
import { Underway } from '../underway.ts'

/** Connections to one instance. */
export class TcpLink implements Link {
  readonly tunnels = new Underway<Tunnel>()
  readonly #at: Pick<Instance, 'host' | 'port'>
  readonly #connectMillis: number
  readonly #connecting = new Underway<Socket>()

  constructor(at: Pick<Instance, 'host' | 'port'>, connectMillis: number) {
    this.#at = at
    this.#connectMillis = connectMillis
  }

  /** Resolves to a socket that is connected and paused. Rejects with why there is none. */
  connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: this.#at.host, port: this.#at.port, allowHalfOpen: true, noDelay: true })
      this.#connecting.add(socket)
      const late = setTimeout(
        () => socket.destroy(new Error(`no connection within ${this.#connectMillis} ms`)),
        this.#connectMillis,
      )
      socket.on('error', reject).on('connect', () => {
        socket.off('error', reject)
        clearTimeout(late)
        resolve(socket)
        // Later than the promise, by which time there is a tunnel.
        this.#connecting.delete(socket)
      })
      socket.on('close', () => {
        clearTimeout(late)
        this.#connecting.delete(socket)
      })
    })
  }

  async close(): Promise<void> {
    await this.#connecting.empty()
    await this.tunnels.empty()
  }

  destroy(error: Error): void {
    for (const socket of this.#connecting) socket.destroy(error)
    for (const tunnel of this.tunnels) tunnel.cut(error)
  }
}
