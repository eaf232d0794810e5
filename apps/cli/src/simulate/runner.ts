/** Runs of seeds, in this thread or in several: which thread ran a seed changes nothing of its result. */
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { type Parts, type PlanOptions, planOf, type RunResult, run } from '@conclave/simulator'

export interface SeedRunner {
  run(seed: number): Promise<RunResult>
  close(): Promise<void>
}

/** What a worker is started with. */
export interface WorkerInit {
  readonly engine: string
  readonly options: PlanOptions
}

/** What a worker answers to a seed. */
export type WorkerAnswer = { readonly result: RunResult } | { readonly error: unknown }

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

const fromSource = import.meta.url.endsWith('.ts')

/** A thread of its own; one seed at a time. */
export const workerRunner = (init: WorkerInit): SeedRunner => {
  const worker = new Worker(new URL(fromSource ? './worker.ts' : './worker.js', import.meta.url), {
    workerData: init,
    ...(fromSource ? { execArgv: ['--conditions=@conclave/source'] } : {}),
  })
  let settle: { readonly resolve: (result: RunResult) => void; readonly reject: (error: unknown) => void } | undefined
  let failure: unknown
  worker.on('message', (answer: WorkerAnswer) => {
    if ('result' in answer) settle?.resolve(answer.result)
    else settle?.reject(answer.error)
  })
  const fail = (error: unknown): void => {
    failure ??= error
    settle?.reject(error)
  }
  worker.on('error', fail)
  worker.on('exit', (code) => fail(new Error(`a thread of the simulation ended with code ${code}`)))
  return {
    run: (seed) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) return reject(failure)
        settle = { resolve, reject }
        worker.postMessage(seed)
      }),
    close: async () => {
      await worker.terminate()
    },
  }
}

/**
 * Runs seeds, as many at a time as there are runners. Those that are under way when `next` has no more are waited for.
 *
 * @param next the next seed, or undefined: no more.
 */
export const runSeeds = async (
  runners: readonly SeedRunner[],
  next: () => number | undefined,
  onResult: (result: RunResult) => void,
): Promise<void> => {
  let failed = false
  const work = async (runner: SeedRunner): Promise<void> => {
    try {
      for (let seed = next(); seed !== undefined && !failed; seed = next()) onResult(await runner.run(seed))
    } catch (error) {
      failed = true
      throw error
    }
  }
  try {
    await Promise.all(runners.map(work))
  } finally {
    await Promise.all(runners.map((runner) => runner.close()))
  }
}
