import { Violation } from './invariants.ts'
import { Storm, type StormInit } from './storm.ts'
import type { Subject } from './subject.ts'

const steps = 8_000
/** Ticks of a healthy cluster within which it must have agreed: several election time-outs, and a snapshot. */
const calmTicks = 600

/** Everything that may happen, in random order; the invariants hold at every step. @throws Violation */
export const storm = (subject: Subject, init: StormInit): Storm => {
  const world = new Storm(subject, init)
  for (let i = 0; i < steps; i++) world.step()
  return world
}

/** The same, and then calm: everybody agrees, and a proposal is decided. @throws Violation */
export const survive = (subject: Subject, init: StormInit): Storm => {
  const world = storm(subject, init)
  world.heal()
  if (!calmUntil(world, () => world.agreed)) throw new Violation('no agreement after the storm')
  // A leader that is handing over refuses, or may lose what it took: then it is proposed again, as a client would.
  const batches: string[] = []
  const decided = () => {
    if (batches.every((batch) => world.invariants.givenUp(batch))) batches.push(...world.proposeCalmly())
    return world.agreed && world.invariants.truth.some((is) => batches.some((batch) => is?.endsWith(batch)))
  }
  if (!calmUntil(world, decided)) throw new Violation('a proposal after the storm is not decided')
  return world
}

const calmUntil = (world: Storm, holds: () => boolean): boolean => {
  for (let ticks = 0; ticks < calmTicks; ticks++) {
    if (holds()) return true
    world.calm()
  }
  return false
}

/** What happened in some storms: one in which nothing happens shows nothing. */
export interface Figures {
  readonly decided: number
  readonly restored: number
  readonly leaseReads: number
  readonly changes: number
  readonly promotions: number
  readonly removals: number
}

/** Survives the storms of the seeds from 1 to `worlds`. @throws Error that names the seed. */
export const survived = (subject: Subject, worlds: number, init: Omit<StormInit, 'seed'>): Figures => {
  const sum = { decided: 0, restored: 0, leaseReads: 0, changes: 0, promotions: 0, removals: 0 }
  for (let seed = 1; seed <= worlds; seed++) {
    try {
      const { decided, restored, done } = survive(subject, { seed, ...init }).invariants
      for (const [key, value] of Object.entries({ decided, restored, ...done })) sum[key as keyof typeof sum] += value
    } catch (error) {
      throw new Error(`seed ${seed} with ${JSON.stringify(init)}: ${String(error)}`, { cause: error })
    }
  }
  return sum
}

/** Storms of so many seeds, until one finds something. @returns what it found; undefined if none did. */
export const noticed = (subject: Subject, seeds: number, init: Omit<StormInit, 'seed'>): unknown => {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      storm(subject, { seed, ...init })
    } catch (error) {
      return error
    }
  }
  return undefined
}
