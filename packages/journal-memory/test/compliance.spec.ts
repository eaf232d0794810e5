import { journalCompliance } from '@conclave/compliance/journal'
import { describe, test } from 'vitest'
import { type MemoryJournal, memoryJournal } from '../src/index.ts'

const suite = await journalCompliance({
  name: 'journal-memory',
  store: () => {
    let present = memoryJournal()
    const next = (): MemoryJournal => {
      present = present.reopen()
      return present
    }
    return {
      journal: next,
      crash: next,
      hold: { begin: () => Object.assign(present.faults, { hold: true }), end: () => present.release() },
      failing: { begin: () => Object.assign(present.faults, { failSync: true }), end: () => {} },
    }
  },
})
suite.register({ describe, test })
