import type { Balancer } from '@conclave/interface'
import type { InstanceMetrics } from './metrics.ts'

/** What a balancer is told of a request. */
export interface ProxyRequest {
  /** Requests with the same key belong together. */
  readonly key?: string
}

/** What a balancer chooses from. */
export interface ProxyCandidate {
  readonly id: string
  readonly weight?: number
  readonly locality?: string
  readonly priority?: number
}

/** Chooses instances. One that leaves some out for a while, such as `outlierEjection` of `@conclave/balance`, may say whom. */
export interface ProxyBalancer extends Balancer<ProxyRequest, ProxyCandidate> {
  /** Whether it would choose this candidate now. Asked some times a second, for metrics and events only. */
  fit?(candidate: ProxyCandidate): boolean
}

/** `failing`: its health checks say so. `ejected`: the balancer leaves it out for a while. `backing-off`: the last attempt to connect to it failed a moment ago. `left`: it is in the list no more. */
export type InstanceState = 'serving' | 'failing' | 'ejected' | 'backing-off' | 'left'

/** What carries requests to one instance. */
export interface Link {
  /** Resolves once nothing is under way any more. */
  close(): Promise<void>
  /** Cuts what is under way. */
  destroy(error: Error): void
}

/** The first wait after a connection could not be made; it doubles with each that follows, in milliseconds. */
const [firstBackoff, longestBackoff] = [100, 10_000]

/** One instance, from the list that first names it to the one that does not, and until what is under way there has ended. */
export class Instance implements ProxyCandidate {
  readonly id: string
  readonly address: string
  readonly host: string
  readonly port: number
  readonly metrics: InstanceMetrics
  weight: number
  locality?: string
  priority?: number
  /** Requests or connections under way. */
  active = 0
  /** Active checks found it failing. */
  failing = false
  /** The balancer leaves it out. */
  ejected = false
  left = false
  /** Not tried before this moment, unless there is no other. */
  retryAt = 0
  #backoff = 0

  constructor(
    id: string,
    at: { readonly address: string; readonly host: string; readonly port: number },
    metrics: InstanceMetrics,
  ) {
    this.id = id
    this.address = at.address
    this.host = at.host
    this.port = at.port
    this.metrics = metrics
    this.weight = 1
  }

  get state(): InstanceState {
    if (this.left) return 'left'
    if (this.failing) return 'failing'
    if (this.retryAt > 0) return 'backing-off'
    return this.ejected ? 'ejected' : 'serving'
  }

  /** A connection could not be made. */
  backOff(now: number): void {
    if (this.retryAt > now) return
    this.#backoff = Math.min(Math.max(firstBackoff, this.#backoff * 2), longestBackoff)
    this.retryAt = now + this.#backoff
  }

  /** It answered. */
  answered(): void {
    this.#backoff = 0
  }
}
