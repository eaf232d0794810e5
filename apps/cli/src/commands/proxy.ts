import { type ConclaveProxy, createProxy, type HttpProxyOptions, type ProxyOptions } from '@conclave/proxy'
import { ConclaveCommand } from '../base-command.ts'
import { parseDuration } from '../duration.ts'
import { CommandFailed, exitCodes } from '../exit.ts'
import { proxyFlags } from '../proxy/flags.ts'
import { ProxyNews } from '../proxy/news.ts'
import { balancerOf, boundsOf, healthOf, parseListen, parseSticky } from '../proxy/settings.ts'
import { openSource } from '../proxy/source.ts'
import { onEndSignals } from '../signals.ts'

export class ProxyCommand extends ConclaveCommand {
  static override summary = 'Forward HTTP or TCP to the instances of a service.'
  static override description =
    `Each request, or each connection with --mode tcp, goes to the instance that --strategy chooses. Instances come and go with the registry (conclave service register); while the cluster is away the last list stands. What was not sent to an instance that failed is sent to another, and so are idempotent requests without a response.

SIGINT, SIGTERM and SIGHUP end it: nothing new is taken, and what is under way has --drain. A second one cuts it off.

On a terminal it prints lines for people; elsewhere, and with --json, a JSON object a line: listening, joined, left, down, up, trouble, stale, current, access, draining, closed.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --service web --listen :8080',
    '<%= config.bin %> <%= command.id %> --service web --listen :8080 --sticky cookie --health /health --metrics 127.0.0.1:9100',
    '<%= config.bin %> <%= command.id %> --service web --listen :8080 --sticky header:X-User --strategy maglev',
    '<%= config.bin %> <%= command.id %> --service db --listen 127.0.0.1:5432 --mode tcp --health tcp',
    '<%= config.bin %> <%= command.id %> --instances 10.0.0.7:8080,10.0.0.8:8080 --listen :8080',
  ]
  static override flags = proxyFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(ProxyCommand)
    const news = new ProxyNews(this.jsonEnabled() || !process.stdout.isTTY, process.stdout)
    const drain = parseDuration(flags.drain, 'drain', 0)
    const health = healthOf(flags)
    const sticky = await parseSticky(flags.sticky, flags['sticky-secret'])
    const common = {
      listen: parseListen(flags.listen, 'listen'),
      balancer: balancerOf(flags.strategy, flags.eject, sticky),
      ...boundsOf(flags),
      ...(health === undefined ? {} : { health }),
      ...(flags.metrics === undefined ? {} : { admin: parseListen(flags.metrics, 'metrics') }),
      ...(flags['access-log'] ? { accessLog: (entry) => news.access(entry) } : {}),
    } satisfies Partial<ProxyOptions>
    await using open = await openSource(flags, news)
    const proxy = await this.#start(
      flags.mode === 'tcp'
        ? { mode: 'tcp', ...common, source: open.source, ...tcpSticky(sticky) }
        : {
            mode: 'http',
            ...common,
            source: open.source,
            forwarded: flags.forwarded as NonNullable<HttpProxyOptions['forwarded']>,
            ...(sticky === undefined ? {} : { sticky }),
          },
    )
    news.watch(proxy, flags.mode)
    await untilClosed(proxy, drain, () => news.draining(proxy.metrics.requests.active, flags.drain))
    news.closed()
  }

  async #start(options: ProxyOptions): Promise<ConclaveProxy> {
    try {
      return await createProxy(options)
    } catch (error) {
      if (!(error instanceof Error && 'syscall' in error && error.syscall === 'listen')) throw error
      throw new CommandFailed(
        exitCodes.error,
        'cannot-listen',
        error.message,
        'Choose another address with --listen, or --metrics.',
      )
    }
  }
}

const tcpSticky = (sticky: HttpProxyOptions['sticky']): { readonly sticky?: { readonly by: 'address' } } => {
  if (sticky === undefined) return {}
  if (sticky.by === 'address') return { sticky }
  throw new CommandFailed(
    exitCodes.usage,
    'invalid-sticky',
    `--sticky by ${sticky.by} needs --mode http`,
    'With --mode tcp, write --sticky address.',
  )
}

/** The first signal begins the end, the second one cuts what takes long. */
const untilClosed = (proxy: ConclaveProxy, drain: number, draining: () => void): Promise<void> =>
  new Promise((resolve, reject) => {
    const off = onEndSignals((_, before) => {
      if (before === 0) draining()
      proxy
        .close({ drain: before === 0 ? drain : 0 })
        .then(resolve, reject)
        .finally(off)
    })
  })
