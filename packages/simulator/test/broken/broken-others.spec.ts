import { type Parts, type PlanOptions, planOf, type RunResult, run } from '@conclave/simulator'
import { describe, expect, test } from 'vitest'
import { paxosParts, raftParts, zabParts } from '../parts.ts'
import { brokenParts, type Fixture, finds } from './fixture.ts'
import { brokenLocks } from './locks.ts'
import { brokenPaxoses } from './paxos.ts'
import { brokenZabs } from './zab.ts'

/** A campaign of this many runs must catch every mistake. */
const mostRuns = 1_500

const subjects = [
  { what: 'Multi-Paxos', engine: 'paxos', sound: paxosParts, fixtures: brokenPaxoses, options: {} },
  { what: 'Zab', engine: 'zab', sound: zabParts, fixtures: brokenZabs, options: {} },
  { what: 'the lock service', engine: 'raft', sound: raftParts, fixtures: brokenLocks, options: { workload: 'locks' } },
] as const

/** The first run that a broken variant does not survive. */
const firstCaught = async (
  engine: string,
  sound: Parts,
  fixture: Fixture,
  options: PlanOptions,
): Promise<RunResult | undefined> => {
  const parts = await brokenParts(sound, { from: `engine-${engine}`, name: engine }, fixture)
  const { from = 1 } = fixture
  for (let seed = from; seed < from + mostRuns; seed++) {
    const result = await run(planOf(seed, options), parts)
    if (finds(fixture, result.violation)) return result
  }
  return undefined
}

describe.each(subjects)(
  'one mistake in the real source of $what, under the faults of every campaign',
  ({ engine, sound, fixtures, options }) => {
    for (const fixture of fixtures)
      test(`${fixture.name}, from seed ${fixture.from ?? 1}`, { timeout: 900_000 }, async () => {
        const caught = await firstCaught(engine, sound, fixture, options)
        expect(caught, `${fixture.rule}: not caught by ${mostRuns} runs`).toBeDefined()
        if (caught === undefined) return
        const { seed, violation } = caught
        console.log(
          `${fixture.name}: run ${seed - (fixture.from ?? 1) + 1}: ${violation?.invariant}: ${violation?.what.slice(0, 120)}`,
        )
        // The same run without the mistake is clean: it was the mistake that was caught.
        const clean = await run(planOf(seed, options), sound)
        expect(clean.violation).toBeUndefined()
      })
  },
)
