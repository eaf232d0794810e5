/** Where a service can be reached. */
export interface ProxyInstance {
  /** `HOST:PORT`; an IPv6 address in brackets. */
  readonly address: string
  /** Unique in its list. Default: the address. */
  readonly id?: string
  /** Its share, relative to those of the others, for a balancer that knows weights: a finite number from 0 up. Default 1. */
  readonly weight?: number
  /** The zone or region that it is in, for a balancer that knows localities. */
  readonly locality?: string
  /** 0 is used first, for a balancer that knows priorities. Default 0. */
  readonly priority?: number
}

/**
 * Who the instances are: yields the whole list, and again whenever it changes. The last list stands when it ends or throws; to ask again is up to the source.
 * `ServiceRegistry.watch` of `@conclave/client/recipes` is one.
 */
export type InstanceSource = AsyncIterable<readonly ProxyInstance[]>

/** A list that never changes. @param addresses `HOST:PORT` each. */
export const fixedInstances = (addresses: readonly string[]): InstanceSource => {
  const list = addresses.map((address): ProxyInstance => ({ address }))
  for (const { address } of list) parseAddress(address)
  return {
    async *[Symbol.asyncIterator]() {
      yield list
    },
  }
}

export interface HostPort {
  /** Without brackets. */
  readonly host: string
  readonly port: number
}

/** @throws RangeError unless it is `HOST:PORT`. */
export const parseAddress = (address: string): HostPort => {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9A-Za-z._-]+)):(\d{1,5})$/.exec(address) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  // A number with dots need not be an address of IP: 10.0.0.256 and [::1::] are none.
  if (host !== undefined && port >= 1 && port <= 65_535 && URL.canParse(`http://${address}`)) return { host, port }
  throw new RangeError(`an instance's address is HOST:PORT, such as 10.0.0.7:8080, got ${JSON.stringify(address)}`)
}
