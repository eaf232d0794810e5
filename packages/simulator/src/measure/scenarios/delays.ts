import type { Observation } from '../../observation.ts'
import type { Parts } from '../../parts.ts'
import { longEnough, type Setting } from '../setting.ts'
import { Trial } from '../trial.ts'

/** One figure for each operation; in one-way delays of the network unless it says otherwise. */
export interface DelaysSample {
  /** From the proposal at the leader to its decision there. */
  readonly decided: readonly number[]
  /** From the proposal until the last node knows that it is decided, in milliseconds: some engines leave that to the next message or tick. */
  readonly everywhereMillis: readonly number[]
  /** From the client's call to its answer. */
  readonly answered: readonly number[]
  /** The same two for a linearizable read, which is decided when the leader may answer it. */
  readonly readDecided: readonly number[]
  readonly readAnswered: readonly number[]
}

const operations = 12
/** Between two operations: they do not meet, and heartbeats find each of them at another moment. */
const restMillis = 137
const restDelays = 11
/** An operation that takes longer is not counted. */
const patienceMillis = 1_000

/** When proposals and reads are made and decided, and where. */
class Stopwatch {
  readonly #begun = new Map<string, number>()
  #position = 0
  #proposedAt = 0
  readonly #nodes = new Set<string>()
  readonly decided: number[] = []
  readonly everywhere: number[] = []
  readonly reads: number[] = []

  see(seen: Observation, now: number, nodes: number): void {
    if (seen.type === 'stepped') {
      const { input, node } = seen
      if (input.type === 'propose' || input.type === 'read') this.#begun.set(`${node} ${input.id}`, now)
    } else if (seen.type === 'drained') {
      for (const { id, outcome } of seen.effects.settle) {
        const begun = this.#begun.get(`${seen.node} ${id}`)
        if (begun === undefined) continue
        if (outcome.type === 'readAt') this.reads.push(now - begun)
        else if (outcome.type === 'decided') this.#decide(outcome.position, begun, now)
      }
      const reached = seen.effects.decide.some(({ position }) => position === this.#position)
      if (!reached || this.#nodes.has(seen.node)) return
      this.#nodes.add(seen.node)
      if (this.#nodes.size === nodes) this.everywhere.push(now - this.#proposedAt)
    }
  }

  #decide(position: number, begun: number, now: number): void {
    this.decided.push(now - begun)
    this.#position = position
    this.#proposedAt = begun
    this.#nodes.clear()
  }
}

/**
 * In a world in which each message takes exactly the mean delay and nothing else takes any time: time counts messages, one after the other. Operations come one at a
 * time, with a rest between them.
 */
export const delays = async (setting: Setting, seed: number, parts: Parts): Promise<DelaysSample | undefined> => {
  const watch = new Stopwatch()
  const trial: Trial = new Trial({
    setting,
    seed,
    parts,
    kind: 'exact',
    watch: (seen) => watch.see(seen, trial.now, setting.nodes),
  })
  const caller = (await trial.start()) ? await trial.caller() : undefined
  if (caller === undefined) return undefined
  const rest = (): Promise<void> => trial.pass(longEnough(setting, restMillis, restDelays))
  const times = async (begin: (done: () => void) => void): Promise<number[]> => {
    const took: number[] = []
    for (let operation = 0; operation < operations; operation++) {
      await rest()
      const begun = trial.now
      let answered: number | undefined
      begin(() => {
        answered ??= trial.now
      })
      await trial.until(() => answered !== undefined, patienceMillis)
      if (answered !== undefined) took.push(answered - begun)
    }
    await rest()
    return took
  }
  await rest()
  const [opened, known] = [watch.decided.length, watch.everywhere.length]
  const answered = await times((done) => caller.write(done))
  const decided = watch.decided.slice(opened)
  const everywhereMillis = watch.everywhere.slice(known)
  const readAnswered = await times((done) => caller.read(done))
  await trial.world.close()
  const inDelays = (millis: readonly number[]): number[] => millis.map((time) => time / setting.latencyMillis)
  return {
    decided: inDelays(decided),
    everywhereMillis,
    answered: inDelays(answered),
    readDecided: inDelays(watch.reads),
    readAnswered: inDelays(readAnswered),
  }
}
