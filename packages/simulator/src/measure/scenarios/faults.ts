import type { Observation } from '../../observation.ts'
import type { Parts } from '../../parts.ts'
import type { Fault, NodeNumber } from '../../plan.ts'
import type { Caller } from '../caller.ts'
import { type Cast, type Disturbance, faultMillis } from '../disturbances.ts'
import { longEnough, type Setting } from '../setting.ts'
import { Trial } from '../trial.ts'

/** What became of the service when something went wrong. Times in milliseconds after the fault struck. */
export interface FaultSample {
  /** Writes that were begun in the window, and those of them that were answered in time. */
  readonly begun: number
  readonly served: number
  /** The longest time without an answer, from the last one before the fault on; no longer than the window. */
  readonly gapMillis: number
  /** When another reign had begun, and when its first command was decided; absent if none was. */
  readonly electedMillis?: number
  readonly decidedMillis?: number
}

/** Writes are begun at this pace, whatever became of the ones before. */
const paceMillis = 10
/** Writes that fill a segment of the journal, so that a disk without room is noticed soon. */
const segmentWrites = 32
const sectorBytes = 512
/** From the strike on: what lasts is over, and has another second to be forgotten. */
const windowMillis = faultMillis + 1_000
/** A write is served if it is answered within this, or within so many one-way delays, whichever is longer. */
const servedMillis = 100
const servedDelays = 25
/** The calm before: also how far a strike is moved, so that it finds heartbeats anywhere. */
const calmMillis = 100
const calmDelays = 25

/** Milliseconds within which a write is served. */
export const inTime = (setting: Pick<Setting, 'latencyMillis'>): number =>
  longEnough(setting, servedMillis, servedDelays)

/** Notes when another reign begins and decides. */
class Succession {
  readonly #epoch: bigint
  readonly #struck: number
  elected: number | undefined
  decided: number | undefined

  constructor(epoch: bigint, struck: number) {
    this.#epoch = epoch
    this.#struck = struck
  }

  see(seen: Observation, now: number): void {
    if (seen.type !== 'drained' || !seen.status.leading || seen.status.epoch <= this.#epoch) return
    this.elected ??= now - this.#struck
    if (seen.effects.decide.some(({ type, epoch }) => type === 'batch' && epoch > this.#epoch))
      this.decided ??= now - this.#struck
  }
}

/** Begins a write every so often, and notes when it was answered. */
class Pulse {
  readonly #trial: Trial
  readonly #caller: Caller
  readonly writes: { readonly begun: number; answered?: number }[] = []
  stopped = false

  constructor(trial: Trial, caller: Caller) {
    this.#trial = trial
    this.#caller = caller
  }

  /** At a pace from now on. */
  begin(): void {
    if (this.stopped) return
    this.beat()
    this.#trial.world.clock.after(paceMillis, () => this.begin())
  }

  beat(): void {
    const write: (typeof this.writes)[number] = { begun: this.#trial.now }
    this.writes.push(write)
    this.#caller.write(() => {
      write.answered = this.#trial.now
    })
  }
}

const castOf = (trial: Trial): Cast => {
  const { setting, compass, random } = trial
  const leader: NodeNumber = compass.leader?.number ?? 1
  const others = Array.from({ length: setting.nodes }, (_, at) => at + 1).filter((node) => node !== leader)
  const turn = Math.floor(random.next() * others.length)
  const [first = 1, ...rest] = [...others.slice(turn), ...others.slice(0, turn)]
  return { setting, leader, followers: [first, ...rest], spare: setting.nodes + 1 }
}

const strike = (trial: Trial, disturbance: Disturbance): void => {
  const { clock, nemesis } = trial.world
  for (const [index, { after = 0, ...action }] of disturbance.strikes(castOf(trial)).entries()) {
    const fault: Fault = { ...action, id: index + 1, at: trial.now + after }
    if (after === 0) nemesis.strike(fault)
    else clock.after(after, () => nemesis.strike(fault))
  }
}

const gapOf = (pulse: Pulse, struck: number, until: number): number => {
  const answers = pulse.writes.flatMap(({ answered }) => (answered === undefined ? [] : [answered]))
  const during = answers.filter((at) => at > struck && at < until).sort((a, b) => a - b)
  let last = Math.max(...answers.filter((at) => at <= struck))
  let longest = 0
  for (const at of [...during, until]) {
    longest = Math.max(longest, at - last)
    last = at
  }
  return Math.min(longest, until - struck)
}

/** `unsupported`: the engine does not offer what the disturbance needs. Undefined: the cluster never served. */
export type FaultOutcome = FaultSample | 'unsupported' | undefined

/**
 * A cluster under a light load to which something happens.
 * @param whole false: it ends as soon as another reign has decided a command, and only the times of that are to be used.
 */
export const fault = async (
  setting: Setting,
  seed: number,
  parts: Parts,
  disturbance: Disturbance,
  whole = true,
): Promise<FaultOutcome> => {
  let succession: Succession | undefined
  const trial: Trial = new Trial({
    setting,
    seed,
    parts,
    segmentBytes: segmentWrites * (setting.valueBytes + sectorBytes),
    watch: (seen) => succession?.see(seen, trial.now),
  })
  const caller = (await trial.start()) ? await trial.caller() : undefined
  const { supports } = trial.world
  if (disturbance.needs !== undefined && !supports[disturbance.needs]) return 'unsupported'
  if (caller === undefined) return undefined
  const pulse = new Pulse(trial, caller)
  pulse.begin()
  await trial.pass(longEnough(setting, calmMillis, calmDelays) * (1 + trial.random.next()))
  if (!pulse.writes.some(({ answered }) => answered !== undefined)) return undefined
  const struck = trial.now
  succession = new Succession(trial.compass.leader?.status?.engine?.epoch ?? 0n, struck)
  // Under way when it strikes, so that whoever leads next has something to decide at once.
  pulse.beat()
  strike(trial, disturbance)
  if (whole) await trial.pass(windowMillis)
  else await trial.until(() => succession?.decided !== undefined, windowMillis)
  const until = trial.now
  pulse.stopped = true
  await trial.pass(whole ? inTime(setting) : 0)
  await trial.world.close()
  const begun = pulse.writes.filter((write) => write.begun >= struck && write.begun < until)
  const served = begun.filter(
    (write) => write.answered !== undefined && write.answered - write.begun <= inTime(setting),
  )
  return {
    begun: begun.length,
    served: served.length,
    gapMillis: gapOf(pulse, struck, until),
    ...(succession.elected !== undefined && { electedMillis: succession.elected }),
    ...(succession.decided !== undefined && { decidedMillis: succession.decided }),
  }
}
