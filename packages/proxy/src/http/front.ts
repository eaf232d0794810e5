import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { clientAddress } from '../client-address.ts'
import { AttemptEnded } from '../errors.ts'
import type { Front } from '../front.ts'
import { closed, listenOn } from '../listening.ts'
import type { Refusal } from '../metrics.ts'
import type { HttpProxyOptions, Resolved } from '../options.ts'
import { type Comings, createParts, Links, type Parts } from '../parts.ts'
import { StickyCookie } from '../sticky.ts'
import { Underway } from '../underway.ts'
import { Exchange, type Surroundings } from './exchange.ts'
import { type BadRequest, type HeadRules, type RequestHead, requestHead } from './fields.ts'
import { HttpLink } from './link.ts'
import { reply, replyRaw } from './reply.ts'

/** So many connections beyond the limit are answered with 503; those beyond these are closed without a word. */
const refusedPolitely = 128

const onConnection = Symbol('what the proxy knows of a connection')

/** What is known of a client's connection. */
interface Known {
  readonly address: string
  /** Beyond the limit. */
  readonly refused: boolean
  /** Responses that are under way: nothing else may be written. */
  responding: number
  /** A request was refused: what follows on this connection is not looked at. */
  over: boolean
}

type KnownSocket = Duplex & { [onConnection]?: Known }

/** Receives requests, by Node's own server and parser, and passes them on. */
export class HttpFront implements Front {
  readonly parts: Parts
  readonly #options: Resolved<HttpProxyOptions>
  readonly #server: Server
  readonly #around: Surroundings
  readonly #rules: HeadRules
  readonly #exchanges = new Underway<Exchange>()
  #draining = false

