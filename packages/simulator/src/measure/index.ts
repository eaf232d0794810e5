/** Engines measured in the same worlds: what a comparison runs, and what it says. */
export { type Comparison, type ComparisonViolation, type EngineSamples, summarize } from './comparison.ts'
export { type Disturbance, disturbances, disturbancesOf, failovers } from './disturbances.ts'
export type {
  DelayFigures,
  EngineFigures,
  FailoverFigures,
  FaultFigures,
  IdleFigures,
  LoadFigures,
  Spread,
} from './figures.ts'
export { type ComparisonRequest, measure, type Sample, type TrialSpec, trialsOf } from './samples.ts'
