/** Everything that a network, a disk and a crash may do, in random order: the safety of Paxos holds at every step, and its liveness when it is over. */
import { AssertionFailed } from '@conclave/interface'
import { type Cheat, type Figures, noticed, type StormInit, storm, survived, Violation } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { subject } from './nodes.ts'

const seeds = 60
/** Milliseconds that a test may take on a machine that does much else. */
const patience = 120_000

describe('torture', { timeout: patience }, () => {
  const many = (init: Omit<StormInit, 'seed'>): Figures => {
    const figures = survived(subject, seeds, init)
    expect(figures.decided).toBeGreaterThan(seeds * 40)
    return figures
  }

  for (const nodes of [3, 5]) {
    it(`${nodes} nodes never disagree, and agree when the storm is over`, () => {
      expect(many({ nodes }).restored).toBeGreaterThan(seeds)
    })

    it(`${nodes} nodes whose members come and go, with lease reads`, () => {
      const { leaseReads, changes, promotions, removals } = many({ nodes, changing: true, leases: true })
      expect(leaseReads).toBeGreaterThan(seeds)
      expect(changes).toBeGreaterThan(seeds)
      expect(promotions).toBeGreaterThan(seeds / 5)
      expect(removals).toBeGreaterThan(seeds / 5)
    })
  }

  it('3 nodes to which messages of long ago return', () => {
    many({ nodes: 3, oldPackets: true, leases: true })
  })

  it('the same seed gives the same run', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const [one, other] = [storm(subject, { seed, nodes: 3 }), storm(subject, { seed, nodes: 3 })]
      expect(one.fingerprint).toBe(other.fingerprint)
      expect(one.invariants.truth).toEqual(other.invariants.truth)
    }
  })

  it.each<Cheat>([
    'messages leave before their writes are durable',
    'a crash takes the end of the log',
    'clocks run at very different rates',
  ])('it notices when %s', (cheat) => {
    const found = noticed(subject, 300, { nodes: 3, cheat, leases: true })
    // A node whose disk has lost what it said is decided may notice that itself.
    if (cheat === 'a crash takes the end of the log' && found instanceof AssertionFailed) return
    expect(found).toBeInstanceOf(Violation)
  })
})
