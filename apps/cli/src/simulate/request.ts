/** What `conclave simulate` was asked for, from its flags. */
import { type FaultType, faultTypes, type PlanOptions, type Workload } from '@conclave/simulator'
import { CommandFailed, exitCodes } from '../exit.ts'

export interface SimulateFlags {
  readonly engine: string
  readonly seed?: number | undefined
  readonly runs?: number | undefined
  readonly duration?: string | undefined
  readonly nodes?: number | undefined
  readonly faults: string
  readonly leases: boolean
  /** Default `kv`. */
  readonly workload?: Workload
}

export interface SimulateRequest {
  readonly engine: string
  readonly options: PlanOptions
  readonly first: number
  /** Seeds from `first` on. */
  readonly runs: number
  /** Milliseconds of real time after which no run is begun. */
  readonly millis?: number
}

const usage = (code: string, message: string, hint: string): CommandFailed =>
  new CommandFailed(exitCodes.usage, code, message, hint)

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const
const isUnit = (unit: string | undefined): unit is keyof typeof units => unit !== undefined && unit in units
/** A week. */
const longestMillis = 7 * 24 * units.h

/** `10m`, `90s`, `1.5h`, `500ms` in milliseconds. @throws CommandFailed (2) if it is none of these, or beyond a week. */
export const parseDuration = (text: string): number => {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? []
  const millis = isUnit(unit) ? Number(count) * units[unit] : 0
  if (millis > 0 && millis <= longestMillis) return millis
  throw usage(
    'invalid-duration',
    `"${text}" is no duration`,
    'Write a number and a unit, up to a week: 90s, 10m, 1.5h.',
  )
}

/** `all`, `none`, or kinds of faults separated by commas. @throws CommandFailed (2) if one is unknown. */
export const parseFaults = (text: string): 'all' | readonly FaultType[] => {
  if (text === 'all') return 'all'
  const names = text === 'none' ? [] : text.split(',').map((name) => name.trim())
  return names.map((name) => {
    const known = faultTypes.find((type) => type === name)
    if (known !== undefined) return known
    throw usage('invalid-faults', `no kind of fault is called "${name}"`, `There are: ${faultTypes.join(', ')}.`)
  })
}

/** Without `--runs` and `--duration`: this seed alone, or so many from the first on. */
const defaultRuns = 100

/** @throws CommandFailed (2) if a duration or a list of faults is not what it should be. */
export const requestFrom = (flags: SimulateFlags): SimulateRequest => {
  const faults = parseFaults(flags.faults)
  const millis = flags.duration === undefined ? undefined : parseDuration(flags.duration)
  const first = flags.seed ?? 1
  const few = flags.seed === undefined ? defaultRuns : 1
  return {
    engine: flags.engine,
    options: {
      faults,
      ...(flags.nodes === undefined ? {} : { nodes: flags.nodes }),
      ...(flags.leases ? { leases: true } : {}),
      ...(flags.workload === undefined || flags.workload === 'kv' ? {} : { workload: flags.workload }),
    },
    first,
    runs: flags.runs ?? (millis === undefined ? few : Number.MAX_SAFE_INTEGER - first),
    ...(millis === undefined ? {} : { millis }),
  }
}

/** The command that runs these seeds again. */
export const commandFor = ({ engine, options }: SimulateRequest, first: number, runs: number): string => {
  const { faults = 'all', nodes, leases, workload } = options
  const kinds = typeof faults === 'string' ? faults : faults.join(',') || 'none'
  return [
    `conclave simulate --engine ${engine} --seed ${first}`,
    runs === 1 ? '' : ` --runs ${runs}`,
    nodes === undefined ? '' : ` --nodes ${nodes}`,
    kinds === 'all' ? '' : ` --faults ${kinds}`,
    leases === true ? ' --leases' : '',
    workload === undefined ? '' : ` --workload ${workload}`,
  ].join('')
}
