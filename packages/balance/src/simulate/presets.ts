import type { PresetName } from '../names.ts'
import { parseWorkload } from './parse-workload.ts'
import type { Workload } from './workload.ts'

const exponential = (meanMillis: number) => ({ distribution: 'exponential', meanMillis })
/** Four at a time, 10 ms each: ten of them do 4,000 requests a second. */
const server = { name: 'server', concurrency: 4, service: exponential(10) }
const middle = { fromMillis: 5000, toMillis: 15_000 }

const values: Readonly<Record<PresetName, object>> = {
  uniform: { requestsPerSecond: 2800, servers: [{ ...server, count: 10 }] },
  heterogeneous: {
    requestsPerSecond: 3500,
    servers: [
      { ...server, name: 'fast', count: 5, weight: 4, service: exponential(5) },
      { ...server, name: 'slow', count: 5, weight: 1, service: exponential(20) },
    ],
  },
  'one-slow': {
    requestsPerSecond: 2400,
    servers: [
      { ...server, count: 9 },
      { ...server, name: 'slow', episodes: [{ ...middle, slowdown: 10 }] },
    ],
  },
  'one-failing': {
    requestsPerSecond: 2400,
    servers: [
      { ...server, count: 9 },
      { ...server, name: 'failing', episodes: [{ ...middle, errorRate: 1 }] },
    ],
  },
  'skewed-keys': { requestsPerSecond: 2400, keys: { count: 10_000, skew: 1 }, servers: [{ ...server, count: 10 }] },
  churn: {
    requestsPerSecond: 2400,
    servers: [
      { ...server, count: 9 },
      { ...server, name: 'leaving', leavesAtMillis: 5000 },
      { ...server, name: 'joining', joinsAtMillis: 10_000 },
    ],
  },
}

const preset = (name: PresetName): Workload =>
  parseWorkload({ version: 1, name, durationMillis: 20_000, balancers: 3, ...values[name] })

/** Workloads to begin with: twenty seconds, ten servers or so at 60 to 70 % of what they can do, three balancers that know nothing of each other. */
export const presets: Readonly<Record<PresetName, Workload>> = {
  /** Ten servers that are alike. */
  uniform: preset('uniform'),
  /** Five fast ones and five that take four times as long, with weights that say so. */
  heterogeneous: preset('heterogeneous'),
  /** One of ten takes ten times as long for ten seconds. */
  'one-slow': preset('one-slow'),
  /** One of ten answers every request with an error at once for ten seconds. */
  'one-failing': preset('one-failing'),
  /** A tenth of the requests have the same key (Zipf's law). */
  'skewed-keys': preset('skewed-keys'),
  /** One of ten leaves; later another one comes. */
  churn: preset('churn'),
}

/** Whether there is a preset of this name. */
export const isPresetName = (name: string): name is PresetName => Object.hasOwn(presets, name)
