/** Everything that a network, a disk and a crash may do, in random order: Raft's safety holds at every step, and its liveness when it is over. */
import { describe, expect, it } from 'vitest'
import { type Cheat, Violation, World, type WorldInit } from './torture-world.ts'

const steps = 4_000
const seeds = 100
/** Ticks of a healthy cluster within which it must have agreed: several election time-outs, and a snapshot. */
const calmTicks = 600

const run = (init: WorldInit): World => {
  const world = new World(init)
  for (let i = 0; i < steps; i++) world.step()
  return world
}

const ticksUntil = (world: World, holds: () => boolean): number => {
  for (let ticks = 0; ticks < calmTicks; ticks++) {
    if (holds()) return ticks
    world.calm()
  }
  return Number.POSITIVE_INFINITY
}

const torture = (init: WorldInit): World => {
  const world = run(init)
  world.heal()
  if (ticksUntil(world, () => world.agreed) > calmTicks) throw new Violation('no agreement after the storm')
  // A leader that is handing over refuses: then it is proposed again, as a client would.
  const batches = [world.proposeCalmly()]
  const decided = () => {
    if (batches.every((batch) => world.invariants.refused(batch))) batches.push(world.proposeCalmly())
    return world.agreed && world.invariants.truth.some((is) => batches.some((batch) => is?.endsWith(batch)))
  }
  if (ticksUntil(world, decided) > calmTicks) throw new Violation('a proposal after the storm is not decided')
  return world
}

describe('torture', () => {
  for (const servers of [3, 5]) {
    it(`${servers} servers never disagree, and agree when the storm is over`, () => {
      let decided = 0
      let restored = 0
      for (let seed = 1; seed <= seeds; seed++) {
        try {
          const { invariants } = torture({ seed, servers })
          decided += invariants.decided
          restored += invariants.restored
        } catch (error) {
          throw new Error(`seed ${seed} with ${servers} servers: ${String(error)}`, { cause: error })
        }
      }
      // A storm in which nothing happens shows nothing.
      expect(decided).toBeGreaterThan(seeds * 40)
      expect(restored).toBeGreaterThan(seeds)
    })
  }

  it('the same seed gives the same run', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const [one, other] = [run({ seed, servers: 3 }), run({ seed, servers: 3 })]
      expect(one.fingerprint).toBe(other.fingerprint)
      expect(one.invariants.truth).toEqual(other.invariants.truth)
    }
  })

  const cheats: Cheat[] = ['messages leave before their writes are durable', 'a crash takes the end of the log']
  for (const cheat of cheats) {
    it(`it notices when ${cheat}`, () => {
      const noticed = () => {
        for (let seed = 1; seed <= 300; seed++) torture({ seed, servers: 3, cheat })
      }
      expect(noticed).toThrow(Violation)
    })
  }
})
