import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { SyncSite } from '../src/index.ts'
import { checkDurability, checkKills } from './durability.ts'

const sites: readonly SyncSite[] = ['group', 'segment', 'segment-entry', 'snapshot', 'snapshot-entry', 'parent']
const seeds = [1, 2, 3, 4, 5, 6, 7, 8]

describe('durability', () => {
  test.each(seeds)('no acknowledged write is lost, wherever power fails, twice if need be (seed %i)', async (seed) => {
    const { points, syncs } = await checkDurability({ seed, skipped: [], writes: 40 })
    expect(points).toBeGreaterThan(200)
    expect([...syncs.keys()].sort()).toEqual([...sites].sort())
  })

  test.each(seeds.slice(0, 3))(
    'what open returned after a kill survives the loss of power that follows (seed %i)',
    async (seed) => {
      await checkKills({ seed, skipped: [], writes: 25 })
    },
  )

  test('every place that syncs is named, once', () => {
    const source = new URL('../src/', import.meta.url)
    const found = readdirSync(source)
      .filter((name) => name.endsWith('.ts') && name !== 'simulated-disk.ts')
      .flatMap((name) =>
        [
          ...readFileSync(new URL(name, source), 'utf8').matchAll(
            /(?:\.append|\.sync|syncFile|\.syncDirectory)\([^()]*?'([a-z-]+)'/g,
          ),
        ].map((match) => match[1]),
      )
    expect(found.sort()).toEqual([...sites].sort())
  })

  // A durability test that cannot fail shows nothing: each sync is left out in turn, and the test above must notice.
  test.each(sites)('without the sync of "%s" something is lost', async (site) => {
    const lost = async (): Promise<void> => {
      for (const seed of seeds) await checkDurability({ seed, skipped: [site], writes: 40 })
    }
    await expect(lost()).rejects.toThrow(/^seed /)
  })
})
