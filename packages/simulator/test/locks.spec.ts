import { campaign, planOf, reportOf, run } from '@conclave/simulator'
import { describe, expect, test } from 'vitest'
import { paxosParts, raftParts, seeds, zabParts } from './parts.ts'

/** `SIMULATOR_SEED=n` begins elsewhere, `SIMULATOR_RUNS=n` runs more or fewer. */
const first = Number(process.env.SIMULATOR_SEED ?? 1)
const count = Number(process.env.SIMULATOR_RUNS ?? 60)

describe.each([
  ['Raft', raftParts],
  ['Multi-Paxos', paxosParts],
  ['Zab', zabParts],
])('lock clients on %s', (_, parts) => {
  test(`${count} seeds from ${first}: exclusive, fenced, no stale cache, no early expiry, in order, at one end after healing`, {
    timeout: 3_600_000,
  }, async () => {
    let failed = 0
    const summary = await campaign({
      seeds: seeds(first, count),
      parts,
      options: { workload: 'locks' },
      onRun: ({ violation }) => {
        if (violation !== undefined) failed++
      },
      shouldStop: () => failed > 3,
    })
    console.log(reportOf(summary))
    expect(summary.reasons).toEqual([])
  })
})

test('a client that is killed while it is down comes back once', { timeout: 60_000 }, async () => {
  const { violation } = await run(planOf(6131, { workload: 'locks' }), raftParts)
  expect(violation).toBeUndefined()
})

test('the same seed gives the same run, locks and all', async () => {
  const plan = planOf(7, { workload: 'locks' })
  const [one, two] = [await run(plan, raftParts), await run(plan, raftParts)]
  expect(one.digest).toBe(two.digest)
  expect(one.counts).toEqual(two.counts)
})
