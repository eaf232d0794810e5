/** What `conclave simulate` does, told line by line. */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parse, relative } from 'node:path'
import { type Parts, type Plan, parsePlan, planOf, reportOf, type Violation } from '@conclave/simulator'
import { color, colorful } from '../base-command.ts'
import { CommandFailed, exitCodes } from '../exit.ts'
import { endSignal } from '../signals.ts'
import { type Finding, investigate, nameOf, picturesOf, writeDiagram, writePlan } from './investigate.ts'
import { partsOf } from './parts.ts'
import { ProgressBar } from './progress.ts'
import { commandFor, requestFrom, type SimulateFlags } from './request.ts'
import { type CampaignRun, runCampaign } from './run-campaign.ts'

/** Runs that shrinking a failure may take. */
const shrinkRuns = 600
/** As a shell tells the end by Ctrl-C. */
const interruptedExit = 130
const mostColumns = 160

export type Say = (text: string) => void

/** How it ended: the exit code, and what `--json` shows. */
export interface Ended {
  readonly exit: number
  readonly json: Record<string, unknown>
}

/** How text looks on this standard output. */
const screen = (): { readonly width: number; readonly colour: boolean } => ({
  width: Math.min(mostColumns, process.stdout.columns ?? mostColumns),
  colour: colorful(process.stdout),
})

const count = (of: number, noun: string): string => `${of} ${noun}${of === 1 ? '' : 's'}`

/**
 * A campaign of seeds, and of the first that fails what a person needs to understand it.
 *
 * @param load of other parts than the engine's own: with one job, since threads load by name.
 */
export const simulate = async (
  flags: SimulateFlags & { readonly jobs?: number | undefined; readonly out: string },
  say: Say,
  load: (engine: string) => Promise<Parts> = partsOf,
): Promise<Ended> => {
  const request = requestFrom(flags)
  const parts = await load(request.engine)
  let interrupted = false
  const interrupt = (): void => {
    interrupted = true
  }
  endSignal().then(interrupt, interrupt)
  const shouldStop = (): boolean => interrupted
  const jobs = Math.min(request.runs, flags.jobs ?? availableParallelism())
  const now = (): number => performance.now()
  say(`${parts.engine.name}, seeds from ${request.first} on, in ${count(jobs, 'thread')}`)
  const done = await runCampaign(request, { parts, jobs, stream: process.stderr, now, shouldStop })
  const ran = done.last - request.first + 1
  const reproduce = commandFor(request, request.first, Math.max(1, ran))
  tell(done, request.first, say)
  if (ran > 0) say(`again: ${reproduce}`)
  const [failed] = done.summary.failures
  const json: Record<string, unknown> = { ...campaignJson(done, request.first), reproduce }
  if (failed !== undefined && !interrupted) {
    const plan = planOf(failed.seed, request.options)
    const finding = await shrinkWithBar(plan, failed.violation, parts, shouldStop)
    json.failure = show(finding, flags, say)
  }
  json.interrupted = interrupted
  const verdict = done.summary.verdict === 'passed' ? exitCodes.done : exitCodes.error
  return { exit: interrupted ? interruptedExit : verdict, json }
}

/** One run of a plan from a file, with its pictures. */
export const replay = async (
  { file, engine, out }: { readonly file: string; readonly engine: string; readonly out: string },
  say: Say,
  load: (engine: string) => Promise<Parts> = partsOf,
): Promise<Ended> => {
  const plan = parsePlan(readPlan(file))
  const pictures = await picturesOf(plan, await load(engine), screen())
  const { violation, digest } = pictures
  say(pictures.timeline)
  say(`digest ${digest}`)
  if (violation === undefined) {
    say(`the plan of seed ${plan.seed} does not fail`)
    return { exit: exitCodes.done, json: { seed: plan.seed, verdict: 'passed', digest } }
  }
  const diagram = writeDiagram(out, pictures.diagram, parse(file).name)
  say(`diagram: ${relative('.', diagram)}`)
  return { exit: exitCodes.error, json: { seed: plan.seed, verdict: 'failed', digest, violation, files: { diagram } } }
}

const tell = ({ summary, last, realMillis }: CampaignRun, first: number, say: Say): void => {
  say(reportOf(summary))
  say('')
  const seconds = realMillis / 1_000
  const hoursAMinute = (summary.simulatedMillis / 60 / realMillis).toFixed(2)
  if (summary.runs === 0) return say('no seed was run')
  const seeds = first === last ? `seed ${first}` : `seeds ${first} to ${last}`
  say(`${seeds} in ${seconds.toFixed(1)} s: ${(summary.runs / seconds).toFixed(1)} runs a second,`)
  say(`${hoursAMinute} simulated hours in a minute of real time`)
}

/** Under `--json`: the summary with its maps as objects. */
const campaignJson = ({ summary, last, realMillis }: CampaignRun, first: number): Record<string, unknown> => ({
  ...summary,
  // In an order that does not hang on which run ended first.
  faults: Object.fromEntries(Object.entries(summary.faults).sort(([a], [b]) => (a < b ? -1 : 1))),
  marks: Object.fromEntries(summary.marks),
  outOfReach: Object.fromEntries(summary.outOfReach),
  seeds: { first, last },
  realMillis: Math.round(realMillis),
})

const shrinkWithBar = async (
  plan: Plan,
  violation: Violation,
  parts: Parts,
  shouldStop: () => boolean,
): Promise<Finding> => {
  let line = `shrinking seed ${plan.seed}`
  const bar = new ProgressBar(process.stderr, () => line)
  const onProgress = (runs: number, small: Plan): void => {
    line = `shrinking seed ${plan.seed}: ${runs} runs, ${small.faults.length} of ${plan.faults.length} faults left`
  }
  try {
    return await investigate(plan, violation, parts, { maxRuns: shrinkRuns, onProgress, shouldStop, ...screen() })
  } finally {
    bar.end()
  }
}

/** Prints and writes what was found. */
const show = (
  { seed, violation, plan, runs, timeline, diagram }: Finding,
  { out, engine }: { readonly out: string; readonly engine: string },
  say: Say,
): Record<string, unknown> => {
  const files = { plan: writePlan(out, plan, seed), diagram: writeDiagram(out, diagram, nameOf(seed)) }
  const size = [count(plan.faults.length, 'fault'), count(plan.nodes, 'node'), count(plan.clients, 'client')]
  say('')
  say(color('1', `seed ${seed}, shrunk to ${size.join(', ')} in ${count(runs, 'run')}:`))
  say(`\n${timeline}`)
  say(`plan:    ${relative('.', files.plan)}`)
  say(`diagram: ${relative('.', files.diagram)}`)
  say(`replay:  conclave simulate --engine ${engine} --replay ${relative('.', files.plan)}`)
  return { seed, violation, plan, files }
}

const readPlan = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error)
    const hint = 'Name a file that `conclave simulate` has written.'
    throw new CommandFailed(exitCodes.usage, 'no-plan', `the plan cannot be read: ${what}`, hint)
  }
}
