import { type ConclaveProxy, createProxy, type HttpProxyOptions, type ProxyOptions } from '@conclave/proxy'
import type { Interfaces } from '@oclif/core'
import { parseDuration } from '../duration.ts'
import { CommandFailed, exitCodes } from '../exit.ts'
import { onEndSignals } from '../signals.ts'
import type { proxyFlags } from './flags.ts'
import { ProxyNews } from './news.ts'
import { balancerOf, boundsOf, healthOf, parseListen, parseSticky } from './settings.ts'
import { openSource } from './source.ts'

export type ProxyFlags = Interfaces.InferredFlags<typeof proxyFlags>

/** What `conclave proxy` does, until it has drained. @throws CommandFailed, RangeError */
export const runProxy = async (flags: ProxyFlags, json: boolean): Promise<void> => {
  const news = new ProxyNews(json || !process.stdout.isTTY, process.stdout)
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
  const proxy = await start(
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

const start = async (options: ProxyOptions): Promise<ConclaveProxy> => {
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
