import type { Socket } from 'node:net'
import { AttemptEnded } from '../errors.ts'
import type { Instance } from '../instance.ts'
import type { RetryReason } from '../metrics.ts'
import type { Resolved, TcpProxyOptions } from '../options.ts'
import type { Links, Parts } from '../parts.ts'
import type { Timed } from '../ticker.ts'
import { Tunnel } from '../tunnel.ts'
import type { Waiter } from '../waiting-line.ts'
import type { TcpLink } from './link.ts'

/** What all connections of a proxy share. */
export interface TcpSurroundings extends Parts {
  readonly options: Resolved<TcpProxyOptions>
  readonly links: Links<TcpLink>
  readonly ended: (passage: Passage) => void
}

/** A client's connection, from when it was accepted until it is closed. */
export class Passage implements Timed, Waiter {
  readonly particular = false
  deadline = Number.POSITIVE_INFINITY
  readonly #around: TcpSurroundings
  readonly #client: Socket
  readonly #address: string
  readonly #time = Date.now()
  readonly #began = performance.now()
  #attemptBegan = 0
  #instance: Instance | undefined
  #tried: Instance[] | undefined
  #tries = 0
  #retried: RetryReason | undefined
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
  }

  begin(): void {
    this.#around.budget.deposit()
    if (!this.attempt()) this.#wait()
  }

  /** Chooses an instance and connects to it. False: none has room. */
  attempt(): boolean {
    const { chooser, options } = this.#around
    const wish = { tried: this.#tried }
    const choice = chooser.choose(options.sticky === undefined ? wish : { ...wish, key: this.#address })
    if (choice === 'saturated') return false
    this.#leaveLine()
    this.deadline = Number.POSITIVE_INFINITY
    if (choice === 'none') this.#refuse(this.#error ?? new Error('no instance is there to serve this'))
    else this.#connect(choice)
    return true
  }

  /** Ends it at once, at both ends. */
  cut(): void {
    const error = new AttemptEnded('drained')
    this.#error ??= error
    this.#leaveLine()
    if (this.#tunnel === undefined) this.#client.destroy()
    else this.#tunnel.cut(error)
  }

  expired(): void {
    this.#leaveLine()
    this.#around.metrics.refused['waiting-timeout']++
    this.#error = new Error('no instance had room in time')
    this.#client.destroy()
  }

  #leaveLine(): void {
    const { line, metrics } = this.#around
    line.leave(this)
    metrics.requests.waiting = line.size
  }

  #wait(): void {
    const { line, metrics, ticker, options } = this.#around
    this.deadline = ticker.now + options.timeouts.waiting
    if (!line.join(this)) {
      metrics.refused['waiting-full']++
      this.#error = new Error('too many connections are waiting')
      this.#client.destroy()
    }
    metrics.requests.waiting = line.size
  }

  #refuse(error: Error): void {
    this.#around.metrics.refused[this.#tries === 0 ? 'no-instance' : 'instance-failed']++
    this.#error = error
    this.#client.destroy()
  }

  #connect(instance: Instance): void {
    this.#instance = instance
    this.#tries++
    this.#attemptBegan = performance.now()
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
      return this.#settle(instance, undefined)
    }
    const latency = performance.now() - this.#attemptBegan
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
        this.#settle(instance, undefined, latency)
        this.#end(true)
      },
    })
    this.#tunnel = tunnel
    link.tunnels.add(tunnel)
  }

  /** Nothing of the connection went to the instance: any other can have it. */
  #unreached(instance: Instance, error: Error): void {
    const { roster, metrics, options, budget } = this.#around
    this.#settle(instance, error)
    roster.unreachable(instance, error.message)
    if (this.#over) return
    this.#error = error
    if (this.#tries >= options.retries.tries) return this.#refuse(error)
    if (!budget.withdraw()) {
      metrics.retries.refused++
      return this.#refuse(error)
    }
    metrics.retries.unreached++
    this.#retried = 'unreached'
    this.#tried = [...(this.#tried ?? []), instance]
    if (!this.attempt()) this.#wait()
  }

  #settle(instance: Instance, error: Error | undefined, latency = performance.now() - this.#attemptBegan): void {
    instance.metrics.requests[error === undefined ? '2xx' : 'none']++
    this.#around.chooser.settle(instance, latency, error)
    this.#around.line.advance()
  }

  readonly #failed = (error: Error): void => {
    this.#error ??= error
  }

  /** The client's connection is closed, and there was no tunnel yet. */
  readonly #closed = (): void => {
    this.#leaveLine()
    this.#end(false)
  }

  #end(connected: boolean): void {
    if (this.#over) return
    this.#over = true
    const { metrics, ticker, ended, options } = this.#around
    const [received, sent] = [this.#client.bytesRead, this.#client.bytesWritten]
    metrics.requests.active--
    metrics.requests.byClass[connected ? '2xx' : '5xx']++
    metrics.bytes.received += received
    metrics.bytes.sent += sent
    if (connected && this.#instance !== undefined) {
      this.#instance.metrics.bytesSent += received
      this.#instance.metrics.bytesReceived += sent
    }
    ticker.delete(this)
    options.accessLog?.({
      mode: 'tcp',
      time: this.#time,
      client: this.#address,
      duration: performance.now() - this.#began,
      received,
      sent,
      tries: this.#tries,
      ...(this.#instance === undefined ? {} : { instance: this.#instance.id }),
      ...(this.#retried === undefined ? {} : { retried: this.#retried }),
      ...(this.#error === undefined ? {} : { error: this.#error.message }),
    })
    ended(this)
  }
}
