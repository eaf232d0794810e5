import { raft } from '@conclave/engine-raft'
import { raftInsight } from '@conclave/simulator'
import { describe, expect, test } from 'vitest'
import { engineCompliance } from '../src/engine.ts'
import { brokenEngines } from './broken-engines.ts'

const campaign = 'a seeded campaign'

describe('the suite of engines', () => {
  // That Raft passes all of it is seen in its own package.
  test.each(Object.entries(brokenEngines))('catches an engine that %s', async (_, { found, factory }) => {
    const suite = engineCompliance({ factory })
    const [failure] = await suite.run((name) => name.startsWith(found))
    expect(failure?.name.startsWith(found)).toBe(true)
  })

  test('catches by simulation an engine whose acknowledgements are early', async () => {
    const { factory } = brokenEngines['marks its acknowledgements as early'] ?? { factory: raft }
    const suite = engineCompliance({ factory, insight: raftInsight, runs: 60 })
    const [failure] = await suite.run((name) => name.startsWith(campaign))
    expect(String(failure?.error)).toMatch(/seed \d+: /)
  })

  test('leaves out what an engine does not offer, and says why', async () => {
    const supports = {
      snapshots: false,
      reads: true,
      membership: false,
      learners: false,
      transfer: false,
      leases: false,
    }
    const factory = {
      ...raft,
      create: (init: Parameters<typeof raft.create>[0]) => {
        const engine = raft.create(init)
        return {
          supports,
          step: engine.step.bind(engine),
          drain: engine.drain.bind(engine),
          status: engine.status.bind(engine),
        }
      },
    }
    const { tests } = engineCompliance({ factory, seeds: 1 })
    const skipped = new Map(
      tests.flatMap(({ name, skipped: why }) => (why === undefined ? [] : [[name.split(':')[0], why]])),
    )
    expect(skipped.get('captured')).toBe('the engine says supports.snapshots = false')
    expect(skipped.get('transfer')).toBe('the engine says supports.transfer = false')
    expect(skipped.get('reconfigure add')).toBe('the engine says supports.learners = false')
    expect(skipped.get('read lease')).toBe('the engine says supports.leases = false')
  })
})
