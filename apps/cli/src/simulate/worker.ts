/** The thread of a `workerRunner`: takes seeds, answers results. */
import { workerData } from 'node:worker_threads'
import { planOf, run } from '@conclave/simulator'
import { answerTasks } from '../threads.ts'
import { partsOf } from './parts.ts'
import { slim, type WorkerInit } from './runner.ts'

const { engine, options } = workerData as WorkerInit
const parts = partsOf(engine)

answerTasks(async (seed: number) => slim(await run(planOf(seed, options), await parts)))
