import type { Strategy } from '../strategies.ts'
import { disruptionOf } from './disruption.ts'
import type { StrategyFigures } from './result.ts'
import type { Trace } from './trace.ts'
import type { Workload } from './workload.ts'
import { World } from './world.ts'

/** Slices of the time series. */
const slices = 60

/** Plays a trace with one strategy. */
export const runStrategy = (workload: Workload, trace: Trace, strategy: Strategy, seed: number): StrategyFigures => {
  const world = new World(workload, trace, strategy, seed)
  const { durationMillis } = workload
  const bounds = Array.from({ length: slices + 1 }, (_, at) => (durationMillis * at) / slices)
  const played = bounds.slice(1).map((toMillis, at) => {
    const fromMillis = bounds[at] ?? 0
    const loads = world.playTo(toMillis)
    return { fromMillis, toMillis, loads, requests: world.arrived }
  })
  world.playOut()
  const servers = world.servers.map(({ candidate, requests, errors }, index) => {
    const own = played.flatMap(({ fromMillis, toMillis, loads }) => {
      const millis = world.presentMillis(index, fromMillis, toMillis)
      return [{ millis, sum: (loads[index] ?? 0) * (toMillis - fromMillis) }]
    })
    const millis = own.reduce((sum, one) => sum + one.millis, 0)
    return {
      id: candidate.id,
      requests,
      errors,
      load: millis === 0 ? 0 : own.reduce((sum, one) => sum + one.sum, 0) / millis,
    }
  })
  return {
    errors: world.outcomes.errors(),
    latencyMillis: world.outcomes.latencies(),
    imbalance: imbalanceOf(servers.map(({ load }) => load)),
    disruption: disruptionOf(strategy, workload, world.servers),
    servers,
    series: played.map(({ fromMillis, toMillis, loads, requests }, at) => ({
      fromMillis,
      ...world.outcomes.slice(played[at - 1]?.requests ?? 0, requests),
      imbalance: imbalanceOf(loads.filter((_, index) => world.presentMillis(index, fromMillis, toMillis) > 0)),
    })),
  }
}

/** The load of the fullest divided by the mean. */
const imbalanceOf = (loads: readonly number[]): number => {
  const sum = loads.reduce((all, load) => all + load, 0)
  return sum === 0 ? 1 : (Math.max(...loads) * loads.length) / sum
}
