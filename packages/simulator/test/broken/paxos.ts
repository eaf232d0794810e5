import type { Fixture } from './fixture.ts'

const simple = 'Paxos Made Simple'

/** Mistakes that authors of Multi-Paxos have made, or could have. */
export const brokenPaxoses: readonly Fixture[] = [
  {
    name: 'a promise told before it is on disk',
    rule: `an acceptor remembers its promise over a restart (${simple}, section 2.5)`,
    edits: [
      {
        file: 'engine-paxos/election.ts',
        find: "paxos.sendDurable(from, { type: 'promise',",
        replace: "paxos.sendEarly(from, { type: 'promise',",
      },
    ],
  },
  {
    name: 'a ballot used again after a restart',
    rule: `a proposer never uses a ballot twice: the highest one is on disk before it is used (${simple}, section 2.5)`,
    edits: [
      {
        file: 'engine-paxos/state.ts',
        find: '    this.reached = this.decided\n    this.#metaDirty = true\n',
        replace:
          '    this.reached = this.decided\n    if (ballot.ordinal !== this.configuration.ordinals.get(this.self)) this.#metaDirty = true\n',
      },
      { file: 'engine-paxos/state.ts', find: 'compareBallots(accepted.ballot, this.promised) <= 0', replace: 'true' },
      { file: 'engine-paxos/election.ts', find: 'ownPromised: false,', replace: 'ownPromised: true,' },
      {
        file: 'engine-paxos/election.ts',
        find: 'compareBallots(ballot, paxos.promised) > 0 &&',
        replace: 'compareBallots(ballot, paxos.promised) >= 0 &&',
      },
    ],
  },
  {
    name: 'a promise that omits decided slots',
    rule: 'a promise reports what was accepted, decided or not: the proposer may know less',
    edits: [
      {
        file: 'engine-paxos/election.ts',
        find: 'for (let slot = cursor; slot <= log.top; slot++) {',
        replace: 'for (let slot = Math.max(cursor, paxos.decided + 1); slot <= log.top; slot++) {',
      },
    ],
  },
  {
    name: 'promises of an old ballot counted',
    rule: `phase 2 begins with answers of a majority to this very ballot (${simple}, section 2.2)`,
    edits: [
      {
        file: 'engine-paxos/election.ts',
        find: '/** A voter may, unless its disk',
        replace:
          'const everPromised = new WeakMap<PaxosState, Map<NodeId, Promised>>()\n\n/** A voter may, unless its disk',
      },
      {
        file: 'engine-paxos/election.ts',
        find: '  paxos.role = role\n  for (let slot = role.from',
        replace: '  everPromised.set(paxos, role.promises)\n  paxos.role = role\n  for (let slot = role.from',
      },
      {
        file: 'engine-paxos/election.ts',
        find: 'promises: new Map(),',
        replace: 'promises: everPromised.get(paxos) ?? new Map(),',
      },
    ],
  },
  {
    name: 'the value of a lower ballot adopted',
    rule: `of the reported values that of the highest ballot is proposed (${simple}, section 2.2, P2c)`,
    edits: [
      {
        file: 'engine-paxos/election.ts',
        find: 'compareBallots(ballot, before.ballot) > 0',
        replace: 'compareBallots(ballot, before.ballot) < 0',
      },
    ],
  },
  {
    name: 'an incomplete paged promise counted',
    rule: 'a promise counts when all its pages are there',
    edits: [
      {
        file: 'engine-paxos/election.ts',
        find: 'promised.complete = message.next === 0',
        replace: 'promised.complete = true',
      },
    ],
  },
]
