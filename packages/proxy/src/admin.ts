import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { InstanceView } from './events.ts'
import { closed, listenOn } from './listening.ts'
import type { ProxyMetrics } from './metrics.ts'
import type { Listen } from './options.ts'
import { prometheusText } from './prometheus.ts'

/** What there is to tell. */
export interface AdminView {
  readonly metrics: ProxyMetrics
  readonly instances: readonly InstanceView[]
  /** Why nothing should be sent here now; undefined if all is well. */
  readonly trouble: string | undefined
}

/** `/metrics`, `/healthz` and `/instances`, for whoever watches. */
export class Admin {
  readonly #server: Server
  readonly #view: () => AdminView

  constructor(view: () => AdminView) {
    this.#view = view
    this.#server = createServer(
      { headersTimeout: 5_000, requestTimeout: 5_000, keepAliveTimeout: 5_000 },
      (req, res) => {
        const { status, type, text } = req.method === 'GET' ? this.#page(req.url ?? '') : refused
        res.writeHead(status, { 'content-type': `${type}; charset=utf-8` }).end(text)
      },
    )
    this.#server.maxConnections = 64
  }

  listen(listen: Listen): Promise<AddressInfo> {
    return listenOn(this.#server, listen)
  }

  async close(): Promise<void> {
    const over = closed(this.#server)
    this.#server.closeAllConnections()
    await over
  }

  #page(target: string): Page {
    const { trouble, metrics, instances } = this.#view()
    switch (target.split('?', 1)[0]) {
      case '/metrics':
        return { status: 200, type: 'text/plain; version=0.0.4', text: prometheusText(metrics) }
      case '/healthz':
        return { status: trouble === undefined ? 200 : 503, type: 'text/plain', text: `${trouble ?? 'ok'}\n` }
      case '/instances':
        return { status: 200, type: 'application/json', text: `${JSON.stringify(instances)}\n` }
      default:
        return { status: 404, type: 'text/plain', text: 'there are /metrics, /healthz and /instances\n' }
    }
  }
}

interface Page {
  readonly status: number
  readonly type: string
  readonly text: string
}

const refused: Page = { status: 405, type: 'text/plain', text: 'only GET\n' }
