import type { SyncSite } from '@conclave/journal-file'
import { describe, expect, test } from 'vitest'
import { journalCompliance } from '../src/journal.ts'
import { brokenInMemory, memoryStore, storeWithout } from './broken-journals.ts'

const crashes = 'after a crash at any point'

describe('the suite of journals', () => {
  test('finds nothing in a journal that keeps its promises', async () => {
    const suite = await journalCompliance({ name: 'memory', store: memoryStore(() => (journal) => journal), seeds: 1 })
    expect(await suite.run()).toEqual([])
    expect(suite.report()).toMatch(/skipped: open: DataDirectoryInUse .*: the store of this subject offers no `rival`/)
  })

  test.each(Object.entries(brokenInMemory))('catches a journal that %s', async (name, { found, breaks }) => {
    const suite = await journalCompliance({
      name,
      store: memoryStore(breaks),
      seeds: 1,
      crashes: 20,
      patienceMillis: 1000,
    })
    expect(await suite.run((test) => test.startsWith(found))).toHaveLength(1)
  })

  // Each is a line of code that somebody forgets; the loss shows only after a crash at the right moment.
  test.each(['group', 'segment-entry', 'snapshot', 'snapshot-entry'] as const satisfies SyncSite[])(
    'catches a journal without the sync "%s"',
    async (site) => {
      const suite = await journalCompliance({ name: site, store: storeWithout(site) })
      const [failure] = await suite.run((test) => test.startsWith(crashes))
      expect(String(failure?.error)).toMatch(/seed \d+: crash after step \d+ of \d+/)
    },
  )
})
