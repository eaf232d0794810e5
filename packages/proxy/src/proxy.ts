import type { AddressInfo } from 'node:net'
import { Admin } from './admin.ts'
import type { InstanceView, ProxyEvents } from './events.ts'
import type { Front } from './front.ts'
import { HealthChecks } from './health.ts'
import { HttpFront } from './http/front.ts'
import type { ProxyMetrics } from './metrics.ts'
import { type ProxyOptions, type Resolved, resolveOptions } from './options.ts'
import type { Comings } from './parts.ts'
import { viewOf } from './roster.ts'
import { TcpFront } from './tcp/front.ts'

/** A proxy that listens. */
export interface ConclaveProxy extends AsyncDisposable {
  readonly address: AddressInfo
  /** Of `/metrics`, `/healthz` and `/instances`, if they were asked for. */
  readonly adminAddress: AddressInfo | undefined
  readonly instances: readonly InstanceView[]
  /** A copy of all counters as they stand. */
  readonly metrics: ProxyMetrics
  /** Returns what removes the listener. */
  on<Event extends keyof ProxyEvents>(event: Event, listener: ProxyEvents[Event]): () => void
  /**
   * Takes nothing new, waits for what is under way, and cuts what takes longer than `drain` milliseconds (default 30,000). Called again, it cuts at the earlier moment.
   * Resolves once nothing is open any more.
   */
  close(options?: { readonly drain?: number }): Promise<void>
}

const defaultDrain = 30_000

/**
 * Starts a proxy; resolves once it listens. It may know of no instance by then: it answers 503 until it does. Installs no signal handler, prints nothing.
 * @throws TypeError, RangeError for an option that cannot be; the system's error if an address cannot be listened on.
 */
export const createProxy = async (options: ProxyOptions): Promise<ConclaveProxy> => {
  const proxy = new RunningProxy(resolveOptions(options))
  try {
    await proxy.start()
    return proxy
  } catch (error) {
    await proxy.close({ drain: 0 })
    throw error
  }
}

class RunningProxy implements ConclaveProxy {
  readonly #options: Resolved<ProxyOptions>
  readonly #front: Front
  readonly #checks: HealthChecks | undefined
  readonly #admin: Admin | undefined
  #address: AddressInfo | undefined
  #adminAddress: AddressInfo | undefined
  #closing: Promise<void> | undefined
  #cut: () => void = () => {}
  #timer: NodeJS.Timeout | undefined
  /** When what is under way is cut; nothing is later than the end. */
  #cutAt = Number.POSITIVE_INFINITY

  constructor(options: Resolved<ProxyOptions>) {
    this.#options = options
    const { health, admin } = options
    this.#checks = health === undefined ? undefined : new HealthChecks(health, () => this.#front.parts.roster)
    this.#front = frontOf(options, this.#checks === undefined ? [] : [this.#checks])
    this.#admin = admin === undefined ? undefined : new Admin(() => this)
  }

  async start(): Promise<void> {
    const { admin } = this.#options
    // Before it listens: a list that is there at once is known to the first request.
    void this.#front.parts.roster.follow()
    this.#address = await this.#front.listen()
    if (admin !== undefined) this.#adminAddress = await this.#admin?.listen(admin)
  }

  get address(): AddressInfo {
    if (this.#address === undefined) throw new Error('the proxy does not listen yet')
    return this.#address
  }

  get adminAddress(): AddressInfo | undefined {
    return this.#adminAddress
  }

  get instances(): readonly InstanceView[] {
    return [...this.#front.parts.roster.all].map(viewOf)
  }

  get metrics(): ProxyMetrics {
    const { roster, metrics } = this.#front.parts
    const each = [...roster.all].map((instance) => {
      const serving = instance.state === 'serving'
      return [instance.id, { ...instance.metrics, active: instance.active, serving }] as const
    })
    return metrics.snapshot(Object.fromEntries(each))
  }

  get trouble(): string | undefined {
    if (this.#closing !== undefined) return 'closing'
    return this.#front.parts.roster.eligible.length === 0 ? 'no instance is there' : undefined
  }

  on<Event extends keyof ProxyEvents>(event: Event, listener: ProxyEvents[Event]): () => void {
    return this.#front.parts.listeners.on(event, listener)
  }

  close({ drain = defaultDrain }: { readonly drain?: number } = {}): Promise<void> {
    if (!(drain >= 0 && drain <= 2_147_483_647))
      throw new RangeError(`drain is a number of milliseconds from 0 up, got ${drain}`)
    this.#closing ??= this.#close()
    const cutAt = performance.now() + drain
    if (cutAt < this.#cutAt) {
      this.#cutAt = cutAt
      clearTimeout(this.#timer)
      this.#timer = setTimeout(this.#cut, drain)
    }
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const cut = new Promise<void>((resolve) => {
      this.#cut = resolve
    })
    await Promise.race([this.#front.drain(), cut])
    this.#cutAt = Number.NEGATIVE_INFINITY
    clearTimeout(this.#timer)
    this.#front.parts.roster.stop()
    this.#checks?.stop()
    await this.#front.cut()
    this.#front.parts.ticker.stop()
    await this.#admin?.close()
  }
}

const frontOf = (options: Resolved<ProxyOptions>, comings: readonly Comings[]): Front =>
  options.mode === 'http' ? new HttpFront(options, comings) : new TcpFront(options, comings)
