/** Everything that a network, a disk and a crash may do, in random order: the safety of Paxos holds at every step, and its liveness when it is over. */
import { AssertionFailed } from '@conclave/interface'
import { describe, expect, it } from 'vitest'
import { Violation } from './invariants.ts'
import type { Cheat } from './torture-host.ts'
import { World, type WorldInit } from './torture-world.ts'

const steps = 8_000
const seeds = 60
/** Milliseconds that a test may take on a machine that does much else. */
const patience = 120_000
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
  const many = (init: Omit<WorldInit, 'seed'>) => {
    const sum = { decided: 0, restored: 0, leaseReads: 0, changes: 0, promotions: 0, removals: 0 }
    for (let seed = 1; seed <= seeds; seed++) {
      try {
        const { invariants } = torture({ seed, ...init })
        const { decided, restored, done } = invariants
        for (const [key, value] of Object.entries({ decided, restored, ...done })) sum[key as keyof typeof sum] += value
      } catch (error) {
        throw new Error(`seed ${seed} with ${JSON.stringify(init)}: ${String(error)}`, { cause: error })
      }
    }
    // A storm in which nothing happens shows nothing.
    expect(sum.decided).toBeGreaterThan(seeds * 40)
    return sum
  }

  for (const servers of [3, 5]) {
    it(
      `${servers} servers never disagree, and agree when the storm is over`,
      () => {
        expect(many({ servers }).restored).toBeGreaterThan(seeds)
      },
      patience,
    )

    it(
      `${servers} servers whose members come and go, with lease reads`,
      () => {
        const { leaseReads, changes, promotions, removals } = many({ servers, changing: true, leases: true })
        expect(leaseReads).toBeGreaterThan(seeds)
        expect(changes).toBeGreaterThan(seeds)
        expect(promotions).toBeGreaterThan(seeds / 5)
        expect(removals).toBeGreaterThan(seeds / 5)
      },
      patience,
    )
  }

  it('the same seed gives the same run', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const [one, other] = [run({ seed, servers: 3 }), run({ seed, servers: 3 })]
      expect(one.fingerprint).toBe(other.fingerprint)
      expect(one.invariants.truth).toEqual(other.invariants.truth)
    }
  })

  /** Each with a seed near which it shows: a lease outlives its pledges in few storms. */
  const cheats: [Cheat, number][] = [
    ['messages leave before their writes are durable', 1],
    ['a crash takes the end of the log', 1],
    ['clocks run at very different rates', 250],
  ]
  it.each(cheats)(
    'it notices when %s',
    (cheat, first) => {
      const noticed = () => {
        for (let seed = first; seed < first + 50; seed++) torture({ seed, servers: 3, cheat, leases: true })
      }
      // A disk that lost what it said is decided is noticed by the engine itself.
      expect(noticed).toThrow(cheat === 'a crash takes the end of the log' ? AssertionFailed : Violation)
    },
    patience,
  )
})
