/** Figures from samples: what a comparison says of an engine. Everything is rounded to thousandths, so that it reads the same everywhere. */
import { type Disturbance, failovers } from './disturbances.ts'
import type { Sample } from './samples.ts'
import type { DelaysSample } from './scenarios/delays.ts'
import type { FaultSample } from './scenarios/faults.ts'
import type { LoadSample } from './scenarios/load.ts'

/** Of some figures in milliseconds. */
export interface Spread {
  readonly least: number
  readonly median: number
  /** By nearest rank: with fewer than a hundred figures it is the largest. */
  readonly p99: number
  readonly most: number
}

export interface DelayFigures {
  readonly decided: number
  readonly answered: number
  readonly everywhereMillis: number
  /** Absent: the engine serves no linearizable reads. */
  readonly readDecided?: number
  readonly readAnswered?: number
}

/** Of a cluster that nobody uses. */
export interface IdleFigures {
  readonly messagesPerSecond: number
  readonly bytesPerSecond: number
  readonly syncsPerSecond: number
}

export interface LoadFigures {
  readonly messagesPerCommand: number
  readonly bytesPerCommand: number
  readonly syncsPerCommand: number
  readonly commandsPerEntry: number
  readonly messagesPerEntry: number
  readonly commandsPerSecond: number
  readonly latencyMillis: Spread
}

export interface FailoverFigures {
  /** In which the cluster served before. */
  readonly runs: number
  /** Runs in which no other leader decided anything. */
  readonly missed: number
  readonly electedMillis?: Spread
  readonly decidedMillis?: Spread
}

export interface FaultFigures {
  readonly runs: number
  /** Part of all writes that were answered in time, and the worst run's. */
  readonly served: number
  readonly servedLeast: number
  readonly gapMillis: Spread
  /** Runs in which another reign decided something. */
  readonly successions: number
}

/** `null`: the cluster never served. */
export interface EngineFigures {
  readonly delays: DelayFigures | null
  readonly idle: IdleFigures | null
  readonly alone: LoadFigures | null
  readonly loaded: LoadFigures | null
  readonly failovers: Readonly<Record<string, FailoverFigures>>
  readonly faults: Readonly<Record<string, FaultFigures | 'unsupported' | null>>
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000

/** The figure of this rank: the smallest one that is at least as large as so much of all. */
const ranked = (ascending: readonly number[], part: number): number =>
  rounded(ascending[Math.max(0, Math.ceil(part * ascending.length) - 1)] ?? 0)

/** @param values at least one. */
export const spreadOf = (values: readonly number[]): Spread => {
  const ascending = [...values].sort((a, b) => a - b)
  return {
    least: ranked(ascending, 0),
    median: ranked(ascending, 0.5),
    p99: ranked(ascending, 0.99),
    most: ranked(ascending, 1),
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

const present = <T>(values: readonly (T | undefined)[]): T[] => values.filter((value) => value !== undefined)

const delayFigures = (samples: readonly DelaysSample[]): DelayFigures | null => {
  const median = (pick: (sample: DelaysSample) => readonly number[]): number | undefined => {
    const values = samples.flatMap(pick)
    return values.length === 0 ? undefined : spreadOf(values).median
  }
  const decided = median((sample) => sample.decided)
  const answered = median((sample) => sample.answered)
  const everywhereMillis = median((sample) => sample.everywhereMillis)
  const readDecided = median((sample) => sample.readDecided)
  const readAnswered = median((sample) => sample.readAnswered)
  if (decided === undefined || answered === undefined || everywhereMillis === undefined) return null
  return {
    decided,
    answered,
    everywhereMillis,
    ...(readDecided !== undefined && { readDecided }),
    ...(readAnswered !== undefined && { readAnswered }),
  }
}

const idleFigures = (samples: readonly LoadSample[]): IdleFigures | null => {
  if (samples.length === 0) return null
  const seconds = sum(samples.map(({ millis }) => millis)) / 1_000
  const rate = (pick: (sample: LoadSample) => number): number => rounded(sum(samples.map(pick)) / seconds)
  return {
    messagesPerSecond: rate(({ messages }) => messages),
    bytesPerSecond: rate(({ bytes }) => bytes),
    syncsPerSecond: rate(({ syncs }) => syncs),
  }
}

const loadFigures = (samples: readonly LoadSample[]): LoadFigures | null => {
  const total = (pick: (sample: LoadSample) => number): number => sum(samples.map(pick))
  const [commands, entries] = [total((sample) => sample.commands), total((sample) => sample.entries)]
  const latencies = samples.flatMap((sample) => sample.latencies)
  if (commands === 0 || latencies.length === 0) return null
  const messages = total((sample) => sample.messages)
  return {
    messagesPerCommand: rounded(messages / commands),
    bytesPerCommand: rounded(total((sample) => sample.bytes) / commands),
    syncsPerCommand: rounded(total((sample) => sample.syncs) / commands),
    commandsPerEntry: rounded(commands / entries),
    messagesPerEntry: rounded(messages / entries),
    commandsPerSecond: rounded((commands * 1_000) / total((sample) => sample.millis)),
    latencyMillis: spreadOf(latencies),
  }
}

const failoverFigures = (samples: readonly FaultSample[]): FailoverFigures => {
  const elected = present(samples.map(({ electedMillis }) => electedMillis))
  const decided = present(samples.map(({ decidedMillis }) => decidedMillis))
  return {
    runs: samples.length,
    missed: samples.length - decided.length,
    ...(elected.length > 0 && { electedMillis: spreadOf(elected) }),
    ...(decided.length > 0 && { decidedMillis: spreadOf(decided) }),
  }
}

const faultFigures = (samples: readonly FaultSample[]): FaultFigures | null => {
  if (samples.length === 0) return null
  return {
    runs: samples.length,
    served: rounded(sum(samples.map(({ served }) => served)) / sum(samples.map(({ begun }) => begun))),
    servedLeast: rounded(Math.min(...samples.map(({ served, begun }) => served / begun))),
    gapMillis: spreadOf(samples.map(({ gapMillis }) => gapMillis)),
    successions: present(samples.map(({ decidedMillis }) => decidedMillis)).length,
  }
}

type Outcome = Extract<Sample, { readonly disturbance: string }>['result']

/** All figures of an engine in clusters of one size. */
export const figuresOf = (samples: readonly Sample[], disturbances: readonly Disturbance[]): EngineFigures => {
  const loads = (scenario: 'idle' | 'alone' | 'loaded'): LoadSample[] =>
    present(samples.map((sample) => (sample.scenario === scenario ? sample.result : undefined)))
  const outcomes = (scenario: 'failover' | 'fault', name: string): Outcome[] =>
    samples.flatMap((sample) => (sample.scenario === scenario && sample.disturbance === name ? [sample.result] : []))
  const struck = (scenario: 'failover' | 'fault', name: string): FaultSample[] =>
    present(outcomes(scenario, name)).filter((outcome) => outcome !== 'unsupported')
  return {
    delays: delayFigures(present(samples.map((sample) => (sample.scenario === 'delays' ? sample.result : undefined)))),
    idle: idleFigures(loads('idle')),
    alone: loadFigures(loads('alone')),
    loaded: loadFigures(loads('loaded')),
    failovers: Object.fromEntries(failovers.map((name) => [name, failoverFigures(struck('failover', name))])),
    faults: Object.fromEntries(
      disturbances.map(({ name }) => [
        name,
        outcomes('fault', name).includes('unsupported') ? 'unsupported' : faultFigures(struck('fault', name)),
      ]),
    ),
  }
}
