/** What `conclave compare` does. */
import { availableParallelism } from 'node:os'
import { type Comparison, type Parts, trialsOf } from '@conclave/simulator'
import { exitCodes } from '../exit.ts'
import { endSignal } from '../signals.ts'
import { partsOf } from '../simulate/parts.ts'
import { tryPage, writePage } from './page/file.ts'
import { pageOf } from './page/page.ts'
import { type CompareFlags, commandFor, parseEngines, requestFrom } from './request.ts'
import { labelsOf, runComparison } from './run.ts'
import { tableOf } from './table.ts'

/** As a shell tells the end by Ctrl-C. */
const interruptedExit = 130

/** How it ended: the exit code, and what `--json` shows. */
export interface Ended {
  readonly exit: number
  readonly json: Record<string, unknown>
}

export interface CompareInit {
  readonly flags: CompareFlags & { readonly jobs?: number | undefined; readonly html?: string | undefined }
  /** Of the command line, for the page. */
  readonly version: string
  readonly say: (text: string) => void
  /** What threads load an engine by. Default: as it was asked for. */
  readonly placeOf?: (engine: string) => Promise<string>
  /** Of other parts than the engine's own: with one job, since threads load by name. */
  readonly load?: (engine: string) => Promise<Parts>
}

/** @throws CommandFailed (2) if a flag is not what it should be, or there is no such engine. */
export const compare = async ({
  flags,
  version,
  say,
  placeOf = async (engine) => engine,
  load = partsOf,
}: CompareInit): Promise<Ended> => {
  const request = requestFrom(flags)
  const asked = parseEngines(flags.engines)
  const contenders = await Promise.all(
    asked.map(async (engine) => {
      const place = await placeOf(engine)
      return { asked: engine, place, parts: await load(place) }
    }),
  )
  if (flags.html !== undefined) tryPage(flags.html)
  let interrupted = false
  const interrupt = (): void => {
    interrupted = true
  }
  endSignal().then(interrupt, interrupt)
  const runs = contenders.length * trialsOf(request).length
  const jobs = Math.min(runs, flags.jobs ?? availableParallelism())
  say(`${labelsOf(contenders).join(', ')}: ${runs} runs in ${jobs} thread${jobs === 1 ? '' : 's'}`)
  const comparison = await runComparison(request, contenders, {
    jobs,
    stream: process.stderr,
    shouldStop: () => interrupted,
  })
  if (comparison === undefined) {
    say('interrupted: nothing was compared')
    return { exit: interruptedExit, json: { interrupted: true } }
  }
  const command = commandFor(asked, request)
  say(tableOf(comparison))
  say(`\nagain: ${command}`)
  if (flags.html !== undefined) {
    writePage(flags.html, pageOf(comparison, { command, version }))
    say(`page:  ${flags.html}`)
  }
  tellViolations(comparison, say)
  const exit = comparison.violations.length === 0 ? exitCodes.done : exitCodes.error
  return { exit, json: { ...comparison, command, conclave: version } }
}

const tellViolations = ({ violations }: Comparison, say: (text: string) => void): void => {
  for (const { engine, nodes, seed, scenario, invariant, what } of violations)
    say(`${engine} is wrong: ${invariant}, ${nodes} nodes, seed ${seed}, ${scenario}: ${what}`)
  if (violations.length > 0)
    say('The figures leave these runs out; `conclave simulate` finds and shrinks what is wrong.')
}
