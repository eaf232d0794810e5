import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { AttemptEnded, type EndReason, ServerFailure } from '../errors.ts'
import type { Instance } from '../instance.ts'
import { classOf, type Refusal, type RetryReason } from '../metrics.ts'
import type { HttpProxyOptions, Resolved } from '../options.ts'
import type { Links, Parts } from '../parts.ts'
import { Placement } from '../placement.ts'
import type { StickyCookie } from '../sticky.ts'
import type { Timed } from '../ticker.ts'
import { Tunnel } from '../tunnel.ts'
import { mayTrail, type RequestHead, responseHead } from './fields.ts'
import type { HttpLink } from './link.ts'
import { isIdempotent } from './methods.ts'
import type { Call, CallController, CallHandler } from './node-dispatch.ts'
import { reply } from './reply.ts'
import { RequestBody } from './request-body.ts'

/** What all exchanges of a proxy share. */
export interface Surroundings extends Parts {
  readonly options: Resolved<HttpProxyOptions>
  readonly via: string
  readonly links: Links<HttpLink>
  readonly cookie: StickyCookie | undefined
  /** Whether the proxy is being closed: connections are not kept alive. */
  readonly draining: () => boolean
  /** Called once for each exchange, when nothing of it is under way any more. */
  readonly ended: (exchange: Exchange) => void
}

export interface Incoming {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly head: RequestHead
  /** The path with its query, or `*`. */
  readonly path: string
  /** The client's address. */
  readonly client: string
  readonly key: string | undefined
  readonly pinned: Instance | undefined
  /** The connection is to be upgraded: what came after the header section. */
  readonly upgrade?: { readonly socket: Socket; readonly first: Buffer }
}

/**
 * `waiting` in line; `connecting` to an instance; `sending` a body; `awaiting` the response; `receiving` it; `lingering` for what a client still sends after it had its
 * response; `tunnel`; `over`.
 */
type Phase = 'waiting' | 'connecting' | 'sending' | 'awaiting' | 'receiving' | 'lingering' | 'tunnel' | 'over'

/** Milliseconds for which a client that had its response may go on to send: closed at once, its connection would be reset, and the response lost (RFC 9112, section 9.6). */
const lingerMillis = 2_000

/** Bytes of a body that are copied rather than written beside the header section. */
const shortBody = 8_192

