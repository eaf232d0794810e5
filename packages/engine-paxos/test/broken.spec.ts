/** One mistake each in the present source: the storms must notice, or they show nothing. */
import type { EngineFactory } from '@conclave/interface'
import { type Edit, loadBroken, noticed } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { subject } from './nodes.ts'

interface Fixture extends Edit {
  readonly name: string
  /** Members come and go: without that the mistake has no effect. */
  readonly changing?: true
}

const fixtures: readonly Fixture[] = [
  {
    name: 'a promise omits what is decided',
    file: 'engine-paxos/election.ts',
    find: 'for (let slot = cursor; slot <= log.top; slot++) {',
    replace: 'for (let slot = Math.max(cursor, paxos.decided + 1); slot <= log.top; slot++) {',
  },
  {
    name: 'the value of the lowest ballot is adopted',
    file: 'engine-paxos/election.ts',
    find: 'compareBallots(ballot, before.ballot) > 0',
    replace: 'compareBallots(ballot, before.ballot) < 0',
  },
  {
    name: 'an incomplete promise counts',
    file: 'engine-paxos/election.ts',
    find: 'promised.complete = message.next === 0',
    replace: 'promised.complete = true',
  },
  {
    name: 'an acceptor that lacks what it would have to report promises',
    file: 'engine-paxos/election.ts',
    find: 'if (message.from <= paxos.log.base || cursor < message.from) return',
    replace: '',
  },
  {
    name: 'an acceptance is told before it is on disk',
    file: 'engine-paxos/roles/acceptor.ts',
    find: "paxos.sendDurable(from, { type: 'accepted'",
    replace: "paxos.sendEarly(from, { type: 'accepted'",
  },
  {
    name: 'the leader counts itself before its write is durable',
    file: 'engine-paxos/replication.ts',
    find: '{ votes: new Set(), chosen: false }',
    replace: '{ votes: new Set([paxos.self]), chosen: false }',
  },
  {
    name: 'a watermark delivers what was accepted in any ballot',
    file: 'engine-paxos/delivery.ts',
    find: 'slot <= decided && sameBallot(accepted.ballot, paxos.promised)',
    replace: 'slot <= decided',
  },
  {
    name: 'reads before the reign is open',
    file: 'engine-paxos/reads.ts',
    find: 'if (tenure.readsWaiting.length === 0 || !sameBallot(paxos.reign, role.ballot)) return',
    replace: 'if (tenure.readsWaiting.length === 0) return',
  },
  {
    name: 'a restart takes the slots of two configurations for those of one',
    file: 'engine-paxos/state.ts',
    find: 'while (this.decided < meta.decided) {',
    replace: 'while (this.decided < 0) {',
    changing: true,
  },
]

/** Seeds within which each is noticed. */
const most = 120

describe('a storm notices', () => {
  for (const { name, changing = false, ...edit } of fixtures)
    it(name, { timeout: 120_000 }, async () => {
      const { paxos: factory } = (await loadBroken(name, [edit])).get('engine-paxos') as { paxos: EngineFactory }
      const found = noticed({ ...subject, factory }, most, { nodes: 3, changing, leases: true })
      expect(found).toBeInstanceOf(Error)
    })
})
