import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import type { Socket } from 'node:net'
import { Underway } from '../underway.ts'
import { mayTrail } from './fields.ts'
import type { RequestBody } from './request-body.ts'

/** A request to an instance. */
export interface Call {
  readonly method: string
  /** A path with its query, or `*`. */
  readonly path: string
  /** Name and value in turn. */
  readonly headers: string[]
  readonly body: RequestBody | null
  /** Needs what undici does not do: an upgrade, 100-continue, trailers, `OPTIONS *`. */
  readonly special: boolean
  /** Waits for 100 before the body. */
  readonly expects: boolean
  /** Name and value in turn, once the body has ended. */
  readonly trailers: () => string[]
}

/** What an attempt can be stopped and slowed by. */
export interface CallController {
  abort(reason: Error): void
  pause(): void
  resume(): void
}

/** Told of an attempt, in the manner of undici's handlers. After `onResponseEnd`, `onRequestUpgrade` or `onResponseError` nothing follows. */
export interface CallHandler {
  /** A connection stands, and the request is about to be written. */
  onRequestStart(controller: CallController): void
  /** The first byte of a response came. */
  onResponseStarted(): void
  /** Again for every 1xx. */
  onResponseStart(controller: CallController, status: number, headers: IncomingHttpHeaders, text?: string): void
  onResponseData(controller: CallController, chunk: Buffer): void
  onResponseEnd(controller: CallController, trailers: IncomingHttpHeaders): void
  onResponseError(controller: CallController | null, error: Error): void
  /** The instance wants the body: undici never asks. */
  onContinue(): void
  /** 101: from here on the connection is the caller's. */
  onUpgraded(headers: IncomingHttpHeaders, text: string, socket: Socket, head: Buffer): void
}

export interface NodeDispatchInit {
  readonly host: string
  readonly port: number
  readonly connectTimeout: number
  readonly headerBytes: number
}

/** How long an instance that was asked for 100 has to answer before it gets the body all the same (RFC 9110, section 10.1.1: nobody waits indefinitely). */
const continueMillis = 1_000

/** Requests on a connection of their own, by Node's client. */
export class NodeDispatch {
  readonly #init: NodeDispatchInit
  readonly #attempts = new Underway<Attempt>()

  constructor(init: NodeDispatchInit) {
    this.#init = init
  }

  dispatch(call: Call, handler: CallHandler): void {
    const attempt = new Attempt(this.#init, call, handler, () => this.#attempts.delete(attempt))
    this.#attempts.add(attempt)
  }

  /** Resolves when nothing is under way. Connections that were upgraded are not counted. */
  close(): Promise<void> {
    return this.#attempts.empty()
  }

  destroy(error: Error): void {
    for (const attempt of this.#attempts) attempt.abort(error)
  }
}

class Attempt implements CallController {
  readonly #call: Call
  readonly #handler: CallHandler
  readonly #over: () => void
  readonly #request: ClientRequest
  #response: IncomingMessage | undefined
  #ended = false
  #timer: NodeJS.Timeout | undefined

  constructor(init: NodeDispatchInit, call: Call, handler: CallHandler, over: () => void) {
    this.#call = call
    this.#handler = handler
    this.#over = over
    const { host, port, connectTimeout } = init
    this.#request = request({
      host,
      port,
      agent: false,
      method: call.method,
      path: call.path,
      headers: call.headers,
      maxHeaderSize: init.headerBytes,
      setDefaultHeaders: false,
    })
    this.#timer = setTimeout(() => this.abort(new Error(`no connection within ${connectTimeout} ms`)), connectTimeout)
    this.#request
      .on('socket', (socket) => socket.setNoDelay(true).once('connect', () => this.#connected()))
      .on('information', ({ statusCode, headers, statusMessage }) => this.#informed(statusCode, headers, statusMessage))
      .on('continue', () => this.#continue())
      .on('response', (response) => this.#responded(response))
      .on('upgrade', (response, socket, head) => this.#upgraded(response, socket as Socket, head))
      .on('error', (error) => this.#end(() => handler.onResponseError(this, error)))
    this.#request.flushHeaders()
  }

  abort(reason: Error): void {
    this.#end(() => this.#handler.onResponseError(this, reason))
    this.#request.destroy()
  }

  pause(): void {
    this.#response?.pause()
  }

  resume(): void {
    this.#response?.resume()
  }

  #connected(): void {
    clearTimeout(this.#timer)
    if (this.#ended) return
    this.#handler.onRequestStart(this)
    if (this.#call.expects) this.#timer = setTimeout(() => this.#continue(), continueMillis)
    else this.#send()
  }

  #informed(status: number, headers: IncomingHttpHeaders, text: string): void {
    if (this.#ended) return
    this.#handler.onResponseStarted()
    // `continue` and `upgrade` tell of these.
    if (status !== 100 && status !== 101) this.#handler.onResponseStart(this, status, headers, text)
  }

  #continue(): void {
    if (this.#ended || !this.#call.expects || this.#call.body?.consumed === true) return
    clearTimeout(this.#timer)
    this.#handler.onContinue()
    this.#send()
  }

  #send(): void {
    const { body, trailers } = this.#call
    if (body === null) {
      this.#request.end()
      return
    }
    body.on('end', () => {
      const raw = trailers()
      const pairs = raw.flatMap((name, at): [string, string][] =>
        at % 2 === 0 && mayTrail(name) ? [[name, raw[at + 1] ?? '']] : [],
      )
      if (pairs.length > 0) this.#request.addTrailers(pairs)
      this.#request.end()
    })
    body.pipe(this.#request, { end: false })
  }

  #responded(response: IncomingMessage): void {
    if (this.#ended) return
    this.#response = response
    const handler = this.#handler
    handler.onResponseStarted()
    response
      .on('data', (chunk) => handler.onResponseData(this, chunk))
      .on('end', () => {
        this.#end(() => handler.onResponseEnd(this, response.trailers))
        // A response may come before its request has ended: nobody reads the rest.
        if (!this.#request.writableFinished) this.#request.destroy()
      })
      .on('error', (error) => this.#end(() => handler.onResponseError(this, error)))
    handler.onResponseStart(this, response.statusCode ?? 0, response.headers, response.statusMessage)
  }

  #upgraded(response: IncomingMessage, socket: Socket, head: Buffer): void {
    if (this.#ended) socket.destroy()
    this.#end(() => this.#handler.onUpgraded(response.headers, response.statusMessage ?? '', socket, head))
  }

  #end(tell: () => void): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    this.#over()
    this.#call.body?.destroy()
    tell()
  }
}
