import type { Socket } from 'node:net'
import type { Ticker, Timed } from './ticker.ts'

/** How often within its idle time a tunnel is looked at. */
const looks = 4

export interface TunnelInit {
  readonly client: Socket
  readonly instance: Socket
  readonly ticker: Ticker
  /** Milliseconds without a byte either way, to within a quarter. */
  readonly idle: number
  /** Called once, when both ends are closed. */
  readonly ended: (error: Error | undefined) => void
}

/** Two connections as one: bytes both ways with back-pressure, and each end's half-close. */
export class Tunnel implements Timed {
  deadline = Number.POSITIVE_INFINITY
  readonly #init: TunnelInit
  #open = 2
  #bytes = 0
  #lastProgress: number
  #error: Error | undefined

  constructor(init: TunnelInit) {
    this.#init = init
    const { client, instance, ticker } = init
    this.#lastProgress = ticker.now
    this.#look(ticker.now)
    ticker.add(this)
    for (const [end, other] of [
      [client, instance],
      [instance, client],
    ] as const) {
      end.on('error', (error) => this.#broken(error, other))
      end.on('close', () => this.#closed(end, other))
      end.pipe(other)
    }
  }

  /** Closes both ends at once. */
  cut(error?: Error): void {
    this.#error ??= error
    this.#init.client.destroy()
    this.#init.instance.destroy()
  }

  expired(now: number): void {
    const bytes = this.#init.client.bytesRead + this.#init.instance.bytesRead
    if (bytes !== this.#bytes) this.#lastProgress = now
    this.#bytes = bytes
    if (now - this.#lastProgress >= this.#init.idle) this.cut(new Error('nothing came either way for too long'))
    else this.#look(now)
  }

  #look(now: number): void {
    this.deadline = now + this.#init.idle / looks
  }

  /** What broke off at one end must not look as if it had ended at the other. */
  #broken(error: Error, other: Socket): void {
    this.#error ??= error
    other.resetAndDestroy()
  }

  #closed(end: Socket, other: Socket): void {
    // Closed without its end: there is nothing to say to the other any more.
    if (!end.readableEnded || !end.writableFinished) other.destroy()
    if (--this.#open > 0) return
    this.#init.ticker.delete(this)
    this.#init.ended(this.#error)
  }
}
