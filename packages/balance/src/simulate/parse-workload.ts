import { Fields } from './fields.ts'
import { InvalidWorkload } from './invalid-workload.ts'
import {
  type Episode,
  type KeysWorkload,
  mostRequests,
  type ServerWorkload,
  type ServiceTime,
  type Workload,
} from './workload.ts'

/** An hour. */
const mostMillis = 3_600_000
const time = { least: 0, most: mostMillis }
const mostServers = 1000
const name = /^[\w.:-]{1,63}$/

/**
 * A workload from a JSON value. What may be left out: `balancers` (1), `outlierEjection` (false), `keys` (10,000, all alike); of a server `count`
 * (1), `weight` (1), `queue` (1,000), `joinsAtMillis` (0), `leavesAtMillis` (never), `episodes` (none); of an episode `slowdown` (1) and `errorRate`
 * (0).
 * @throws InvalidWorkload that begins with the path of the field that is wrong.
 */
export const parseWorkload = (value: unknown): Workload => {
  const known = [
    'version',
    'name',
    'durationMillis',
    'requestsPerSecond',
    'balancers',
    'outlierEjection',
    'keys',
    'servers',
  ]
  const fields = new Fields(value, '', known)
  if (fields.raw('version') !== 1) throw fields.refusal('version', '1 is expected')
  const workload: Workload = {
    version: 1,
    name: fields.text('name', name, 'a name of 1 to 63 letters, digits, _ . : -'),
    durationMillis: fields.number('durationMillis', { least: 1, most: mostMillis }),
    requestsPerSecond: fields.number('requestsPerSecond', { least: 0.001, most: 1_000_000 }),
    balancers: fields.number('balancers', { least: 1, most: 100, whole: true }, 1),
    outlierEjection: fields.flag('outlierEjection', false),
    keys: fields.has('keys') ? keysOf(fields.raw('keys'), 'keys') : { count: 10_000, skew: 0 },
    servers: fields.list('servers', mostServers, serverOf),
  }
  checkServers(workload)
  const requests = (workload.requestsPerSecond * workload.durationMillis) / 1000
  if (requests > mostRequests)
    throw new InvalidWorkload(
      'requestsPerSecond',
      `that makes ${Math.round(requests)} requests; at most ${mostRequests} are simulated`,
    )
  return workload
}

const checkServers = ({ servers, durationMillis }: Workload): void => {
  if (servers.length === 0) throw new InvalidWorkload('servers', 'at least one is expected')
  const count = servers.reduce((sum, server) => sum + server.count, 0)
  if (count > mostServers)
    throw new InvalidWorkload('servers', `together they are ${count}; at most ${mostServers} are simulated`)
  const ids = new Set<string>()
  for (const [index, server] of servers.entries()) {
    for (const id of idsOf(server)) {
      if (ids.has(id)) throw new InvalidWorkload(`servers[${index}].name`, `there is another server "${id}"`)
      ids.add(id)
    }
    if (server.joinsAtMillis >= durationMillis)
      throw new InvalidWorkload(`servers[${index}].joinsAtMillis`, `it ends at ${durationMillis} already`)
  }
}

/** The ids of the candidates of a server. */
export const idsOf = ({ name, count }: ServerWorkload): readonly string[] =>
  count === 1 ? [name] : Array.from({ length: count }, (_, at) => `${name}-${at + 1}`)

const keysOf = (value: unknown, path: string): KeysWorkload => {
  const fields = new Fields(value, path, ['count', 'skew'])
  return {
    count: fields.number('count', { least: 1, most: 1_000_000, whole: true }),
    skew: fields.number('skew', { least: 0, most: 10 }, 0),
  }
}

const serverOf = (value: unknown, path: string): ServerWorkload => {
  const known = [
    'name',
    'count',
    'weight',
    'concurrency',
    'queue',
    'service',
    'joinsAtMillis',
    'leavesAtMillis',
    'episodes',
  ]
  const fields = new Fields(value, path, known)
  const joinsAtMillis = fields.number('joinsAtMillis', time, 0)
  const leavesAtMillis = fields.has('leavesAtMillis') ? fields.number('leavesAtMillis', time) : undefined
  if (leavesAtMillis !== undefined && leavesAtMillis <= joinsAtMillis)
    throw fields.refusal('leavesAtMillis', `a time after joinsAtMillis (${joinsAtMillis}) is expected`)
  return {
    name: fields.text('name', name, 'a name of 1 to 63 letters, digits, _ . : -'),
    count: fields.number('count', { least: 1, most: mostServers, whole: true }, 1),
    weight: fields.number('weight', { least: 0, most: 1_000_000 }, 1),
    concurrency: fields.number('concurrency', { least: 1, most: 10_000, whole: true }),
    queue: fields.number('queue', { least: 0, most: 1_000_000, whole: true }, 1000),
    service: serviceOf(fields.raw('service'), fields.at('service')),
    joinsAtMillis,
    ...(leavesAtMillis !== undefined && { leavesAtMillis }),
    episodes: fields.list('episodes', 100, episodeOf, []),
  }
}

const serviceOf = (value: unknown, path: string): ServiceTime => {
  const fields = new Fields(value, path, ['distribution', 'meanMillis', 'sigma'])
  const distribution = fields.choice('distribution', ['constant', 'exponential', 'lognormal'])
  const meanMillis = fields.number('meanMillis', { least: 0.001, most: mostMillis })
  if (distribution === 'lognormal')
    return { distribution, meanMillis, sigma: fields.number('sigma', { least: 0, most: 4 }) }
  if (fields.has('sigma')) throw new InvalidWorkload(fields.at('sigma'), `a ${distribution} service time has none`)
  return { distribution, meanMillis }
}

const episodeOf = (value: unknown, path: string): Episode => {
  const fields = new Fields(value, path, ['fromMillis', 'toMillis', 'slowdown', 'errorRate'])
  const fromMillis = fields.number('fromMillis', time)
  const toMillis = fields.number('toMillis', time)
  if (toMillis <= fromMillis) throw fields.refusal('toMillis', `a time after fromMillis (${fromMillis}) is expected`)
  return {
    fromMillis,
    toMillis,
    slowdown: fields.number('slowdown', { least: 0.001, most: 1000 }, 1),
    errorRate: fields.number('errorRate', { least: 0, most: 1 }, 0),
  }
}
