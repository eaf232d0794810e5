import { type Parts, planOf, type RunResult, run } from '@conclave/simulator'
import { describe, expect, test } from 'vitest'
import { paxosParts, zabParts } from '../parts.ts'
import { brokenParts, type Fixture } from './fixture.ts'
import { brokenPaxoses } from './paxos.ts'
import { brokenZabs } from './zab.ts'

/** A campaign of this many runs must catch every mistake. */
const mostRuns = 1_500
const base = 1

const engines = [
  { engine: 'paxos', sound: paxosParts, fixtures: brokenPaxoses },
  { engine: 'zab', sound: zabParts, fixtures: brokenZabs },
]

/** The first run that a broken variant does not survive. */
const firstCaught = async (engine: string, sound: Parts, fixture: Fixture): Promise<RunResult | undefined> => {
  const parts = await brokenParts(sound, { from: `engine-${engine}`, name: engine }, fixture)
  for (let seed = base; seed < base + mostRuns; seed++) {
    const result = await run(planOf(seed), parts)
    if (result.violation !== undefined) return result
  }
  return undefined
}

describe.each(engines)(
  'one mistake in the real source of $engine, under the faults of every campaign',
  ({ engine, sound, fixtures }) => {
    for (const fixture of fixtures)
      test(`${fixture.name}, from seed ${base}`, { timeout: 900_000 }, async () => {
        const caught = await firstCaught(engine, sound, fixture)
        expect(caught, `${fixture.rule}: not caught by ${mostRuns} runs`).toBeDefined()
        if (caught === undefined) return
        const { seed, violation } = caught
        console.log(
          `${fixture.name}: run ${seed - base + 1}: ${violation?.invariant}: ${violation?.what.slice(0, 120)}`,
        )
        // The same run without the mistake is clean: it was the mistake that was caught.
        const clean = await run(planOf(seed), sound)
        expect(clean.violation).toBeUndefined()
      })
  },
)
