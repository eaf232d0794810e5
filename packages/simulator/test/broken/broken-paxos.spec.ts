import { planOf, type RunResult, run } from '@conclave/simulator'
import { describe, expect, test } from 'vitest'
import { paxosParts } from '../parts.ts'
import { brokenParts, type Fixture } from './fixture.ts'
import { brokenPaxoses } from './paxos.ts'

/** A campaign of this many runs must catch every mistake. */
const mostRuns = 1_500
const base = 1

/** The first run that a broken variant does not survive. */
const firstCaught = async (fixture: Fixture): Promise<RunResult | undefined> => {
  const parts = await brokenParts(paxosParts, { from: 'engine-paxos', name: 'paxos' }, fixture)
  for (let seed = base; seed < base + mostRuns; seed++) {
    const result = await run(planOf(seed), parts)
    if (result.violation !== undefined) return result
  }
  return undefined
}

describe('one mistake in the real source of Multi-Paxos, under the faults of every campaign', () => {
  for (const fixture of brokenPaxoses)
    test(`${fixture.name}, from seed ${base}`, { timeout: 900_000 }, async () => {
      const caught = await firstCaught(fixture)
      expect(caught, `${fixture.rule}: not caught by ${mostRuns} runs`).toBeDefined()
      if (caught === undefined) return
      const { seed, violation } = caught
      console.log(`${fixture.name}: run ${seed - base + 1}: ${violation?.invariant}: ${violation?.what.slice(0, 120)}`)
      // The same run without the mistake is clean: it was the mistake that was caught.
      const sound = await run(planOf(seed), paxosParts)
      expect(sound.violation).toBeUndefined()
    })
})
