/** The trials of a comparison, in as many threads as wanted, with a bar meanwhile. */
import { setImmediate as turn } from 'node:timers/promises'
import {
  type Comparison,
  type ComparisonRequest,
  measure,
  type Parts,
  type Sample,
  summarize,
  type TrialSpec,
  trialsOf,
} from '@conclave/simulator'
import { barLine, ProgressBar } from '../simulate/progress.ts'
import { type Runner, runAll, threadRunner } from '../threads.ts'

/** One trial of one engine, by the name under which threads load it. */
export interface EngineTrial {
  readonly engine: string
  readonly spec: TrialSpec
}

/** An engine as it was asked for, and loaded. */
export interface Contender {
  /** A name or a path. */
  readonly asked: string
  /** As threads load it. */
  readonly place: string
  readonly parts: Parts
}

interface Task extends EngineTrial {
  readonly contender: number
  readonly at: number
}

export interface CompareControl {
  readonly jobs: number
  readonly stream: NodeJS.WriteStream
  /** Asked before every trial: then no more is begun. */
  readonly shouldStop: () => boolean
}

/** By their own names; two that have the same are told apart by what they were asked for as. */
export const labelsOf = (contenders: readonly Contender[]): string[] => {
  const names = contenders.map(({ parts }) => parts.engine.name)
  return contenders.map(({ asked, parts: { engine } }) =>
    names.filter((name) => name === engine.name).length > 1 ? asked : engine.name,
  )
}

const inlineRunner = (contenders: readonly Contender[]): Runner<Task, Sample> => ({
  run: async ({ contender, spec }) => {
    // Signals and the progress bar get their turn between two trials.
    await turn()
    const parts = contenders[contender]?.parts
    if (parts === undefined) throw new RangeError(`there is no contender ${contender}`)
    return measure(spec, parts)
  },
  close: async () => {},
})

/** Undefined: it was stopped before everything was measured, and a part of it compares nothing. */
export const runComparison = async (
  request: ComparisonRequest,
  contenders: readonly Contender[],
  { jobs, stream, shouldStop }: CompareControl,
): Promise<Comparison | undefined> => {
  const trials = trialsOf(request)
  // Trial by trial, so that a slow engine does not come last alone.
  const tasks = trials.flatMap((spec, at) =>
    contenders.map(({ place }, contender): Task => ({ engine: place, spec, contender, at })),
  )
  const samples: Sample[][] = contenders.map(() => [])
  let [begun, done] = [0, 0]
  const bar = new ProgressBar(stream, () => `${barLine(done / tasks.length)}  ${done} of ${tasks.length} runs`)
  const runners = Array.from({ length: jobs }, () =>
    jobs === 1 ? inlineRunner(contenders) : threadRunner<Task, Sample>(new URL('./worker', import.meta.url), {}),
  )
  try {
    await runAll(
      runners,
      () => (shouldStop() ? undefined : tasks[begun++]),
      (sample, { contender, at }) => {
        const own = samples[contender]
        if (own !== undefined) own[at] = sample
        done++
      },
    )
  } finally {
    bar.end()
  }
  if (done < tasks.length) return undefined
  const labels = labelsOf(contenders)
  return summarize(
    request,
    samples.map((own, at) => ({ engine: labels[at] ?? '', samples: own })),
  )
}
