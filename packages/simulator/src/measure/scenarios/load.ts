import type { Parts } from '../../parts.ts'
import type { Caller } from '../caller.ts'
import { between, type Tally } from '../meter.ts'
import { longEnough, type Setting } from '../setting.ts'
import { Trial } from '../trial.ts'

/** What a cluster did for a while, undisturbed. */
export interface LoadSample extends Tally {
  /** Writes that were answered. */
  readonly answered: number
  /** From call to answer, in milliseconds. */
  readonly latencies: readonly number[]
}

/** Until batches, queues and the first heartbeats are as they will be. */
const warmUpMillis = 50
const warmUpDelays = 20

/**
 * Clients in a closed loop: each writes its next value when the last is answered.
 * @param clients 0: the cluster is idle.
 */
export const load = async (
  setting: Setting,
  seed: number,
  parts: Parts,
  { clients, millis }: { readonly clients: number; readonly millis: number },
): Promise<LoadSample | undefined> => {
  const trial = new Trial({ setting, seed, parts })
  if (!(await trial.start())) return undefined
  const latencies: number[] = []
  let counts = false
  const go = (caller: Caller): void => {
    const begun = trial.now
    caller.write(() => {
      if (counts) latencies.push(trial.now - begun)
      go(caller)
    })
  }
  for (let client = 0; client < clients; client++) {
    const caller = await trial.caller()
    if (caller === undefined) return undefined
    go(caller)
  }
  await trial.pass(longEnough(setting, warmUpMillis, warmUpDelays))
  const before = trial.tally()
  counts = true
  await trial.pass(millis)
  counts = false
  const after = trial.tally()
  await trial.world.close()
  return { ...between(before, after), answered: latencies.length, latencies }
}