  /** @param comings who else is told of instances. */
  constructor(options: Resolved<HttpProxyOptions>, comings: readonly Comings[]) {
    this.#options = options
    const { limits, timeouts, sticky, forwarded = 'replace', via = 'conclave' } = options
    const links = new Links(
      (instance) => new HttpLink(instance, timeouts, limits),
      timeouts.leave,
      () => new AttemptEnded('left'),
    )
    const cookie = sticky?.by === 'cookie' ? new StickyCookie(sticky) : undefined
    this.parts = createParts(options, [links, ...(cookie === undefined ? [] : [cookie]), ...comings])
    this.#rules = { forwarded, via, most: limits.headers }
    this.#around = {
      ...this.parts,
      options,
      via,
      links,
      cookie,
      draining: () => this.#draining,
      ended: (exchange) => this.#ended(exchange),
    }
    this.#server = this.#createServer()
  }

  listen(): Promise<AddressInfo> {
    return listenOn(this.#server, this.#options.listen)
  }

  async drain(): Promise<void> {
    this.#draining = true
    // Closes what is idle as well; what is not gets `Connection: close`.
    this.#server.close()
    await this.#exchanges.empty()
  }

  async cut(): Promise<void> {
    for (const exchange of this.#exchanges) exchange.cut('drained')
    this.#around.links.destroy(new AttemptEnded('drained'))
    const over = closed(this.#server)
    this.#server.closeAllConnections()
    await Promise.all([over, this.#exchanges.empty()])
  }

  #createServer(): Server {
    const { limits, timeouts } = this.#options
    const server = createServer({
      insecureHTTPParser: false,
      // That is seen to with the other fields, and counted.
      requireHostHeader: false,
      maxHeaderSize: limits.headerBytes,
      headersTimeout: timeouts.requestHeaders,
      // Of a body, the exchange keeps the time.
      requestTimeout: 0,
      keepAliveTimeout: timeouts.keepAlive,
      connectionsCheckingInterval: Math.min(Math.max(Math.ceil(timeouts.requestHeaders / 4), 10), 1_000),
      noDelay: true,
      optimizeEmptyRequests: true,
      shouldUpgradeCallback: ({ headers }) => mayUpgradeTo(headers.upgrade ?? ''),
    })
    // Fields beyond a count of Node's own would be dropped without a word; they are counted here.
    server.maxHeadersCount = 0
    server.maxConnections = Math.min(limits.connections + refusedPolitely, 2 ** 31 - 1)
    return server
      .on('connection', (socket: Socket) => this.#connected(socket))
      .on('drop', () => this.#refused('connections'))
      .on('request', (req, res) => this.#requested(req, res))
      .on('checkContinue', (req, res) => this.#requested(req, res))
      .on('upgrade', (req, socket, first) => this.#upgrade(req, socket as Socket, first))
      .on('connect', (req, socket) => this.#refuseConnect(req, socket))
      .on('clientError', (error, socket) => this.#clientError(error, socket))
  }

  #connected(socket: Socket): void {
    const { connections } = this.parts.metrics
    connections.total++
    connections.active++
    socket.on('close', () => connections.active--)
    const refused = connections.active > this.#options.limits.connections
    Object.assign(socket, {
      [onConnection]: { address: clientAddress(socket), refused, responding: 0, over: false } satisfies Known,
    })
  }

  #requested(req: IncomingMessage, res: ServerResponse): void {
    const known = (req.socket as KnownSocket)[onConnection]
    if (known === undefined) return void req.destroy()
    if (known.over) return
    known.responding++
    res.on('close', () => known.responding--)
    if (known.refused) return this.#refuse(res, 503, 'connections', 'too many connections')
    const head = this.#headOf(req, known.address)
    if ('why' in head) return this.#refuse(res, head.status, refusalOf(head), head.why)
    const path = pathOf(req.url ?? '')
    if (path === undefined)
      return this.#refuse(res, 400, 'bad-request', 'the request target is neither a path nor a URL of http')
    this.#begin(req, res, head, path, known.address)
  }

  #begin(
    req: IncomingMessage,
    res: ServerResponse,
    head: RequestHead,
    path: string,
    client: string,
    upgrade?: { readonly socket: Socket; readonly first: Buffer },
  ): void {
    const { sticky } = this.#options
    const exchange = new Exchange(this.#around, {
      req,
      res,
      head,
      path,
      client,
      key: sticky?.by === 'address' ? client : sticky?.by === 'header' ? headerOf(req, sticky.name) : undefined,
      pinned: this.#around.cookie?.find(req.headers.cookie, this.parts.roster),
      ...(upgrade === undefined ? {} : { upgrade }),
    })
    this.#exchanges.add(exchange)
    exchange.begin()
  }

  /** The target's authority stands in for Host where a client sends a whole URL (RFC 9112, section 3.2.2). */
  #headOf(req: IncomingMessage, client: string): RequestHead | BadRequest {
    const { url = '' } = req
    const authority = url.startsWith('/') ? undefined : URL.parse(url)?.host
    return requestHead(req, client, this.#rules, authority)
  }

  #ended(exchange: Exchange): void {
    this.#exchanges.delete(exchange)
    // A connection whose response had begun before the end was kept alive, and is idle now.
    if (this.#draining) setImmediate(() => this.#server.closeIdleConnections())
  }

  #upgrade(req: IncomingMessage, socket: Socket, first: Buffer): void {
    socket.on('error', () => socket.destroy())
    const known = (socket as KnownSocket)[onConnection]
    // Behind a response that is under way Node would not let another one have the connection.
    if (known === undefined || known.over || known.responding > 0) return void socket.destroy()
    const res = new ServerResponse(req)
    res.shouldKeepAlive = false
    res.assignSocket(socket)
    // Node has let go of this connection: a response that is no upgrade is its last.
    res.on('finish', () => socket.destroySoon())
    if (known.refused) return this.#refuse(res, 503, 'connections', 'too many connections')
    const head = this.#headOf(req, known.address)
    if ('why' in head) return this.#refuse(res, head.status, refusalOf(head), head.why)
    const path = pathOf(req.url ?? '')
    // Node before 24.9 and 22.21 does not ask beforehand.
    if (path === undefined || head.body !== 'none' || !mayUpgradeTo(head.upgrade ?? ''))
      return this.#refuse(
        res,
        400,
        'bad-request',
        'a request for an upgrade has a path and no body, and is not for HTTP/2',
      )
    this.#begin(req, res, head, path, known.address, { socket, first })
  }

  #refuseConnect(_: IncomingMessage, socket: Duplex): void {
    this.#refused('bad-request')
    socket.on('error', () => socket.destroy())
    // It would be taken for the response to the request before.
    if (((socket as KnownSocket)[onConnection]?.responding ?? 0) > 0) return void socket.destroy()
    replyRaw(socket, 405, 'this proxy opens no tunnels to elsewhere')
  }

  #refuse(res: ServerResponse, status: number, reason: Refusal, why: string): void {
    this.#refused(reason)
    const known = (res.req.socket as KnownSocket)[onConnection]
    if (known !== undefined) known.over = true
    res.shouldKeepAlive = false
    reply(res, status, why)
  }

  #refused(reason: Refusal): void {
    this.parts.metrics.refused[reason]++
  }

  #clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const known = (socket as KnownSocket)[onConnection]
    const [status, reason, why] = clientErrors.get(error.code) ?? badRequest
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
    this.#refused(reason)
    if (known !== undefined && known.responding > 0) return void socket.destroy()
    replyRaw(socket, status, why)
  }
}

/** HTTP/2 without TLS is not spoken here, and an instance that did would be talked to past this proxy. */
const mayUpgradeTo = (protocols: string): boolean =>
  protocols !== '' && !protocols.split(',').some((protocol) => protocol.trim().toLowerCase() === 'h2c')

const badRequest: readonly [status: number, reason: Refusal, why: string] = [
  400,
  'bad-request',
  'this is no request of HTTP/1.1',
]
const clientErrors = new Map<string | undefined, typeof badRequest>([
  ['HPE_HEADER_OVERFLOW', [431, 'header-size', 'the header section is too large']],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', [413, 'bad-request', 'the extensions of a chunk are too large']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'header-timeout', 'the header section did not come in time']],
])

const refusalOf = ({ status }: BadRequest): Refusal => (status === 431 ? 'header-count' : 'bad-request')

const headerOf = (req: IncomingMessage, name: string): string | undefined => {
  const value = req.headers[name.toLowerCase()]
  return Array.isArray(value) ? value.join(', ') : value
}

/** Of origin-form, absolute-form or asterisk-form (RFC 9112, section 3.2). */
const pathOf = (target: string): string | undefined => {
  if (target.startsWith('/') || target === '*') return target
  const url = /^http:\/\//i.test(target) ? URL.parse(target) : null
  return url === null ? undefined : url.pathname + url.search
}
