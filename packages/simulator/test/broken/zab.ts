import type { Fixture } from './fixture.ts'

const paper = 'Zab, DSN 2011'

/** Mistakes that authors of Zab have made, or could have. */
export const brokenZabs: readonly Fixture[] = [
  {
    name: 'currentEpoch persisted before the history',
    rule: `a follower has the initial history on disk before, or when, it records that it follows the epoch (${paper}, algorithm 2; ZOOKEEPER-3911, ZOOKEEPER-4643)`,
    edits: [
      {
        file: 'engine-zab/synchronization.ts',
        find: "  role.phase = 'synchronization'\n}",
        replace: "  role.phase = 'synchronization'\n  zab.followEpoch(zab.acceptedEpoch)\n}",
      },
      // It takes a while until the history follows, as it does if it is long.
      {
        file: 'engine-zab/synchronization.ts',
        find: '  streamFrom(progress, common)\n',
        replace: "  streamFrom(progress, common)\n  progress.state = 'paused'\n",
      },
    ],
  },
  {
    name: 'an ACK before the transaction is on disk',
    rule: `a follower acknowledges what it has accepted, on stable storage (${paper}, algorithm 3)`,
    edits: [
      {
        file: 'engine-zab/broadcast.ts',
        find: "zab.sendDurable(role.leader, { type: 'ack',",
        replace: "zab.sendEarly(role.leader, { type: 'ack',",
      },
    ],
  },
  {
    name: 'TRUNC of a committed transaction',
    rule: 'only what the leader lacks is forgotten',
    edits: [
      {
        file: 'engine-zab/synchronization.ts',
        find: 'const common = history.lastUpTo(zxid)',
        replace: 'const common = Math.min(history.lastUpTo(zxid) ?? 0, Math.max(zab.committed, history.base))',
      },
      {
        file: 'engine-zab/synchronization.ts',
        find: 'keep !== undefined && keep >= zab.committed',
        replace: 'keep !== undefined',
      },
      { file: 'engine-zab/state.ts', find: 'assert(at > this.committed,', replace: 'assert(at > 0,' },
    ],
  },
  {
    name: 'a gap accepted',
    rule: 'a follower accepts a transaction only right after the one that precedes it (ZOOKEEPER-4925)',
    edits: [
      {
        file: 'engine-zab/broadcast.ts',
        find: '  if (message.first > history.last + 1) return resume(zab, role)\n',
        replace: '',
      },
      { file: 'engine-zab/history.ts', find: 'zxid.counter === expected.counter', replace: 'true' },
    ],
  },
  {
    name: 'a COMMIT out of order',
    rule: `a follower delivers what is committed in the order of the zxids of its leader's history, so not before its own is a beginning of that (${paper}, algorithms 2 and 3)`,
    edits: [
      {
        file: 'engine-zab/broadcast.ts',
        find: "  if (role.phase === 'broadcast') zab.commitTo",
        replace: '  if (role.phase) zab.commitTo',
      },
    ],
  },
  {
    name: 'undecided transactions applied at restart',
    rule: 'what was logged may never have been committed: it is delivered when a leader says so',
    edits: [
      {
        file: 'engine-zab/state.ts',
        find: '    this.stable = new StableMark(this.history.last)\n',
        replace: '    this.stable = new StableMark(this.history.last)\n    this.commitTo(this.history.last)\n',
      },
    ],
  },
  {
    name: 'a leader that lags behind a quorum',
    rule: `the initial history is that of the highest currentEpoch, then the highest zxid, in a quorum (${paper}, algorithm 1)`,
    edits: [
      {
        file: 'engine-zab/discovery.ts',
        find: 'return report === undefined ? undefined : !isAhead(zab, report)',
        replace: 'return report === undefined ? undefined : (isAhead(zab, report), true)',
      },
    ],
  },
]
