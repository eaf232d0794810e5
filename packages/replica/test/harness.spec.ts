import { describe, expect, test } from 'vitest'
import { runCampaign, runWorld } from './harness/campaign.ts'
import { saboteurs } from './harness/saboteurs.ts'

/** `HARNESS_SEED=n` begins elsewhere, `HARNESS_COUNT=n` runs more or fewer. */
const first = Number(process.env.HARNESS_SEED ?? 1)
const count = Number(process.env.HARNESS_COUNT ?? 1_000)
const seeds = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at)

/** The last lines of a world that failed, and how to see it again. */
const story = ({ seed, violation, lines }: { seed: number; violation?: string; lines: readonly string[] }): string =>
  [...lines.slice(-40), `seed ${seed}: ${violation}`, `again: npm run harness -w @conclave/replica -- ${seed}`].join(
    '\n',
  )

describe('worlds of three and five nodes under crashes, partitions and failing disks', () => {
  test(`${count} seeds: safe throughout, and at one end after healing`, { timeout: 600_000 }, async () => {
    const { digest, results, failures } = await runCampaign(seeds(first, first + count), {}, true)
    expect(failures.map(story)).toEqual([])
    const sum = (of: (result: (typeof results)[number]) => number): number =>
      results.reduce((total, result) => total + of(result), 0)
    console.log(
      `seeds ${first} to ${first + count - 1}: digest ${digest}, ${sum(({ operations }) => operations)} operations, ${sum(({ decided }) => decided)} decided, ` +
        `${sum(({ lives }) => lives)} lives, ${sum(({ leaders }) => leaders)} reigns, ${sum(({ snapshotsRestored }) => snapshotsRestored)} snapshots restored`,
    )
    // Worlds in which nothing happens would prove nothing.
    expect(sum(({ lives }) => lives)).toBeGreaterThan(count * 5)
    expect(sum(({ snapshotsRestored }) => snapshotsRestored)).toBeGreaterThan(count / 10)
    expect(sum(({ leaders }) => leaders)).toBeGreaterThan(count * 2)
  })

  test('the same seed gives the same digest, another seed another', async () => {
    const again = await Promise.all([3, 4, 5, 3, 4, 5].map(async (seed) => (await runWorld(seed)).digest))
    expect(again.slice(0, 3)).toEqual(again.slice(3))
    expect(new Set(again).size).toBe(3)
  })
})

describe('the harness notices', () => {
  for (const [what, saboteur] of Object.entries(saboteurs)) {
    test(what, { timeout: 120_000 }, async () => {
      const { results, failures } = await runCampaign(seeds(1, 801), saboteur, true)
      expect(failures).toHaveLength(1)
      console.log(`${what}: noticed after ${results.length} seeds: ${failures[0]?.violation?.slice(0, 160)}`)
    })
  }
})
