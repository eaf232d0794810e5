/** Loaded only by clients that spread their local reads by a strategy. */
import { isStrategyName, outlierEjection, panicThreshold, strategies, strategyNames } from '@conclave/balance'
import type { Random } from '@conclave/interface'
import type { LocalBalancer, ReadTarget } from './spread.ts'
import type { ClientClock } from './time.ts'

interface World {
  readonly clock: ClientClock
  readonly random: Random
}

/** When a node is left out. Quicker than proxies are: another node has the same data, and to ask it instead costs nothing. */
const ejection = {
  consecutiveErrors: 3,
  interval: 2000,
  baseEjectionTime: 2000,
  maxEjectionTime: 30_000,
  maxEjected: 0.5,
  successRate: false,
  latency: { factor: 5, minimumCandidates: 3, requestVolume: 20 },
} as const

/** @throws RangeError for a strategy that there is not. */
export const localBalancer = (name: string, { clock, random }: World): LocalBalancer => {
  if (!isStrategyName(name))
    throw new RangeError(`there is no strategy ${JSON.stringify(name)}; there are ${strategyNames.join(', ')}`)
  const now = (): number => clock.now()
  const strategy = strategies[name].factory<ReadTarget>({ random, now })
  return panicThreshold(outlierEjection(strategy, { ...ejection, now }))
}
