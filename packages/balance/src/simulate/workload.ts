/**
 * What a simulation plays: the same trace of requests for each strategy. A JSON value; `parseWorkload` checks one. Times are milliseconds from the
 * beginning.
 */
export interface Workload {
  readonly version: 1
  readonly name: string
  readonly durationMillis: number
  /** Arrivals of all balancers together, a Poisson process. */
  readonly requestsPerSecond: number
  /** Balancers that know nothing of each other; each request goes to one of them at random. */
  readonly balancers: number
  /** Whether each balancer is decorated with `outlierEjection`, with its defaults. */
  readonly outlierEjection: boolean
  readonly keys: KeysWorkload
  readonly servers: readonly ServerWorkload[]
}

export interface KeysWorkload {
  readonly count: number
  /** Zipf's exponent: key number k (from 1) comes with a probability in proportion to `1 / k ^ skew`. 0 is all alike. */
  readonly skew: number
}

/** A server, or several that are alike. */
export interface ServerWorkload {
  /** The id of its candidate; followed by `-1`, `-2` and so on if there are several. */
  readonly name: string
  readonly count: number
  readonly weight: number
  /** Requests that it works on at a time. */
  readonly concurrency: number
  /** Requests that wait besides; a further one is an error at once. */
  readonly queue: number
  readonly service: ServiceTime
  /** When it becomes a candidate. */
  readonly joinsAtMillis: number
  /** When it is one no more; what it has then it still does. Absent: never. */
  readonly leavesAtMillis?: number
  readonly episodes: readonly Episode[]
}

/** How long a request takes that is worked on. */
export type ServiceTime =
  | { readonly distribution: 'constant'; readonly meanMillis: number }
  | { readonly distribution: 'exponential'; readonly meanMillis: number }
  /** `sigma` is the standard deviation of the logarithm: 1 is a long tail. */
  | { readonly distribution: 'lognormal'; readonly meanMillis: number; readonly sigma: number }

/** A time in which a server is not as it should be, for requests whose work begins then. */
export interface Episode {
  readonly fromMillis: number
  readonly toMillis: number
  /** Service times are so many times longer. */
  readonly slowdown: number
  /** The probability with which a request ends in an error, a millisecond after its work began. */
  readonly errorRate: number
}

/** So many requests a simulation has at most, expected. */
export const mostRequests = 2_000_000
