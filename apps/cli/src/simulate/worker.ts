/** The thread of a `workerRunner`: takes seeds, answers results. */
import { parentPort, workerData } from 'node:worker_threads'
import { planOf, run } from '@conclave/simulator'
import { partsOf } from './parts.ts'
import { slim, type WorkerAnswer, type WorkerInit } from './runner.ts'

const { engine, options } = workerData as WorkerInit
const parts = partsOf(engine)

const answerTo = async (seed: number): Promise<WorkerAnswer> => {
  try {
    return { result: slim(await run(planOf(seed, options), await parts)) }
  } catch (error) {
    return { error }
  }
}

parentPort?.on('message', async (seed: number) => parentPort?.postMessage(await answerTo(seed)))
