/**
 * Strategies side by side: a discrete-event simulation of balancers and servers in virtual time, on the same trace of requests for each. Pure: the
 * same workload and seed give the same.
 *
 * @example
 * ```ts
 * import { presets, simulate } from '@conclave/balance/simulate'
 *
 * const { strategies } = simulate(presets['one-slow'], { seed: 1, strategies: ['round-robin', 'p2c'] })
 * strategies.p2c?.latencyMillis?.p99 // milliseconds
 * ```
 *
 * @packageDocumentation
 */
export { type PresetName, presetNames } from '../names.ts'
export { InvalidWorkload } from './invalid-workload.ts'
export { parseWorkload } from './parse-workload.ts'
export { isPresetName, presets } from './presets.ts'
export type {
  DisruptionFigures,
  LatencyFigures,
  ServerFigures,
  SimulationResult,
  SliceFigures,
  StrategyFigures,
} from './result.ts'
export { type SimulateInit, simulate } from './simulate.ts'
export type { Episode, KeysWorkload, ServerWorkload, ServiceTime, Workload } from './workload.ts'
