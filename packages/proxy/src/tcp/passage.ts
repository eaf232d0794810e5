import type { Socket } from 'node:net'
import { AttemptEnded } from '../errors.ts'
import type { Instance } from '../instance.ts'
import type { Resolved, TcpProxyOptions } from '../options.ts'
import type { Links, Parts } from '../parts.ts'
import { Placement } from '../placement.ts'
import type { Timed } from '../ticker.ts'
import { Tunnel } from '../tunnel.ts'
import type { TcpLink } from './link.ts'

/** What all connections of a proxy share. */
export interface TcpSurroundings extends Parts {
  readonly options: Resolved<TcpProxyOptions>
  readonly links: Links<TcpLink>
  readonly ended: (passage: Passage) => void
}

const unplaced = {
  'no-instance': 'no instance is there to serve this',
  'instance-failed': 'no instance is left that could be tried',
  'waiting-full': 'too many connections are waiting',
  'waiting-timeout': 'no instance had room in time',
} as const

/** A client's connection, from when it was accepted until it is closed. */
export class Passage implements Timed {
  deadline = Number.POSITIVE_INFINITY
  readonly #around: TcpSurroundings
  readonly #client: Socket
  readonly #address: string
  readonly #time = Date.now()
  readonly #began = performance.now()
  readonly #placement: Placement
  #error: Error | undefined
  #tunnel: Tunnel | undefined
  #over = false

  /** @param client paused. */
  constructor(around: TcpSurroundings, client: Socket, address: string) {
    this.#around = around
    this.#client = client
    this.#address = address
    around.metrics.requests.active++
    around.ticker.add(this)
    client.on('error', this.#failed).on('close', this.#closed)
    this.#placement = new Placement({
      around,
      wish: around.options.sticky === undefined ? {} : { key: address },
      chosen: (instance) => this.#connect(instance),
      waits: (until) => {
        this.deadline = until
      },
      refused: (reason) => this.#refuse(reason, this.#error ?? new Error(unplaced[reason])),
    })
  }

  begin(): void {
    this.#placement.begin()
  }

  /** Ends it at once, at both ends. */
  cut(): void {
    const error = new AttemptEnded('drained')
    this.#error ??= error
    this.#placement.leaveLine()
    if (this.#tunnel === undefined) this.#client.destroy()
    else this.#tunnel.cut(error)
  }

  expired(): void {
    this.#placement.leaveLine()
    this.#refuse('waiting-timeout', new Error(unplaced['waiting-timeout']))
  }

  #refuse(reason: keyof typeof unplaced, error: Error): void {
    this.#around.metrics.refused[reason]++
    this.deadline = Number.POSITIVE_INFINITY
    this.#error = error
    this.#client.destroy()
  }

  #connect(instance: Instance): void {
    this.deadline = Number.POSITIVE_INFINITY
    const link = this.#around.links.of(instance)
    link.connect().then(
      (socket) => this.#connected(instance, link, socket),
      (error: Error) => this.#unreached(instance, error),
    )
  }

  #connected(instance: Instance, link: TcpLink, socket: Socket): void {
    const { roster, metrics, ticker, options } = this.#around
    roster.reached(instance)
    if (this.#over) {
      socket.destroy()
      return this.#settle(undefined)
    }
    const latency = this.#placement.elapsed
    metrics.observeLatency(latency / 1000)
    this.#client.off('error', this.#failed).off('close', this.#closed)
    const tunnel = new Tunnel({
      client: this.#client,
      instance: socket,
      ticker,
      idle: options.timeouts.tunnel,
      ended: (error) => {
        link.tunnels.delete(tunnel)
        this.#error ??= error
        this.#settle(undefined, latency)
        this.#end(true)
      },
    })
    this.#tunnel = tunnel
    link.tunnels.add(tunnel)
  }

  /** Nothing of the connection went to the instance: any other can have it. */
  #unreached(instance: Instance, error: Error): void {
    this.#settle(error)
    this.#around.roster.unreachable(instance, error.message)
    if (this.#over) return
    this.#error = error
    if (!this.#placement.retry('unreached')) this.#refuse('instance-failed', error)
  }

  #settle(error: Error | undefined, latency = this.#placement.elapsed): void {
    this.#placement.settle(error === undefined ? '2xx' : 'none', latency, error)
  }

  readonly #failed = (error: Error): void => {
    this.#error ??= error
  }

  /** The client's connection is closed, and there was no tunnel yet. */
  readonly #closed = (): void => {
    this.#placement.leaveLine()
    this.#end(false)
  }

  #end(connected: boolean): void {
    if (this.#over) return
    this.#over = true
    const { metrics, ticker, ended, options } = this.#around
    const { instance, tries, retried } = this.#placement
    const [received, sent] = [this.#client.bytesRead, this.#client.bytesWritten]
    metrics.requests.active--
    metrics.requests.byClass[connected ? '2xx' : '5xx']++
    metrics.bytes.received += received
    metrics.bytes.sent += sent
    if (connected && instance !== undefined) {
      instance.metrics.bytesSent += received
      instance.metrics.bytesReceived += sent
    }
    ticker.delete(this)
    options.accessLog?.({
      mode: 'tcp',
      time: this.#time,
      client: this.#address,
      duration: performance.now() - this.#began,
      received,
      sent,
      tries,
      ...(instance === undefined ? {} : { instance: instance.id }),
      ...(retried === undefined ? {} : { retried }),
      ...(this.#error === undefined ? {} : { error: this.#error.message }),
    })
    ended(this)
  }
}
