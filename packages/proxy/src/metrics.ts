/** `2xx` and so on; `none`: there was no response, because the client went away or the connection broke. For TCP: `2xx` connected, `5xx` could not. */
export const statusClasses = ['1xx', '2xx', '3xx', '4xx', '5xx', 'none'] as const
export type StatusClass = (typeof statusClasses)[number]

export const classOf = (status: number): StatusClass => {
  if (status >= 500) return '5xx'
  if (status >= 400) return '4xx'
  if (status >= 300) return '3xx'
  if (status >= 200) return '2xx'
  return status >= 100 ? '1xx' : 'none'
}

/** Upper bounds in seconds; the last class has none. */
export const latencyBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

/** Why the proxy itself refused or ended something. */
export const refusals = [
  'bad-request',
  'connections',
  'header-size',
  'header-count',
  'header-timeout',
  'waiting-full',
  'waiting-timeout',
  'no-instance',
  'instance-failed',
  'response-timeout',
  'body-timeout',
] as const
export type Refusal = (typeof refusals)[number]

/** `unreached`: nothing of the request was sent. `broken`: the connection broke before any byte of a response. */
export type RetryReason = 'unreached' | 'broken'

type Counters<Key extends string> = Record<Key, number>
const zeros = <Key extends string>(keys: readonly Key[]): Counters<Key> =>
  Object.fromEntries(keys.map((key) => [key, 0])) as Counters<Key>

/** Counters of one instance; they go when it has left. */
export interface InstanceMetrics {
  /** Requests or connections that ended here, by what became of them. */
  readonly requests: Counters<StatusClass>
  /** Connections that could not be made. */
  connectFailures: number
  /** Of bodies, or of connections: to the instance. */
  bytesSent: number
  bytesReceived: number
}

/** A histogram in the manner of Prometheus; `counts` are not cumulative, and have one more entry than `bounds`. */
export interface Histogram {
  readonly bounds: readonly number[]
  readonly counts: number[]
  sum: number
  count: number
}

export interface ProxyMetrics {
  readonly connections: { active: number; total: number }
  /** `active`: with the waiting ones. A connection through a TCP proxy counts as one. */
  readonly requests: { active: number; waiting: number; readonly byClass: Counters<StatusClass> }
  readonly retries: Counters<RetryReason> & { /** Not made, as the budget was spent. */ refused: number }
  /** Instances that were taken out, by checks or because they took no connection. */
  ejections: number
  readonly refused: Counters<Refusal>
  /** Of bodies, or of connections, between clients and the proxy. */
  readonly bytes: { received: number; sent: number }
  /** Seconds from a request's header section to the response's, or to connect. */
  readonly latency: Histogram
  readonly instances: Record<string, InstanceMetrics & { readonly active: number; readonly serving: boolean }>
}

export const instanceMetrics = (): InstanceMetrics => ({
  requests: zeros(statusClasses),
  connectFailures: 0,
  bytesSent: 0,
  bytesReceived: 0,
})

/** What is counted as it happens. */
export class Metrics {
  readonly connections = { active: 0, total: 0 }
  readonly requests = { active: 0, waiting: 0, byClass: zeros(statusClasses) }
  readonly retries = { unreached: 0, broken: 0, refused: 0 }
  ejections = 0
  readonly refused = zeros(refusals)
  readonly bytes = { received: 0, sent: 0 }
  readonly latency: Histogram = {
    bounds: latencyBounds,
    counts: Array.from({ length: latencyBounds.length + 1 }, () => 0),
    sum: 0,
    count: 0,
  }

  observeLatency(seconds: number): void {
    const { counts, bounds } = this.latency
    let at = 0
    while (at < bounds.length && seconds > (bounds[at] ?? 0)) at++
    counts[at] = (counts[at] ?? 0) + 1
    this.latency.sum += seconds
    this.latency.count++
  }

  snapshot(instances: ProxyMetrics['instances']): ProxyMetrics {
    const { connections, requests, retries, ejections, refused, bytes, latency } = this
    return structuredClone({ connections, requests, retries, ejections, refused, bytes, latency, instances })
  }
}
