import { validateHeaderName } from 'node:http'
import type { AccessEntry } from './access.ts'
import type { ProxyBalancer } from './instance.ts'
import type { InstanceSource } from './source.ts'

/** Where to listen. */
export interface Listen {
  /** Default `127.0.0.1`: this machine only. `::` is every address, also those of IPv4. */
  readonly host?: string
  /** 0: one that is free. */
  readonly port: number
}

/** All in milliseconds. */
export interface Timeouts {
  /** To connect to an instance. Default 5,000. */
  readonly connect: number
  /** For a client to send the whole header section of a request; else 408. Default 10,000. */
  readonly requestHeaders: number
  /** For an instance to begin its response once it has the request; else 504. Default 60,000. */
  readonly response: number
  /** Without a byte of a body that is under way, from the client (408) or from the instance. Default 60,000. */
  readonly idle: number
  /** Until a client's connection without a request is closed. Default 60,000. */
  readonly keepAlive: number
  /** Without a byte either way through an upgraded connection, or one through a TCP proxy. Default 3,600,000. */
  readonly tunnel: number
  /** In line for an instance with room; else 503. Default 5,000. */
  readonly waiting: number
  /** For what is under way at an instance that left the list, before it is cut. Default 30,000. */
  readonly leave: number
}

export interface Limits {
  /** Connections from clients; a further one gets 503 and is closed. Default 10,000. */
  readonly connections: number
  /** Bytes of a header section, of requests (431) and responses (502). Default 16,384. */
  readonly headerBytes: number
  /** Fields of a request's header section; else 431. Default 100. */
  readonly headers: number
  /** Requests or connections in line for an instance with room; a further one gets 503. Default 1,024. */
  readonly waiting: number
  /** Requests or connections under way at one instance. Default 1,024. */
  readonly perInstance: number
}

export interface Retries {
  /** Attempts for one request, with the first; 1: no retries. Default 3. */
  readonly tries: number
  /** Retries for each request, over ten seconds. Default 0.2. */
  readonly ratio: number
  /** Retries a second that are always allowed. Default 10. */
  readonly minimum: number
}

/** How instances are checked all the time. An instance counts as well until `fall` checks in a row failed. */
export type HealthCheck = (
  | { readonly check: 'tcp' }
  | {
      readonly check: 'http'
      /** Answers GET with 200 to 399 when it is well. */
      readonly path: string
    }
) & {
  /** Milliseconds from the end of a check to the next. Default 2,000. */
  readonly interval?: number
  /** Milliseconds. Default 1,000. */
  readonly timeout?: number
  /** Checks in a row that find it well again. Default 2. */
  readonly rise?: number
  /** Default 3. */
  readonly fall?: number
}

/** A cookie, made by the proxy, whose value is a keyed hash of the instance's id. `HttpOnly`, `SameSite=Lax`. */
export interface StickyCookieInit {
  readonly by: 'cookie'
  /** Default `conclave`. */
  readonly name?: string
  /** The key: the same for all proxies in front of a service. Default: made anew, so that cookies mean nothing to other proxies or after a restart. */
  readonly secret?: string | Uint8Array
  /** `Secure`: for clients that come by TLS. Default false. */
  readonly secure?: boolean
}

/** Which requests belong together. `header` and `address` give the balancer a key, so it has to be one that goes by keys. */
export type Sticky =
  | StickyCookieInit
  | { readonly by: 'header' /** Of the field whose value is the key. */; readonly name: string }
  | { readonly by: 'address' }

/**
 * What instances are told of the client in `X-Forwarded-For`, `-Proto`, `-Host` and `Forwarded` (RFC 7239). `replace`: what the client says there is dropped. `append`:
 * it is kept, and added to; for a proxy behind one that is trusted. `off`: these fields are passed on as they are.
 */
export type Forwarding = 'replace' | 'append' | 'off'

export interface CommonProxyOptions {
  readonly listen: Listen
  readonly source: InstanceSource
  readonly balancer: ProxyBalancer
  readonly health?: HealthCheck
  readonly timeouts?: Partial<Timeouts>
  readonly limits?: Partial<Limits>
  readonly retries?: Partial<Retries>
  /** `/metrics`, `/healthz` and `/instances`, at an address of their own. */
  readonly admin?: Listen
  /** Called when a request, or a connection through a TCP proxy, has ended. Must not throw. */
  readonly accessLog?: (entry: AccessEntry) => void
}

export interface HttpProxyOptions extends CommonProxyOptions {
  readonly mode: 'http'
  readonly sticky?: Sticky
  /** Default `replace`. */
  readonly forwarded?: Forwarding
  /** The proxy's name in `Via`. Default `conclave`. */
  readonly via?: string
}

export interface TcpProxyOptions extends CommonProxyOptions {
  readonly mode: 'tcp'
  readonly sticky?: { readonly by: 'address' }
}

export type ProxyOptions = HttpProxyOptions | TcpProxyOptions

/** Options with defaults in the place of what was left out. */
export type Resolved<Options extends ProxyOptions> = Options & {
  readonly timeouts: Timeouts
  readonly limits: Limits
  readonly retries: Retries
}

export const defaultTimeouts: Timeouts = {
  connect: 5_000,
  requestHeaders: 10_000,
  response: 60_000,
  idle: 60_000,
  keepAlive: 60_000,
  tunnel: 3_600_000,
  waiting: 5_000,
  leave: 30_000,
}

