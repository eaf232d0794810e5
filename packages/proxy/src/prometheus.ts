import type { ProxyMetrics } from './metrics.ts'

type Labels = Readonly<Record<string, string>>
type Sample = readonly [labels: Labels, value: number, suffix?: string]

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

const labelled = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const family = (name: string, type: 'counter' | 'gauge' | 'histogram', help: string, samples: readonly Sample[]) => {
  const full = `conclave_proxy_${name}`
  const lines = samples.map(([labels, value, suffix = '']) => `${full}${suffix}${labelled(labels)} ${value}`)
  return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...lines].join('\n')
}

const by = (name: string, values: Readonly<Record<string, number>>, more: Labels = {}): Sample[] =>
  Object.entries(values).map(([key, value]) => [{ ...more, [name]: key }, value])

const histogram = ({ bounds, counts, sum, count }: ProxyMetrics['latency']): Sample[] => {
  let below = 0
  const buckets = bounds.map((bound, at): Sample => {
    below += counts[at] ?? 0
    return [{ le: String(bound) }, below, '_bucket']
  })
  return [...buckets, [{ le: '+Inf' }, count, '_bucket'], [{}, sum, '_sum'], [{}, count, '_count']]
}

/** The text format of Prometheus, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/ */
export const prometheusText = (metrics: ProxyMetrics): string => {
  const { connections, requests, retries, ejections, refused, bytes, latency } = metrics
  const instances = Object.entries(metrics.instances)
  const each = (value: (of: ProxyMetrics['instances'][string]) => number): Sample[] =>
    instances.map(([instance, of]) => [{ instance }, value(of)])
  const { refused: refusedRetries, ...made } = retries
  return `${[
    family('connections_active', 'gauge', 'Open connections from clients.', [[{}, connections.active]]),
    family('connections_total', 'counter', 'Connections that clients made.', [[{}, connections.total]]),
    family('requests_active', 'gauge', 'Requests under way.', [[{}, requests.active]]),
    family('requests_waiting', 'gauge', 'Requests that wait for an instance.', [[{}, requests.waiting]]),
    family('requests_total', 'counter', 'Requests that ended, by class of status.', by('class', requests.byClass)),
    family('retries_total', 'counter', 'Attempts after the first.', by('reason', made)),
    family('retries_refused_total', 'counter', 'Retries not made, as the budget was spent.', [[{}, refusedRetries]]),
    family('ejections_total', 'counter', 'Times that an instance was taken out.', [[{}, ejections]]),
    family('refused_total', 'counter', 'What the proxy itself refused or ended.', by('reason', refused)),
    family('bytes_total', 'counter', 'Bytes of bodies from and to clients.', by('direction', bytes)),
    family('response_seconds', 'histogram', 'From request to response header section.', histogram(latency)),
    family(
      'instance_requests_total',
      'counter',
      'Requests that ended at an instance.',
      instances.flatMap(([instance, of]) => by('class', of.requests, { instance })),
    ),
    family(
      'instance_active',
      'gauge',
      'Requests under way at an instance.',
      each(({ active }) => active),
    ),
    family(
      'instance_serving',
      'gauge',
      '1: it gets requests.',
      each(({ serving }) => (serving ? 1 : 0)),
    ),
    family(
      'instance_connect_failures_total',
      'counter',
      'Failed connects.',
      each((of) => of.connectFailures),
    ),
    family(
      'instance_bytes_sent_total',
      'counter',
      'Bytes of bodies to it.',
      each((of) => of.bytesSent),
    ),
    family(
      'instance_bytes_received_total',
      'counter',
      'Bytes of bodies from it.',
      each((of) => of.bytesReceived),
    ),
  ].join('\n')}\n`
}
