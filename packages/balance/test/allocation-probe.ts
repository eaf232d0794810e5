/**
 * Run by allocation.spec.ts in a process of its own, with a young generation so large that nothing is collected meanwhile: what the heap grows by is what was allocated. Prints the
 * bytes of each pick by the balancer that is named, for each number of candidates: a strategy, `decorated` for all decorators together, or `allocating`, which does so on purpose, to show
 * that it would be seen. One in each process: strategies share parts, and what the compiler made of a part for one of them is no longer good for two.
 */
import process, { memoryUsage } from 'node:process'
import type { Balancer } from '@conclave/interface'
import {
  activeHealth,
  type BalanceCandidate,
  type BalanceRequest,
  circuitBreaker,
  HealthReports,
  outlierEjection,
  panicThreshold,
  priorities,
  slowStart,
  strategies,
  strategyNames,
  subsetting,
} from '../src/index.ts'

const warmUp = 100_000
const picks = 500_000
/** A compiler that works meanwhile allocates as well, but not each time. */
const rounds = 3

const requests: readonly BalanceRequest[] = Array.from({ length: 64 }, (_, at) => ({
  key: at % 2 === 0 ? `user/${at}/ä` : new Uint8Array(20).fill(at),
}))
const result = { latency: 5 }

/**
 * A source that allocates nothing itself, whatever the compiler makes of it: multiples of the golden ratio that are there already, in an array that holds something else as well, and so keeps
 * them as they are given out.
 */
const drawn: readonly unknown[] = [{}, ...Array.from({ length: 1024 }, (_, at) => (at * 0.618033988749895) % 1)]
const place = { at: 0 }
const random = {
  next: (): number => {
    place.at = (place.at % 1024) + 1
    return drawn[place.at] as number
  },
}

/** A field that holds small integers only: as a variable it would be a number that is allocated each time it is read. */
const clock = { time: 0 }
const now = (): number => clock.time

const candidatesOf = (count: number): BalanceCandidate[] =>
  Array.from({ length: count }, (_, at) => ({ id: `10.0.0.${at}:80`, weight: 1 + (at % 3) }))

const bytesPerPick = (balancer: Balancer<BalanceRequest, BalanceCandidate>, count: number): number => {
  const candidates = candidatesOf(count)
  const run = (times: number): void => {
    for (let at = 0; at < times; at++) {
      clock.time = at
      const picked = balancer.pick(requests[at & 63] ?? {}, candidates)
      if (picked !== undefined) balancer.settled?.(picked, result)
    }
  }
  run(warmUp)
  const grown = Array.from({ length: rounds }, () => {
    const before = memoryUsage().heapUsed
    run(picks)
    return (memoryUsage().heapUsed - before) / picks
  })
  // Less than before: something was collected, and this round tells nothing.
  return Math.min(...grown.filter((bytes) => bytes >= 0))
}

const held: object[] = []
const allocating: Balancer<BalanceRequest, BalanceCandidate> = {
  pick: (_, candidates) => {
    held[0] = { candidates }
    return candidates[0]
  },
}

const plain = Object.fromEntries(
  strategyNames.map((name) => [name, () => strategies[name].factory<BalanceCandidate>({ random, now })]),
)

/** One of them is not fit, so that its list is not that of the caller. Nobody is new. */
const decorated = (): Balancer<BalanceRequest, BalanceCandidate> => {
  const reports = new HealthReports({ unhealthyThreshold: 1 })
  reports.report('10.0.0.1:80', false)
  const level = () => {
    const warming = slowStart(strategies['round-robin'].factory<BalanceCandidate>({ random, now }), {
      random,
      now,
      window: 1e9,
    })
    const limited = circuitBreaker(warming, { now })
    return panicThreshold(outlierEjection(activeHealth(limited, { reports }), { now, interval: 1e9 }))
  }
  return subsetting(priorities(level, { random }), { client: 0, size: 10 })
}

const balancers: Readonly<Record<string, () => Balancer<BalanceRequest, BalanceCandidate>>> = {
  ...plain,
  decorated,
  allocating: () => allocating,
}
const name = process.argv[2] ?? ''
const make = balancers[name]
if (make === undefined) throw new Error(`there is no balancer "${name}" to look at`)
const counts = name === 'decorated' ? [10] : [3, 10]
process.stdout.write(JSON.stringify(counts.map((count) => bytesPerPick(make(), count))))