export const defaultLimits: Limits = {
  connections: 10_000,
  headerBytes: 16_384,
  headers: 100,
  waiting: 1_024,
  perInstance: 1_024,
}

export const defaultRetries: Retries = { tries: 3, ratio: 0.2, minimum: 10 }

/** The longest that timers count. */
const longest = 2_147_483_647

const common = 'mode listen source balancer health timeouts limits retries admin accessLog sticky'
const known = { http: new Set(`${common} forwarded via`.split(' ')), tcp: new Set(common.split(' ')) }

/** @throws TypeError, RangeError: which option, and what it takes. */
export const resolveOptions = <Options extends ProxyOptions>(options: Options): Resolved<Options> => {
  const { mode, listen, source, balancer, timeouts, limits, retries, health, admin, accessLog } = options
  if (mode !== 'http' && mode !== 'tcp') throw new TypeError(`mode is "http" or "tcp", got ${JSON.stringify(mode)}`)
  for (const name of Object.keys(options))
    if (!known[mode].has(name)) throw new TypeError(`a proxy of mode ${mode} has no option ${JSON.stringify(name)}`)
  checkListen('listen', listen)
  if (admin !== undefined) checkListen('admin', admin)
  if (typeof source?.[Symbol.asyncIterator] !== 'function')
    throw new TypeError('source is an async iterable of lists of instances, such as fixedInstances([...])')
  if (typeof balancer?.pick !== 'function') throw new TypeError('balancer is a Balancer, with a method pick')
  if (accessLog !== undefined && typeof accessLog !== 'function') throw new TypeError('accessLog is a function')
  if (health !== undefined) checkHealth(health)
  if (options.mode === 'http') checkHttp(options)
  else if (options.sticky !== undefined && options.sticky.by !== 'address')
    throw new TypeError('sticky of a proxy of mode tcp is by "address"')
  return {
    ...options,
    timeouts: numbers('timeouts', timeouts, defaultTimeouts, () => [1, longest]),
    limits: numbers('limits', limits, defaultLimits, (name) => [name === 'waiting' ? 0 : 1, longest]),
    retries: numbers('retries', retries, defaultRetries, (name) =>
      name === 'tries' ? [1, 100] : name === 'ratio' ? [0, 1, false] : [0, 1_000_000, false],
    ),
  }
}

const checkListen = (name: string, listen: Listen): void => {
  if (typeof listen !== 'object' || listen === null) throw new TypeError(`${name} is { host, port }`)
  const { host, port } = listen
  if (host !== undefined && (typeof host !== 'string' || host === ''))
    throw new TypeError(`${name}.host is the address of an interface, got ${JSON.stringify(host)}`)
  within(`${name}.port`, port, 0, 65_535)
}

const checkHealth = (health: HealthCheck): void => {
  if (health.check !== 'tcp' && health.check !== 'http') throw new TypeError('health.check is "tcp" or "http"')
  if (health.check === 'http' && !/^\/[\x21-\x7e]*$/.test(health.path))
    throw new RangeError(`health.path begins with / and has no spaces, got ${JSON.stringify(health.path)}`)
  const { interval = 1, timeout = 1, rise = 1, fall = 1 } = health
  for (const [name, value] of Object.entries({ interval, timeout })) within(`health.${name}`, value, 1, longest)
  for (const [name, value] of Object.entries({ rise, fall })) within(`health.${name}`, value, 1, 1000)
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

const checkHttp = ({ sticky, forwarded = 'replace', via = 'conclave' }: HttpProxyOptions): void => {
  if (!['replace', 'append', 'off'].includes(forwarded))
    throw new TypeError(`forwarded is "replace", "append" or "off", got ${JSON.stringify(forwarded)}`)
  if (!token.test(via)) throw new RangeError(`via is a name without spaces, got ${JSON.stringify(via)}`)
  switch (sticky?.by) {
    case undefined:
    case 'address':
      return
    case 'header':
      return validateHeaderName(sticky.name)
    case 'cookie':
      if (sticky.name !== undefined && !token.test(sticky.name))
        throw new RangeError(`sticky.name is the name of a cookie, got ${JSON.stringify(sticky.name)}`)
      if (sticky.secret !== undefined && sticky.secret.length < 16)
        throw new RangeError('sticky.secret has at least 16 characters or bytes')
      return
    default:
      throw new TypeError('sticky.by is "cookie", "header" or "address"')
  }
}

const within = (name: string, value: number, least: number, most: number, whole = true): void => {
  if (typeof value === 'number' && value >= least && value <= most && (!whole || Number.isInteger(value))) return
  throw new RangeError(`${name} is a ${whole ? 'whole ' : ''}number from ${least} to ${most}, got ${value}`)
}

const numbers = <Group extends { readonly [Key in keyof Group]: number }>(
  group: string,
  given: Partial<Group> | undefined,
  defaults: Group,
  range: (name: string) => readonly [least: number, most: number, whole?: boolean],
): Group => {
  for (const [name, value] of Object.entries<number | undefined>(given ?? {})) {
    if (!Object.hasOwn(defaults, name)) throw new TypeError(`${group} has no ${JSON.stringify(name)}`)
    if (value !== undefined) within(`${group}.${name}`, value, ...range(name))
  }
  return { ...defaults, ...given }
}