const refusedByUndici = new Set<unknown>(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED'])

/** A reason phrase that Node would not write, or that would become something else on the way, is left out: it means nothing (RFC 9112, section 4). */
const reasonOf = (text: string): string => (/^[ -~]*$/.test(text) ? text : '')

/** What a client is told for whom there is no instance. */
const unplaced = {
  'no-instance': [503, 'no instance is there to serve this'],
  'instance-failed': [502, 'no instance is left that could be tried'],
  'waiting-full': [503, 'too many requests are waiting'],
} as const

const noTrailers = (): string[] => []

/** A request of a client, from its header section on, through all attempts, until its response has ended. */
export class Exchange implements CallHandler, Timed {
  deadline = Number.POSITIVE_INFINITY
  readonly #around: Surroundings
  readonly #in: Incoming
  readonly #time = Date.now()
  readonly #began = performance.now()
  #phase: Phase = 'waiting'
  readonly #placement: Placement
  #controller: CallController | null = null
  #body: RequestBody | null = null
  /** The request was about to be written to a connection that stood. */
  #reached = false
  /** A byte of a response came. */
  #answered = false
  #slowClient = false
  /** Bytes of the response that are still to come, if that is known. */
  #left: number | undefined
  #latency: number | undefined
  #status = 0
  #received = 0
  #sent = 0
  #error: Error | undefined
  #upgraded = false

  constructor(around: Surroundings, incoming: Incoming) {
    this.#around = around
    this.#in = incoming
    around.metrics.requests.active++
    around.ticker.add(this)
    incoming.res.on('close', () => this.#closed())
    const { key, pinned } = incoming
    this.#placement = new Placement({
      around,
      wish: key === undefined ? { pinned } : { key, pinned },
      chosen: (instance) => this.#dispatch(instance),
      waits: (until) => {
        this.#phase = 'waiting'
        this.deadline = until
      },
      refused: (reason) => {
        const [status, why] = unplaced[reason]
        this.#refuse(status, reason, why)
      },
    })
  }

  begin(): void {
    this.#placement.begin()
  }

  #dispatch(instance: Instance): void {
    const { head, req, path, upgrade } = this.#in
    this.#phase = 'connecting'
    this.deadline = Number.POSITIVE_INFINITY
    this.#controller = null
    this.#reached = this.#answered = false
    this.#body = head.body === 'none' ? null : new RequestBody(req, this.#moved)
    const special = upgrade !== undefined || head.trailers || path === '*' || (head.expects && this.#body !== null)
    const call: Call = {
      method: req.method ?? '',
      path,
      headers: special ? this.#specialFields() : this.#fields(),
      body: this.#body,
      special,
      expects: special && head.expects,
      trailers: special ? () => req.rawTrailers : noTrailers,
    }
    this.#around.links.of(instance).dispatch(call, this)
  }

  /** For undici, which takes care of framing by itself. */
  #fields(): string[] {
    const { fields, body, contentLength } = this.#in.head
    return body === 'length' && contentLength !== undefined ? [...fields, 'content-length', contentLength] : fields
  }

  #specialFields(): string[] {
    const { fields, body, contentLength, expects, upgrade } = this.#in.head
    const framed: Readonly<Record<RequestHead['body'], readonly string[]>> = {
      none: [],
      length: ['content-length', contentLength ?? '0'],
      chunked: ['transfer-encoding', 'chunked'],
    }
    return [
      ...fields,
      ...framed[body],
      ...(expects && body !== 'none' ? ['expect', '100-continue'] : []),
      ...(this.#in.upgrade === undefined
        ? ['connection', 'close']
        : ['connection', 'upgrade', 'upgrade', upgrade ?? '']),
    ]
  }

  /** Bytes of the request's body went on; 0: it has ended. */
  readonly #moved = (bytes: number): void => {
    const { ticker, options, metrics } = this.#around
    this.#received += bytes
    metrics.bytes.received += bytes
    const { instance } = this.#placement
    if (instance !== undefined) instance.metrics.bytesSent += bytes
    if (this.#phase === 'sending' && bytes === 0) this.#await()
    else this.deadline = ticker.now + options.timeouts.idle
  }

  #await(): void {
    this.#phase = 'awaiting'
    this.deadline = this.#around.ticker.now + this.#around.options.timeouts.response
  }

  // What undici and Node's client tell:

  onRequestStart(controller: CallController): void {
    if (this.#phase === 'over') return controller.abort(new AttemptEnded('client-gone'))
    this.#controller = controller
    this.#reached = true
    const { instance } = this.#placement
    if (instance !== undefined) this.#around.roster.reached(instance)
    if (this.#body === null) return this.#await()
    this.#phase = 'sending'
    this.deadline = this.#around.ticker.now + this.#around.options.timeouts.idle
  }

  onContinue(): void {
    if (this.#in.head.expects && !this.#in.res.headersSent) this.#in.res.writeContinue()
  }

  onResponseStarted(): void {
    this.#answered = true
  }

  onResponseStart(controller: CallController, status: number, headers: IncomingHttpHeaders, text = ''): void {
    const { res, req } = this.#in
    const { ticker, options, via, draining, metrics, cookie } = this.#around
    const head = responseHead(status, headers, via)
    if (head === undefined) return controller.abort(new AttemptEnded('bad-response'))
    const reason = reasonOf(text)
    if (status < 200) return this.#inform(status, reason, head.fields)
    this.#error = undefined
    this.#latency = this.#placement.elapsed
    metrics.observeLatency(this.#latency / 1000)
    this.#phase = 'receiving'
    this.deadline = ticker.now + options.timeouts.idle
    this.#left = head.length
    this.#status = status
    const { instance } = this.#placement
    if (cookie !== undefined && instance !== undefined && instance !== this.#in.pinned)
      head.fields.push('set-cookie', cookie.setCookie(instance))
    // A client that was to wait for 100 may send its body or not: what follows on its connection could be either.
    if (draining() || (this.#in.head.expects && !req.complete)) res.shouldKeepAlive = false
    res.writeHead(status, reason, head.fields)
    // Together with the body, if that came with it; but a body may be long in coming.
    if (head.length !== 0) queueMicrotask(this.#flush)
  }

  readonly #flush = (): void => {
    if (this.#sent === 0 && !this.#in.res.writableEnded) this.#in.res.flushHeaders()
  }

  onResponseData(controller: CallController, chunk: Buffer): void {
    const { res } = this.#in
    this.#count(chunk.length)
    if (this.#left !== undefined) this.#left -= chunk.length
    if (this.#left === 0) this.#finish(chunk)
    else if (!res.write(chunk)) this.#slowDown(controller)
  }

  onResponseEnd(_: CallController, trailers: IncomingHttpHeaders): void {
    const { res } = this.#in
    this.#settle(this.#status >= 500 ? new ServerFailure(this.#status) : undefined)
    if (res.writableEnded || this.#phase === 'lingering') return
    const names = Object.keys(trailers).filter(mayTrail)
    if (names.length > 0) res.addTrailers(names.map((name): [string, string] => [name, String(trailers[name])]))
    this.#finish()
  }

  onResponseError(_: CallController | null, error: Error): void {
    this.#settle(error)
    if (this.#phase === 'over') return
    this.#error = error
    const { res } = this.#in
    // The client can learn from nothing but the end of its connection that the rest is missing.
    if (res.headersSent) return void res.destroy()
    // What undici refuses before it does anything: nothing is wrong with the instance.
    if ('code' in error && refusedByUndici.has(error.code)) return this.#refuse(400, 'bad-request', error.message)
    const { instance } = this.#placement
    if (!this.#reached && instance !== undefined) this.#around.roster.unreachable(instance, error.message)
    const reason = this.#retryReason(error)
    if (reason === undefined || !this.#placement.retry(reason)) this.#fail(error)
  }

  onUpgraded(headers: IncomingHttpHeaders, text: string, socket: Socket, first: Buffer): void {
    const { upgrade, res } = this.#in
    const head = responseHead(101, headers, this.#around.via)
    const { instance } = this.#placement
    if (this.#phase === 'over' || upgrade === undefined || head === undefined || instance === undefined) {
      socket.destroy()
      return this.onResponseError(null, new AttemptEnded(this.#phase === 'over' ? 'client-gone' : 'bad-response'))
    }
    this.#latency = this.#placement.elapsed
    this.#phase = 'tunnel'
    this.#status = 101
    this.#upgraded = true
    this.deadline = Number.POSITIVE_INFINITY
    res.writeHead(101, reasonOf(text), [...head.fields, 'connection', 'upgrade', 'upgrade', headers.upgrade ?? ''])
    res.flushHeaders()
    res.detachSocket(upgrade.socket)
    this.#tunnel(upgrade, { socket, first }, instance)
  }

  // What becomes of it:

  #tunnel(
    client: { socket: Socket; first: Buffer },
    server: { socket: Socket; first: Buffer },
    instance: Instance,
  ): void {
    const { ticker, options, links } = this.#around
    const [before, after] = [client.socket.bytesRead, client.socket.bytesWritten]
    if (client.first.length > 0) server.socket.write(client.first)
    if (server.first.length > 0) client.socket.write(server.first)
    const { tunnels } = links.of(instance)
    const tunnel = new Tunnel({
      client: client.socket,
      instance: server.socket,
      ticker,
      idle: options.timeouts.tunnel,
      ended: (error) => {
        tunnels.delete(tunnel)
        this.#error = error
        this.#received = client.socket.bytesRead - before + client.first.length
        this.#sent = client.socket.bytesWritten - after
        this.#settle(undefined)
        this.#end()
      },
    })
    tunnels.add(tunnel)
  }

  #inform(status: number, text: string, fields: readonly string[]): void {
    const { req, res } = this.#in
    // Behind a response that is not finished there is no socket yet. HTTP/1.0 knows no 1xx. A client that reads too slowly can do without.
    if (res.headersSent || res.socket === null || req.httpVersionMinor === 0 || res.socket.writableNeedDrain) return
    const lines = fields.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${fields[at + 1]}\r\n`] : []))
    res.socket.write(`HTTP/1.1 ${status} ${text}\r\n${lines.join('')}\r\n`, 'latin1')
  }

  #count(bytes: number): void {
    const { ticker, options, metrics } = this.#around
    this.#sent += bytes
    metrics.bytes.sent += bytes
    const { instance } = this.#placement
    if (instance !== undefined) instance.metrics.bytesReceived += bytes
    this.deadline = ticker.now + options.timeouts.idle
  }

  #slowDown(controller: CallController): void {
    controller.pause()
    if (this.#slowClient) return
    this.#slowClient = true
    this.#in.res.on('drain', () => this.#controller?.resume())
  }

  #finish(last?: Buffer): void {
    const { req, res, head } = this.#in
    // A client that was refused before it was told to send its body does not send it.
    if (head.body === 'none' || req.complete || (head.expects && this.#body?.consumed !== true)) {
      this.deadline = this.#around.ticker.now + this.#around.options.timeouts.idle
      // As text, a short body goes out together with the header section, in one write instead of a gathering one.
      if (last !== undefined && last.length <= shortBody) res.end(last.toString('latin1'), 'latin1')
      else res.end(last)
      return
    }
    if (last !== undefined) res.write(last)
    this.#linger()
  }

  #linger(): void {
    const { req, res } = this.#in
    this.#phase = 'lingering'
    this.deadline = this.#around.ticker.now + lingerMillis
    this.#body?.letGo()
    req.on('end', () => res.end()).resume()
  }

  #stopLingering(): void {
    const { req, res } = this.#in
    this.#phase = 'receiving'
    this.deadline = this.#around.ticker.now + this.#around.options.timeouts.idle
    res.end(() => req.destroy())
  }

  /** Reason to try elsewhere: only what an instance cannot have acted upon, or may act upon twice. */
  #retryReason(error: Error): RetryReason | undefined {
    if (!this.#reached) return 'unreached'
    if (error instanceof AttemptEnded || this.#answered || this.#body?.consumed === true) return undefined
    return isIdempotent(this.#in.req.method ?? '') ? 'broken' : undefined
  }

  #fail(error: Error): void {
    const code = error instanceof AttemptEnded ? error.code : undefined
    if (code === 'response-timeout') this.#refuse(504, 'response-timeout', error.message)
    else if (code === 'body-timeout') this.#refuse(408, 'body-timeout', error.message)
    else this.#refuse(502, 'instance-failed', 'the instance failed before it responded')
  }

  #refuse(status: number, reason: Refusal, why: string): void {
    const { req, res, head } = this.#in
    this.#around.metrics.refused[reason]++
    this.#status = status
    this.#phase = 'receiving'
    this.deadline = this.#around.ticker.now + this.#around.options.timeouts.idle
    const complete = head.body === 'none' || req.complete
    if (!complete || this.#around.draining()) res.shouldKeepAlive = false
    reply(res, status, why, complete)
    if (!complete) this.#linger()
  }

  expired(): void {
    switch (this.#phase) {
      case 'waiting':
        this.#placement.leaveLine()
        return this.#refuse(503, 'waiting-timeout', 'no instance had room in time')
      case 'awaiting':
        return this.#abort('response-timeout')
      case 'sending':
        // A body that the instance does not take is not the client's fault.
        return this.#abort(this.#in.req.isPaused() ? 'response-timeout' : 'body-timeout')
      case 'receiving':
        this.#around.metrics.refused['body-timeout']++
        return this.cut('body-timeout')
      case 'lingering':
        return this.#stopLingering()
      case 'connecting':
      case 'tunnel':
      case 'over':
        return
      default:
        return this.#phase satisfies never
    }
  }

  /** Ends it at once, at both ends. */
  cut(reason: EndReason): void {
    this.#error ??= new AttemptEnded(reason)
    this.#placement.leaveLine()
    this.#in.res.destroy()
    this.#in.upgrade?.socket.destroy()
  }

  #abort(reason: EndReason): void {
    if (this.#placement.unsettled) this.#controller?.abort(new AttemptEnded(reason))
  }

  /** The response was sent to its end, or the client's connection is closed. */
  #closed(): void {
    if (this.#phase === 'tunnel' || this.#phase === 'over') return
    this.#placement.leaveLine()
    if (!this.#in.res.writableFinished) this.#error ??= new AttemptEnded('client-gone')
    this.#phase = 'over'
    this.#abort('client-gone')
    this.#end()
  }

  #end(): void {
    this.#phase = 'over'
    const { metrics, ticker, ended } = this.#around
    metrics.requests.active--
    metrics.requests.byClass[classOf(this.#status)]++
    ticker.delete(this)
    this.#log()
    ended(this)
  }

  /** What was under way at the instance has ended. */
  #settle(error: Error | undefined): void {
    const gone = error instanceof AttemptEnded && (error.code === 'client-gone' || error.code === 'drained')
    const outcome = error === undefined || error instanceof ServerFailure ? classOf(this.#status) : 'none'
    this.#placement.settle(outcome, this.#latency ?? this.#placement.elapsed, gone ? undefined : error)
  }

  #log(): void {
    const { accessLog } = this.#around.options
    if (accessLog === undefined) return
    const { req, client } = this.#in
    const { instance, tries, retried } = this.#placement
    const { 'user-agent': userAgent, host } = req.headers
    accessLog({
      mode: 'http',
      time: this.#time,
      client,
      method: req.method ?? '',
      target: req.url ?? '',
      ...(host === undefined ? {} : { host }),
      ...(userAgent === undefined ? {} : { userAgent }),
      status: this.#status,
      duration: performance.now() - this.#began,
      ...(this.#latency === undefined ? {} : { latency: this.#latency }),
      received: this.#received,
      sent: this.#sent,
      ...(instance === undefined ? {} : { instance: instance.id }),
      tries,
      ...(retried === undefined ? {} : { retried }),
      upgraded: this.#upgraded,
      ...(this.#error === undefined ? {} : { error: this.#error.message }),
    })
  }
}
