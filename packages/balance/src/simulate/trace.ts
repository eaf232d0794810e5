import { type Random, seededRandom } from '@conclave/interface'
import type { KeysWorkload, ServiceTime, Workload } from './workload.ts'

/** The requests of a simulation, drawn before it begins: each strategy gets the very same ones. Request number i is at index i of each array. */
export interface Trace {
  readonly count: number
  /** Milliseconds from the beginning, in order. */
  readonly arrivals: Float64Array
  readonly keys: Uint32Array
  readonly balancers: Uint32Array
  /** Uniform in [0, 1): how heavy the request is. The same request is as heavy on whatever server. */
  readonly sizes: Float64Array
  /** From the standard normal distribution: the same, for service times that need it. */
  readonly normals: Float64Array
  /** Uniform in [0, 1): below the error rate of its server it fails. */
  readonly luck: Float64Array
}

/** Far apart, so that no two things are drawn from the same numbers. */
const streams = {
  arrivals: 0x1000_0000,
  keys: 0x2000_0000,
  balancers: 0x3000_0000,
  sizes: 0x4000_0000,
  luck: 0x5000_0000,
}

const streamOf = (seed: number, stream: keyof typeof streams): Random => seededRandom(streams[stream] + seed)

export const traceOf = (workload: Workload, seed: number): Trace => {
  const arrivals = arrivalsOf(workload, streamOf(seed, 'arrivals'))
  const count = arrivals.length
  const [keyDraws, balancerDraws] = [streamOf(seed, 'keys'), streamOf(seed, 'balancers')]
  const [sizeDraws, luckDraws] = [streamOf(seed, 'sizes'), streamOf(seed, 'luck')]
  const drawKey = zipf(workload.keys, keyDraws)
  const sizes = Float64Array.from({ length: count }, () => sizeDraws.next())
  return {
    count,
    arrivals,
    keys: Uint32Array.from({ length: count }, drawKey),
    balancers: Uint32Array.from({ length: count }, () => Math.floor(balancerDraws.next() * workload.balancers)),
    sizes,
    normals: sizes.map((size) => normal(size, sizeDraws.next())),
    luck: Float64Array.from({ length: count }, () => luckDraws.next()),
  }
}

/** A Poisson process: the times between arrivals are exponential. */
const arrivalsOf = ({ requestsPerSecond, durationMillis }: Workload, random: Random): Float64Array => {
  const mean = 1000 / requestsPerSecond
  const times: number[] = []
  for (let time = exponential(random.next(), mean); time < durationMillis; time += exponential(random.next(), mean))
    times.push(time)
  return Float64Array.from(times)
}

/** The quantile of the exponential distribution. */
const exponential = (drawn: number, mean: number): number => -mean * Math.log(1 - drawn)

/** Box and Muller. */
const normal = (one: number, other: number): number => Math.sqrt(-2 * Math.log(1 - one)) * Math.cos(2 * Math.PI * other)

/** Draws keys, from 0 up, by Zipf's law. */
const zipf = ({ count, skew }: KeysWorkload, random: Random): (() => number) => {
  if (skew === 0) return () => Math.floor(random.next() * count)
  const sums = new Float64Array(count)
  let sum = 0
  for (let key = 0; key < count; key++) {
    sum += (key + 1) ** -skew
    sums[key] = sum
  }
  return () => {
    const drawn = random.next() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((sums[middle] ?? 0) <= drawn) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** How long a request takes, without slowdown. Milliseconds. */
export const serviceMillis = (service: ServiceTime, size: number, gauss: number): number => {
  switch (service.distribution) {
    case 'constant':
      return service.meanMillis
    case 'exponential':
      return exponential(size, service.meanMillis)
    case 'lognormal':
      return service.meanMillis * Math.exp(service.sigma * gauss - service.sigma ** 2 / 2)
  }
}

/** The key that has this number. */
export const keyText = (key: number): string => `key-${key}`
