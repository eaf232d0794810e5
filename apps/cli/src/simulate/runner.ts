/** Runs of seeds, in this thread or in several. */
import { setImmediate as turn } from 'node:timers/promises'
import { type Parts, type PlanOptions, planOf, type RunResult, run } from '@conclave/simulator'
import { type Runner, threadRunner } from '../threads.ts'

export type SeedRunner = Runner<number, RunResult>

/** What a worker is started with. */
export interface WorkerInit {
  readonly engine: string
  readonly options: PlanOptions
}

/** A result without what a campaign does not look at: so it is cheap to keep, and to hand from thread to thread. */
export const slim = (result: RunResult): RunResult => ({
  ...result,
  trace: { nodes: result.trace.nodes, clients: result.trace.clients, events: [] },
  history: [],
})

export const inlineRunner = (parts: Parts, options: PlanOptions): SeedRunner => ({
  run: async (seed) => {
    // Signals and the progress bar get their turn between two runs.
    await turn()
    return slim(await run(planOf(seed, options), parts))
  },
  close: async () => {},
})

/** A thread of its own; one seed at a time. */
export const workerRunner = (init: WorkerInit): SeedRunner => threadRunner(new URL('./worker', import.meta.url), init)
