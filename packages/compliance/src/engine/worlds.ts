import { campaign, reportOf } from '@conclave/simulator'
import { eachSeed, type SuiteTest } from '../suite.ts'
import { type PromiseName, promises } from './findings.ts'
import { scramble } from './scramble.ts'
import { type Storm, storm } from './stress.ts'
import type { EngineSubject } from './subject.ts'

/** Simulated runs per seed, unless the subject says otherwise. */
const runsPerSeed = 5

/** Each promise that is looked after everywhere is a test; the worlds are run once for all of them. */
export const storms = (subject: EngineSubject, seeds: readonly number[]): readonly SuiteTest[] => {
  const run = new Map<number, Storm>()
  const of = (seed: number): Storm => {
    const before = run.get(seed)
    if (before !== undefined) return before
    const made = storm(subject, seed)
    run.set(seed, made)
    return made
  }
  const looked = (Object.keys(promises) as PromiseName[]).map((promise) => ({
    name: promises[promise],
    run: () =>
      eachSeed(seeds, (seed) => {
        const found = of(seed).findings.of(promise)
        if (found !== undefined) throw new Error(found)
      }),
  }))
  const busy = {
    name: 'the storms of these seeds are no idle worlds: proposals are acknowledged, nodes restart',
    run: async () => {
      const made = seeds.map(of)
      const acknowledged = made.reduce((sum, one) => sum + one.acknowledged, 0)
      const restarts = made.reduce((sum, one) => sum + one.restarts, 0)
      if (acknowledged < 20 * seeds.length || restarts < seeds.length)
        throw new Error(
          `only ${acknowledged} positions were acknowledged and ${restarts} nodes restarted in ${seeds.length} storms`,
        )
    },
  }
  const hasty = {
    name: 'elections among late messages and restarts: in many short lives no promise above is broken',
    run: () =>
      eachSeed(seeds, (seed) => {
        const [first] = scramble(subject, seed).all
        if (first !== undefined) throw new Error(`${promises[first[0]]}: ${first[1]}`)
      }),
  }
  return [...looked, hasty, busy]
}

/** The same promises with the real replica, journal, sessions and store around the engine, and everything going wrong. */
export const simulated = (subject: EngineSubject, seeds: readonly number[]): SuiteTest => {
  const runs = subject.runs ?? seeds.length * runsPerSeed
  const first = seeds[0] ?? 1
  return {
    name: `a seeded campaign of ${runs} simulated clusters finds nothing: elections, log, commits, sessions, state, linearizability`,
    run: async () => {
      const { factory: engine, insight, simulation: options = {} } = subject
      const parts = { engine, ...(insight !== undefined && { insight }) }
      const summary = await campaign({ seeds: Array.from({ length: runs }, (_, at) => first + at), parts, options })
      if (summary.verdict !== 'passed') throw new Error(reportOf(summary))
    },
  }
}
