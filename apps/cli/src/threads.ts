/** Tasks in several threads: which thread did one changes nothing of its result. */
import { parentPort, Worker } from 'node:worker_threads'

/** Does one task at a time. */
export interface Runner<Task, Result> {
  run(task: Task): Promise<Result>
  close(): Promise<void>
}

/** What a thread answers to a task. */
type Answer<Result> = { readonly result: Result } | { readonly error: unknown }

const fromSource = import.meta.url.endsWith('.ts')

/**
 * A thread of its own.
 * @param script without its ending, which is that of the present source or build; it calls `answerTasks`.
 * @param init handed to it as `workerData`.
 */
export const threadRunner = <Task, Result>(script: URL, init: unknown): Runner<Task, Result> => {
  const worker = new Worker(new URL(`${script.href}${fromSource ? '.ts' : '.js'}`), {
    workerData: init,
    ...(fromSource ? { execArgv: ['--conditions=@conclave/source'] } : {}),
  })
  let settle: { readonly resolve: (result: Result) => void; readonly reject: (error: unknown) => void } | undefined
  let failure: unknown
  worker.on('message', (answer: Answer<Result>) => {
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
    run: (task) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) return reject(failure)
        settle = { resolve, reject }
        worker.postMessage(task)
      }),
    close: async () => {
      await worker.terminate()
    },
  }
}

/** In the script of a thread: answers each task with what `run` makes of it. */
export const answerTasks = <Task, Result>(run: (task: Task) => Promise<Result>): void => {
  const answerTo = async (task: Task): Promise<Answer<Result>> => {
    try {
      return { result: await run(task) }
    } catch (error) {
      return { error }
    }
  }
  parentPort?.on('message', async (task: Task) => parentPort?.postMessage(await answerTo(task)))
}

/**
 * Runs tasks, as many at a time as there are runners. Those that are under way when `next` has no more are waited for.
 *
 * @param next the next task, or undefined: no more.
 */
export const runAll = async <Task, Result>(
  runners: readonly Runner<Task, Result>[],
  next: () => Task | undefined,
  onResult: (result: Result, task: Task) => void,
): Promise<void> => {
  let failed = false
  const work = async (runner: Runner<Task, Result>): Promise<void> => {
    try {
      for (let task = next(); task !== undefined && !failed; task = next()) onResult(await runner.run(task), task)
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
