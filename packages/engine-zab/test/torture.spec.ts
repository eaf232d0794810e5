/** Everything that a network, a disk and a crash may do, in random order: the safety of Zab holds at every step, and its liveness when it is over. */
import { AssertionFailed } from '@conclave/interface'
import { type Cheat, type Figures, noticed, type StormInit, storm, survived, Violation } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { subject } from './nodes.ts'

const seeds = 60
/** Milliseconds that a test may take on a machine that does much else. */
const patience = 120_000

describe('torture', { timeout: patience }, () => {
  /** @param least decided in a world, on average. */
  const many = (init: Omit<StormInit, 'seed'>, least: number): Figures => {
    const figures = survived(subject, seeds, init)
    expect(figures.decided).toBeGreaterThan(seeds * least)
    return figures
  }

  it.each([
    [3, 50],
    [5, 15],
  ])('%i nodes never disagree, and agree when the storm is over', (nodes, least) => {
    expect(many({ nodes }, least).restored).toBeGreaterThan(seeds / 2)
  })

  it('3 nodes whose members come and go, with lease reads', () => {
    const { leaseReads, changes, promotions, removals } = many({ nodes: 3, changing: true, leases: true }, 25)
    expect(leaseReads).toBeGreaterThan(seeds)
    expect(changes).toBeGreaterThan(seeds)
    expect(promotions).toBeGreaterThan(seeds / 5)
    expect(removals).toBeGreaterThan(0)
  })

  it('5 nodes whose members come and go, with lease reads: with so many, a storm leaves little time between two elections', () => {
    const { leaseReads, changes, promotions } = many({ nodes: 5, changing: true, leases: true }, 5)
    expect(leaseReads).toBeGreaterThan(seeds / 2)
    expect(changes).toBeGreaterThan(0)
    expect(promotions).toBeGreaterThan(0)
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
    // A node that said what its disk has not kept is asked to forget what is committed, and notices that itself.
    if (cheat !== 'clocks run at very different rates' && found instanceof AssertionFailed) return
    expect(found).toBeInstanceOf(Violation)
  })
})
