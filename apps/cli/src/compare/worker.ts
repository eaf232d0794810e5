/** The thread of a comparison: takes trials, answers samples. */
import { measure, type Parts } from '@conclave/simulator'
import { partsOf } from '../simulate/parts.ts'
import { answerTasks } from '../threads.ts'
import type { EngineTrial } from './run.ts'

const loaded = new Map<string, Promise<Parts>>()

const partsFor = (engine: string): Promise<Parts> => {
  const parts = loaded.get(engine) ?? partsOf(engine)
  loaded.set(engine, parts)
  return parts
}

answerTasks(async ({ engine, spec }: EngineTrial) => measure(spec, await partsFor(engine)))
