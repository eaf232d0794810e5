import { readFileSync } from 'node:fs'
import { type Plan, planOf, type RunResult, run } from '@conclave/simulator'
import { describe, expect, test } from 'vitest'
import { raftParts } from '../parts.ts'
import { aroundTheEngine } from './around.ts'
import { drawn, figure8, page, picture, told } from './figure-8.ts'
import { brokenParts, type Fixture } from './fixture.ts'
import { brokenRafts } from './raft.ts'

/** A campaign of this many runs must catch every mistake, wherever it begins. */
const mostRuns = 3_000
const bases = [1, 100_001, 200_001]

const planFor = (fixture: Fixture, seed: number): Plan => planOf(seed, fixture.leases ? { leases: true } : {})

/** The first run that a broken variant does not survive. */
const firstCaught = async (fixture: Fixture, base: number): Promise<RunResult | undefined> => {
  const parts = await brokenParts(raftParts, { from: 'engine-raft', name: 'raft' }, fixture)
  for (let seed = base; seed < base + mostRuns; seed++) {
    const result = await run(planFor(fixture, seed), parts)
    if (result.violation !== undefined) return result
  }
  return undefined
}

describe('one mistake in the real source, under the faults of every campaign', () => {
  for (const fixture of [...brokenRafts, ...aroundTheEngine])
    for (const base of bases)
      test(`${fixture.name}, from seed ${base}`, { timeout: 900_000 }, async () => {
        const caught = await firstCaught(fixture, base)
        expect(caught, `${fixture.rule}: not caught by ${mostRuns} runs`).toBeDefined()
        if (caught === undefined) return
        const { seed, violation } = caught
        console.log(
          `${fixture.name}: run ${seed - base + 1}: ${violation?.invariant}: ${violation?.what.slice(0, 120)}`,
        )
        // The same run without the mistake is clean: it was the mistake that was caught.
        const sound = await run(planFor(fixture, seed), raftParts)
        expect(sound.violation).toBeUndefined()
      })
})

test('the run that docs/testing.md tells and draws is the run of its plan', async () => {
  const result = await figure8()
  expect(result.violation?.invariant).toBe('leader completeness')
  expect(readFileSync(page, 'utf8')).toContain(told(result))
  expect(readFileSync(picture, 'utf8')).toBe(drawn(result))
})
