import { disturbancesOf } from './disturbances.ts'
import { type EngineFigures, figuresOf } from './figures.ts'
import { type ComparisonRequest, faultSeeds, type Sample, type TrialSpec, trialsOf } from './samples.ts'
import { inTime } from './scenarios/faults.ts'
import { fullScale, jitter, syncMillis, turnMillis } from './setting.ts'

/** An invariant that an engine violated while it was measured. */
export interface ComparisonViolation {
  readonly engine: string
  readonly nodes: number
  readonly seed: number
  readonly scenario: string
  readonly invariant: string
  readonly what: string
}

/** A function of request and engines alone: the same on every machine, byte for byte when it is printed. */
export interface Comparison {
  readonly version: 1
  readonly engines: readonly string[]
  readonly request: ComparisonRequest
  /** What is given, and not asked for. */
  readonly given: {
    readonly jitter: number
    readonly syncMillis: number
    readonly turnMillis: number
    readonly heartbeatMillis: number
    readonly electionMillis: number
    readonly servedMillis: number
    readonly faultSeeds: number
  }
  readonly sizes: readonly {
    readonly nodes: number
    readonly figures: Readonly<Record<string, EngineFigures>>
  }[]
  readonly violations: readonly ComparisonViolation[]
}

/** The samples of an engine, in the order of `trialsOf`. */
export interface EngineSamples {
  readonly engine: string
  readonly samples: readonly Sample[]
}

const scenarioOf = (spec: TrialSpec): string => ('disturbance' in spec ? spec.disturbance : spec.scenario)

const violationsOf = (trials: readonly TrialSpec[], { engine, samples }: EngineSamples): ComparisonViolation[] =>
  trials.flatMap((spec, at) => {
    const sample = samples[at]
    if (sample?.scenario !== 'violated') return []
    const { invariant, what } = sample.violation
    return [{ engine, nodes: spec.setting.nodes, seed: spec.seed, scenario: scenarioOf(spec), invariant, what }]
  })

const givenTo = (request: ComparisonRequest): Comparison['given'] => {
  const { heartbeatTicks, electionTicks, tickMillis } = fullScale().timing
  return {
    jitter,
    syncMillis,
    turnMillis,
    heartbeatMillis: heartbeatTicks * tickMillis,
    electionMillis: electionTicks * tickMillis,
    servedMillis: inTime(request),
    faultSeeds: faultSeeds(request.seeds),
  }
}

export const summarize = (request: ComparisonRequest, engines: readonly EngineSamples[]): Comparison => {
  const trials = trialsOf(request)
  const struck = disturbancesOf(request.faults)
  const ofSize = ({ samples }: EngineSamples, nodes: number): Sample[] =>
    samples.filter((_, at) => trials[at]?.setting.nodes === nodes)
  return {
    version: 1,
    engines: engines.map(({ engine }) => engine),
    request,
    given: givenTo(request),
    sizes: request.nodes.map((nodes) => ({
      nodes,
      figures: Object.fromEntries(engines.map((one) => [one.engine, figuresOf(ofSize(one, nodes), struck)])),
    })),
    violations: engines.flatMap((one) => violationsOf(trials, one)),
  }
}
