import { type StrategyName, strategyNames } from '../names.ts'
import { strategies } from '../strategies.ts'
import type { SimulationResult } from './result.ts'
import { runStrategy } from './run-strategy.ts'
import { traceOf } from './trace.ts'
import type { Workload } from './workload.ts'

export interface SimulateInit {
  /** A whole number from 0 to 1,000,000. Default 1. */
  readonly seed?: number
  /** Default: all. */
  readonly strategies?: readonly StrategyName[]
}

const mostSeed = 1_000_000

/**
 * Plays a workload with each strategy: the same arrivals, keys, sizes of requests and bad luck for all of them. Takes about a second for each million
 * requests and strategy.
 * @param workload checked, as `parseWorkload` and `presets` give it.
 * @throws RangeError for a seed that is none.
 */
export const simulate = (
  workload: Workload,
  { seed = 1, strategies: names = strategyNames }: SimulateInit = {},
): SimulationResult => {
  if (!(Number.isSafeInteger(seed) && seed >= 0 && seed <= mostSeed))
    throw new RangeError(`seed is a whole number from 0 to ${mostSeed}, got ${seed}`)
  const trace = traceOf(workload, seed)
  const figures = names.map((name) => [name, runStrategy(workload, trace, strategies[name], seed)] as const)
  return { version: 1, workload, seed, requests: trace.count, strategies: Object.fromEntries(figures) }
}
