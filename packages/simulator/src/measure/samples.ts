/** What is run for a comparison, and what comes of each run: plain data, so that it can be handed from thread to thread. */
import type { Parts } from '../parts.ts'
import type { FaultType } from '../plan.ts'
import type { Violation } from '../world.ts'
import { disturbances, disturbancesOf, failovers } from './disturbances.ts'
import { type DelaysSample, delays } from './scenarios/delays.ts'
import { type FaultOutcome, fault } from './scenarios/faults.ts'
import { type LoadSample, load } from './scenarios/load.ts'
import { longEnough, type Setting } from './setting.ts'
import { TrialViolated } from './trial.ts'

export interface ComparisonRequest extends Omit<Setting, 'nodes'> {
  /** Sizes of clusters, each measured on its own. */
  readonly nodes: readonly number[]
  /** Kinds of faults under which the service is measured. Fail-overs are measured in any case. */
  readonly faults: 'all' | readonly FaultType[]
  /** The first seed. */
  readonly seed: number
  /** So many fail-overs of each kind; other faults strike a twentieth as often. */
  readonly seeds: number
}

/** One run: the same for each engine. */
export type TrialSpec = { readonly setting: Setting; readonly seed: number } & (
  | { readonly scenario: 'delays' | 'idle' | 'alone' | 'loaded' }
  | { readonly scenario: 'failover' | 'fault'; readonly disturbance: string }
)

/** Undefined: the cluster never served. */
export type Sample =
  | { readonly scenario: 'delays'; readonly result: DelaysSample | undefined }
  | { readonly scenario: 'idle' | 'alone' | 'loaded'; readonly result: LoadSample | undefined }
  | { readonly scenario: 'failover' | 'fault'; readonly disturbance: string; readonly result: FaultOutcome }
  | { readonly scenario: 'violated'; readonly violation: Violation }

/** Runs of the steady state, at the most: it hardly differs from seed to seed. */
const steadySeeds = 3
const steadyMillis = 1_000
/** Shorter, since much more happens in it. */
const loadedMillis = 200
/** Enough for some dozens of writes, one after the other, also where messages take long. */
const steadyDelays = 200
const loadedDelays = 40

/** How often each fault strikes. */
export const faultSeeds = (seeds: number): number => Math.ceil(seeds / 20)

const seedsFrom = (first: number, count: number): number[] => Array.from({ length: count }, (_, at) => first + at)

const trialsOfSize = (setting: Setting, { seed, seeds, faults }: ComparisonRequest): TrialSpec[] => {
  const few = seedsFrom(seed, faultSeeds(seeds))
  const steady = few.slice(0, steadySeeds)
  const undisturbed = (['delays', 'idle', 'alone', 'loaded'] as const).flatMap((scenario) =>
    steady.map((one): TrialSpec => ({ scenario, setting, seed: one })),
  )
  const disturbed = (scenario: 'failover' | 'fault', names: readonly string[], of: readonly number[]): TrialSpec[] =>
    names.flatMap((disturbance) => of.map((one): TrialSpec => ({ scenario, disturbance, setting, seed: one })))
  return [
    ...undisturbed,
    ...disturbed('failover', failovers, seedsFrom(seed, seeds)),
    ...disturbed(
      'fault',
      disturbancesOf(faults).map(({ name }) => name),
      few,
    ),
  ]
}

/** All that is run with each engine, in the order in which `summarize` wants the samples. */
export const trialsOf = (request: ComparisonRequest): TrialSpec[] =>
  request.nodes.flatMap((nodes) => trialsOfSize({ ...request, nodes }, request))

const sampleOf = async (spec: TrialSpec, parts: Parts): Promise<Sample> => {
  const { setting, seed } = spec
  switch (spec.scenario) {
    case 'delays':
      return { scenario: 'delays', result: await delays(setting, seed, parts) }
    case 'idle':
    case 'alone': {
      const millis = longEnough(setting, steadyMillis, steadyDelays)
      const clients = spec.scenario === 'idle' ? 0 : 1
      return { scenario: spec.scenario, result: await load(setting, seed, parts, { clients, millis }) }
    }
    case 'loaded': {
      const { clients } = setting
      const millis = longEnough(setting, loadedMillis, loadedDelays)
      return { scenario: 'loaded', result: await load(setting, seed, parts, { clients, millis }) }
    }
    case 'failover':
    case 'fault': {
      const found = disturbances.find(({ name }) => name === spec.disturbance)
      if (found === undefined) throw new RangeError(`no disturbance is called "${spec.disturbance}"`)
      const result = await fault(setting, seed, parts, found, spec.scenario === 'fault')
      return { scenario: spec.scenario, disturbance: spec.disturbance, result }
    }
  }
}

/** Runs one trial: a pure function of its arguments. An invariant that is violated is a sample too. */
export const measure = async (spec: TrialSpec, parts: Parts): Promise<Sample> => {
  try {
    return await sampleOf(spec, parts)
  } catch (error) {
    if (error instanceof TrialViolated) return { scenario: 'violated', violation: error.violation }
    throw error
  }
}
