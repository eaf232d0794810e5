import type { Fixture } from './fixture.ts'

const D = "Ongaro's dissertation"

/** Mistakes that authors of Raft have made, or could have. */
export const brokenRafts: readonly Fixture[] = [
  {
    name: 'no sync before the vote',
    rule: 'term and vote are on disk before the answer (Raft, figure 2)',
    edits: [
      {
        file: 'engine-raft/election.ts',
        find: "raft.sendDurable(from, { type: 'voteReply', term: raft.term, pre: false, granted: true })",
        replace: "raft.sendEarly(from, { type: 'voteReply', term: raft.term, pre: false, granted: true })",
      },
    ],
  },
  {
    name: 'no sync before the ack',
    rule: 'entries are on disk before the answer (Raft, figure 2)',
    edits: [
      {
        file: 'engine-raft/replication.ts',
        find: "raft.sendDurable(from, { type: 'appendReply', term: raft.term, ok: true, match: Math.max(match",
        replace: "raft.sendEarly(from, { type: 'appendReply', term: raft.term, ok: true, match: Math.max(match",
      },
    ],
  },
  {
    name: 'a duplicate append acknowledged before its first write',
    rule: 'an append that writes nothing may repeat one whose write is in flight',
    edits: [
      {
        file: 'engine-raft/replication.ts',
        find: '  appendNew(raft, append)\n',
        replace:
          '  const before = [log.last, log.lastTerm].join()\n  appendNew(raft, append)\n  const nothingNew = before === [log.last, log.lastTerm].join()\n',
      },
      {
        file: 'engine-raft/replication.ts',
        find: "  raft.sendDurable(from, { type: 'appendReply', term: raft.term, ok: true, match: Math.max(match",
        replace:
          "  raft[nothingNew ? 'sendEarly' : 'sendDurable'](from, { type: 'appendReply', term: raft.term, ok: true, match: Math.max(match",
      },
    ],
  },
  {
    name: 'a slot counted that a later write replaced',
    rule: 'a write says nothing of an entry that was truncated while it was in flight',
    edits: [
      {
        file: 'engine-parts/stable-mark.ts',
        find: '    for (const pending of this.#pending) pending.last = Math.min(pending.last, position - 1)\n',
        replace: '',
      },
    ],
  },
  {
    name: 'an entry of an old term committed by counting',
    rule: 'only entries of the present term are committed by counting (Raft, section 5.4.2, figure 8)',
    edits: [
      {
        file: 'engine-raft/replication.ts',
        find: ' || raft.log.term(reached) !== raft.term',
        replace: '',
      },
    ],
  },
  {
    name: 'truncation on a stale append',
    rule: 'only a conflicting suffix is deleted (Raft, section 5.3)',
    edits: [
      {
        file: 'engine-raft/replication.ts',
        find: '    raft.append(entry)\n  }\n',
        replace:
          '    raft.append(entry)\n  }\n  const end = Math.max(at, raft.commit)\n  if (end < raft.log.last) raft.truncateFrom(end + 1)\n',
      },
    ],
  },
  {
    name: 'a vote forgotten at restart',
    rule: 'one vote a term, over restarts (Raft, section 5.2)',
    edits: [
      {
        file: 'engine-raft/meta.ts',
        find: '  return { term: metaTerm, vote, ',
        replace: '  return { term: metaTerm, vote: undefined, ',
      },
    ],
  },
  {
    name: 'a read without a quorum round',
    rule: `a read waits for a round that confirms the reign (${D}, section 6.4)`,
    edits: [
      {
        file: 'engine-raft/reads.ts',
        find: "  if (level === 'lease' && raft.commit >= role.reign && leaseHolds(raft, role))",
        replace: '  if (raft.commit >= role.reign)',
      },
    ],
  },
  {
    name: 'a lease from the wrong start',
    rule: `a lease begins when its round was sent (${D}, section 6.4.1)`,
    leases: true,
    edits: [
      {
        file: 'engine-raft/reads.ts',
        find: '  if (reply.promise) promised(progress, reply.round)\n',
        replace:
          '  if (reply.promise) {\n    promised(progress, reply.round)\n    role.leaseRounds = role.leaseRounds.map(({ round }) => ({ round, at: raft.now }))\n  }\n',
      },
    ],
  },
  {
    name: 'a lease believed after a pause',
    rule: 'a lease is judged by the clock of this moment, not by ticks that a stopped process did not count',
    leases: true,
    edits: [
      {
        file: 'engine-raft/engine.ts',
        find: '    raft.now = now\n',
        replace: "    if (input.type === 'tick') raft.now = now\n",
      },
    ],
  },
  {
    name: 'a membership change before a commit in the term',
    rule: `without joint consensus, voters change one at a time, after a commit in the term (${D}, section 4.1, and Ongaro's note of 2015)`,
    edits: [
      {
        file: 'engine-raft/membership.ts',
        find: "  if (raft.commit < role.reign) return 'not-ready'\n",
        replace: '',
      },
      {
        file: 'engine-parts/joint.ts',
        find: '  return { ...now, members, outgoing: voters }',
        replace: '  return forget(now, [id])',
      },
      {
        file: 'engine-parts/joint.ts',
        find: '  return { ...now, members, outgoing: votersOf(now) }',
        replace: '  return { ...now, members }',
      },
    ],
  },
  {
    name: 'two changes at once',
    rule: 'a change begins when the one before it is committed (Raft, section 6)',
    edits: [
      {
        file: 'engine-raft/membership.ts',
        find: '  if (position > raft.commit || membership.outgoing !== undefined || role.transfer !== undefined) return',
        replace: '  if (role.transfer !== undefined) return',
      },
      {
        file: 'engine-parts/joint.ts',
        find: '  return { ...now, members, outgoing: voters }',
        replace: '  return forget(now, [id])',
      },
      {
        file: 'engine-parts/joint.ts',
        find: '  return { ...now, members, outgoing: votersOf(now) }',
        replace: '  return { ...now, members }',
      },
    ],
  },
  {
    name: 'a learner counted in the quorum',
    rule: `a learner counts in no majority (${D}, section 4.2.1)`,
    edits: [
      {
        file: 'engine-raft/replication.ts',
        find: '  const reached = committed(raft.quorum, (id) =>',
        replace:
          '  const counted = [raft.self, ...role.progress.keys()]\n  const reached = committed([{ voters: counted, need: raft.quorum[0]?.need ?? 1 }], (id) =>',
      },
    ],
  },
  {
    name: 'applied before it is committed',
    rule: 'only committed entries are applied (Raft, section 5.3)',
    edits: [
      {
        file: 'engine-raft/replication.ts',
        find: '  raft.commitTo(Math.min(append.commit, Math.max(match, raft.commit)))',
        replace: '  raft.commitTo(Math.max(match, raft.commit))',
      },
    ],
  },
]
