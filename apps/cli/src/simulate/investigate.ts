/** From a failing plan to what a person looks at: the plan made small, its timeline, its diagram. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { diagram, type Parts, type Plan, run, shrink, timeline, type Violation } from '@conclave/simulator'

export interface Finding {
  /** The seed that failed, and how. */
  readonly seed: number
  readonly violation: Violation
  /** The smallest plan that fails for the same invariant, and the runs that it took to find it. */
  readonly plan: Plan
  readonly runs: number
  readonly timeline: string
  readonly diagram: string
}

export interface InvestigateOptions {
  /** Runs that shrinking may take. */
  readonly maxRuns: number
  readonly colour: boolean
  readonly width: number
  readonly onProgress?: (runs: number, plan: Plan) => void
  /** Asked before every run: then the smallest plan so far is taken. */
  readonly shouldStop?: () => boolean
}

/** Two failures are the same if the same invariant is broken. */
export const failsLike =
  (parts: Parts, { invariant }: Violation) =>
  async (plan: Plan): Promise<boolean> =>
    (await run(plan, parts)).violation?.invariant === invariant

/** What one run of a plan looks like. */
export interface Pictures {
  readonly violation: Violation | undefined
  readonly digest: string
  readonly timeline: string
  readonly diagram: string
}

export interface Look {
  readonly width: number
  readonly colour: boolean
  /** The seed to name, if the plan was made from that of another one. */
  readonly seed?: number
}

export const picturesOf = async (
  plan: Plan,
  parts: Parts,
  { width, colour, seed = plan.seed }: Look,
): Promise<Pictures> => {
  const { trace, violation, digest } = await run(plan, parts, { trace: true })
  const title = violation === undefined ? `Seed ${seed}` : `Seed ${seed} violates: ${violation.invariant}`
  return { violation, digest, timeline: timeline(trace, { width, colour }), diagram: diagram(trace, { title }) }
}

/** @throws PlanDoesNotFail if a run of `plan` does not fail like `violation`. */
export const investigate = async (
  plan: Plan,
  violation: Violation,
  parts: Parts,
  options: InvestigateOptions,
): Promise<Finding> => {
  const { maxRuns, onProgress, shouldStop } = options
  const fails = failsLike(parts, violation)
  const small = await shrink(plan, async (one) => shouldStop?.() !== true && fails(one), {
    maxRuns,
    onProgress: (progress) => onProgress?.(progress.runs, progress.plan),
  })
  const pictures = await picturesOf(small.plan, parts, { ...options, seed: plan.seed })
  return {
    seed: plan.seed,
    violation: pictures.violation ?? violation,
    ...small,
    timeline: pictures.timeline,
    diagram: pictures.diagram,
  }
}

const write = (directory: string, name: string, content: string): string => {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

/** For `--replay`. @returns its path. */
export const writePlan = (directory: string, plan: Plan, seed: number): string =>
  write(directory, `${nameOf(seed)}.json`, `${JSON.stringify(plan, undefined, 2)}\n`)

/** @param name without its ending. @returns its path. */
export const writeDiagram = (directory: string, svg: string, name: string): string =>
  write(directory, `${name}.svg`, svg)

/** What the files of a failing seed are called. */
export const nameOf = (seed: number): string => `conclave-simulate-${seed}`
