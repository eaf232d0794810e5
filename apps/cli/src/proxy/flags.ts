import { strategyNames } from '@conclave/balance/names'
import { Flags } from '@oclif/core'
import { sessionFlags } from '../locks/open-session.ts'
import { registryFlag } from '../services/service-flags.ts'

const durationFlag = (description: string, value: string) =>
  Flags.string({ description, default: value, helpValue: value })
const countFlag = (description: string, value: number, min = 1) =>
  Flags.integer({ description, default: value, min, max: 2_147_483_647, helpValue: 'N' })

/** Everything that `conclave proxy` can be told. */
export const proxyFlags = {
  ...sessionFlags,
  ...registryFlag,
  service: Flags.string({
    description: 'the instances are those that are registered for this service, and healthy',
    helpValue: 'NAME',
    exactlyOne: ['service', 'instances'],
  }),
  instances: Flags.string({
    description: 'the instances are these: HOST:PORT, separated by commas; there need be no cluster',
    helpValue: 'ADDR',
    multiple: true,
    multipleNonGreedy: true,
    delimiter: ',',
  }),
  listen: Flags.string({
    description: '[HOST]:PORT to listen on; without a host: every address',
    required: true,
    helpValue: '[HOST]:PORT',
  }),
  mode: Flags.string({ description: 'what is forwarded', options: ['http', 'tcp'], default: 'http' }),
  strategy: Flags.string({
    description: 'how an instance is chosen',
    options: [...strategyNames],
    default: 'p2c',
    helpValue: 'NAME',
  }),
  eject: Flags.boolean({
    description: 'leave out instances for a while whose requests fail (default: yes)',
    default: true,
    allowNo: true,
  }),
  sticky: Flags.string({
    description: 'what belongs together goes to one instance: cookie, header:NAME or address',
    helpValue: 'BY',
  }),
  'sticky-secret': Flags.string({
    description: 'with --sticky cookie: file with the key, the same for all proxies of a service',
    helpValue: 'FILE',
  }),
  health: Flags.string({
    description: 'check instances all the time: tcp, or a /PATH to be answered with 200 to 399',
    helpValue: 'CHECK',
  }),
  'health-interval': durationFlag('from check to check', '2s'),
  'health-timeout': durationFlag('a check that takes longer has failed', '1s'),
  'health-rise': countFlag('well again after so many good checks', 2),
  'health-fall': countFlag('out after so many bad checks', 3),
  metrics: Flags.string({
    description: '[HOST]:PORT for /metrics, /healthz and /instances; without a host: every address',
    helpValue: '[HOST]:PORT',
  }),
  state: Flags.string({
    description: 'with --service: file that keeps the last list, for a start while the cluster is away',
    helpValue: 'FILE',
    dependsOn: ['service'],
  }),
  drain: durationFlag('at the end, what is under way has so long', '30s'),
  forwarded: Flags.string({
    description: 'what the client says of itself in X-Forwarded-* and Forwarded',
    options: ['replace', 'append', 'off'],
    default: 'replace',
  }),
  tries: countFlag('attempts for one request, with the first', 3),
  'retry-ratio': Flags.string({
    description: 'retries for each request, over ten seconds',
    default: '0.2',
    helpValue: 'X',
  }),
  'limit-connections': countFlag('connections of clients', 10_000),
  'limit-instance': countFlag('requests or connections under way at one instance', 1_024),
  'limit-waiting': countFlag('requests or connections in line for an instance', 1_024, 0),
  'limit-headers': countFlag('fields of a header section', 100),
  'limit-header-bytes': countFlag('bytes of a header section', 16_384),
  'connect-timeout': durationFlag('to connect to an instance', '5s'),
  'header-timeout': durationFlag('for a client to send a header section', '10s'),
  'response-timeout': durationFlag('for an instance to begin its response', '60s'),
  'idle-timeout': durationFlag('without a byte of a body', '60s'),
  'tunnel-timeout': durationFlag('without a byte through an upgraded or a TCP connection', '1h'),
  'keep-alive': durationFlag('for a client without a request', '60s'),
  'waiting-timeout': durationFlag('in line for an instance', '5s'),
  'access-log': Flags.boolean({ description: 'print a line for each request or connection that ended' }),
}
