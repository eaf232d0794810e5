import type { Random } from '@conclave/interface'
import type { Watcher } from '../observation.ts'
import type { Parts } from '../parts.ts'
import { type Violation, World } from '../world.ts'
import { Caller } from './caller.ts'
import { Compass } from './compass.ts'
import { Meter, type Tally } from './meter.ts'
import { calmPlan, fullScale, type Setting, type WorldKind } from './setting.ts'

export interface TrialInit {
  readonly setting: Setting
  readonly seed: number
  readonly parts: Parts
  /** Default: `real`. */
  readonly kind?: WorldKind
  /** Of the journal. Default: 1 MiB. */
  readonly segmentBytes?: number
  readonly watch?: Watcher
}

/** A cluster without a leader for so long will not have one. */
const electionMillis = 10_000
/** From the first leader until everybody is connected and follows. */
const settleMillis = 200

/** An invariant was violated while it was measured: figures of an engine that errs are worth nothing. */
export class TrialViolated extends Error {
  override readonly name = 'TrialViolated'
  readonly code = 'trial-violated'
  readonly definite = true
  readonly violation: Violation

  constructor(violation: Violation) {
    super(`${violation.invariant} at ${violation.at.toFixed(1)} ms: ${violation.what}`)
    this.violation = violation
  }
}

/** One cluster that is measured: it comes up, and then does what a scenario says. */
export class Trial {
  readonly setting: Setting
  readonly world: World
  readonly compass: Compass
  /** For what a scenario decides by lot. */
  readonly random: Random
  readonly #meter = new Meter()
  #callers = 0

  constructor({ setting, seed, parts, kind = 'real', segmentBytes, watch }: TrialInit) {
    this.setting = setting
    this.world = new World({
      plan: calmPlan(setting, seed, kind),
      parts,
      scale: fullScale(segmentBytes),
      tap: this.#meter.tap,
    })
    this.compass = new Compass(this.world)
    this.random = this.world.around.streams('scenario')
    this.world.lookOn({
      before: [],
      after: [(seen) => this.compass.see(seen), ...(watch === undefined ? [] : [watch])],
    })
  }

  get now(): number {
    return this.world.clock.now()
  }

  tally(): Tally {
    return this.#meter.read(this.world)
  }

  /** Starts all founders, and waits until they have a leader. False: they found none. */
  async start(): Promise<boolean> {
    this.world.cluster.start()
    const led = await this.until(() => this.compass.leader !== undefined, electionMillis)
    if (led) await this.pass(settleMillis)
    return led
  }

  /** A client with an open session; undefined if that takes too long. */
  async caller(): Promise<Caller | undefined> {
    const caller = new Caller(this.world, this.compass, ++this.#callers, this.setting.valueBytes)
    let opened = false
    caller.open(() => {
      opened = true
    })
    return (await this.until(() => opened, electionMillis)) ? caller : undefined
  }

  /** @throws TrialViolated, as `until` does. */
  async pass(millis: number): Promise<void> {
    await this.until(() => false, millis)
  }

  /** True as soon as `done` holds; false if it does not within so many milliseconds. */
  async until(done: () => boolean, millis: number): Promise<boolean> {
    const { world } = this
    await world.loop.run(this.now + millis, () => world.violation !== undefined || done())
    if (world.violation !== undefined) throw new TrialViolated(world.violation)
    return done()
  }
}
