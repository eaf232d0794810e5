/** Everything that a network, a disk and a crash may do, in random order: Raft's safety holds at every step, and its liveness when it is over. */
import { type Cheat, type Figures, noticed, type StormInit, storm, survived, Violation } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { raft } from '../src/index.ts'
import { raftVersion1 } from '../src/testing.ts'
import { subject } from './servers.ts'

const seeds = 60
/** Milliseconds that a test may take on a machine that does much else. */
const patience = 120_000

describe('torture', { timeout: patience }, () => {
  const many = (init: Omit<StormInit, 'seed'>, worlds = seeds): Figures => {
    const figures = survived(subject, worlds, init)
    expect(figures.decided).toBeGreaterThan(worlds * 30)
    return figures
  }

  for (const nodes of [3, 5]) {
    it(`${nodes} servers never disagree, and agree when the storm is over`, () => {
      expect(many({ nodes }).restored).toBeGreaterThan(seeds)
    })

    it(`${nodes} servers whose members come and go, with lease reads`, () => {
      const { leaseReads, changes, promotions, removals } = many({ nodes, changing: true, leases: true })
      expect(leaseReads).toBeGreaterThan(seeds)
      expect(changes).toBeGreaterThan(seeds / 2)
      expect(promotions).toBeGreaterThan(seeds / 10)
      expect(removals).toBeGreaterThan(seeds / 10)
    })

    it(`${nodes} servers of two releases run together`, () => {
      many({ nodes, factories: [raft, raftVersion1], leases: true }, seeds / 2)
    })
  }

  it('3 servers to which messages of long ago return', () => {
    many({ nodes: 3, oldPackets: true, leases: true }, seeds / 2)
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
    expect(noticed(subject, 300, { nodes: 3, cheat, leases: true })).toBeInstanceOf(Violation)
  })
})
