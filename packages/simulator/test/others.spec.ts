import { campaign, planOf, reportOf, run } from '@conclave/simulator'
import { describe, expect, test } from 'vitest'
import { paxosParts, seeds, zabParts } from './parts.ts'

/** `SIMULATOR_SEED=n` begins elsewhere, `SIMULATOR_RUNS=n` runs more or fewer. */
const first = Number(process.env.SIMULATOR_SEED ?? 1)
const count = Number(process.env.SIMULATOR_RUNS ?? 600)

describe.each([
  ['Multi-Paxos', paxosParts],
  ['Zab', zabParts],
])('%s under every fault', (_, parts) => {
  test(`${count} seeds from ${first}: safe throughout, at one end after healing, every mark reached`, {
    timeout: 3_600_000,
  }, async () => {
    let failed = 0
    const summary = await campaign({
      seeds: seeds(first, count),
      parts,
      onRun: ({ violation }) => {
        if (violation !== undefined) failed++
      },
      shouldStop: () => failed > 3,
    })
    console.log(reportOf(summary))
    expect(summary.reasons).toEqual([])
  })
})

test('what an engine has no part in is out of reach of its campaigns, and says why', async () => {
  const summary = await campaign({ seeds: seeds(1, 1), parts: paxosParts, options: { durationMillis: 600 } })
  expect(summary.outOfReach.get('joint configuration finished by another leader')).toContain('stop-sign')
})

test('a node that came back asks another than itself who somebody unknown is (seed 8010)', async () => {
  // A member that was added while it was away is needed for a quorum: as long as nobody vouches for it, no answer finds its way there.
  expect((await run(planOf(8010), zabParts)).violation).toBeUndefined()
})
