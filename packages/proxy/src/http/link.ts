import { Pool } from 'undici'
import type { Instance, Link } from '../instance.ts'
import type { Limits, Timeouts } from '../options.ts'
import type { Tunnel } from '../tunnel.ts'
import { Underway } from '../underway.ts'
import { type Call, type CallHandler, NodeDispatch } from './node-dispatch.ts'

/** Milliseconds that an idle connection to an instance is kept, unless the instance says less: shorter than any usual server does, so that it is not used as that closes. */
const keepAliveMillis = 4_000

/** What carries HTTP requests to one instance: undici, and Node's own client for what undici does not do in HTTP/1.1. */
export class HttpLink implements Link {
  readonly #pool: Pool
  readonly #node: NodeDispatch
  /** Connections to the instance that were upgraded. */
  readonly tunnels = new Underway<Tunnel>()

  constructor({ host, port }: Instance, timeouts: Timeouts, limits: Limits) {
    const name = host.includes(':') ? `[${host}]` : host
    this.#pool = new Pool(`http://${name}:${port}`, {
      connections: limits.perInstance,
      pipelining: 1,
      allowH2: false,
      connect: { timeout: timeouts.connect },
      keepAliveTimeout: keepAliveMillis,
      maxHeaderSize: limits.headerBytes,
      // The exchange keeps its own time.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    this.#node = new NodeDispatch({ host, port, connectTimeout: timeouts.connect, headerBytes: limits.headerBytes })
  }

  /** Calls come to an end with `onResponseEnd`, `onRequestUpgrade` or `onResponseError`. */
  dispatch(call: Call, handler: CallHandler): void {
    if (call.special) this.#node.dispatch(call, handler)
    else this.#pool.dispatch(call, handler)
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.close(), this.#node.close()])
    await this.tunnels.empty()
  }

  destroy(error: Error): void {
    for (const tunnel of this.tunnels) tunnel.cut(error)
    this.#node.destroy(error)
    this.#pool.destroy(error).catch(() => {})
  }
}
