/** Messages in a few words, as they stand in the timelines of a simulation. */
import { concatChunks } from '@conclave/interface'
import { limits, timing } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { entryKind, makeEntry, type Term } from '../src/entry.ts'
import raft from '../src/index.ts'
import { encodeMessage, type Message } from '../src/messages.ts'
import { raftVersion1 } from '../src/testing.ts'
import { Servers } from './servers.ts'

const t = (n: number) => n as Term
const term = t(3)
const entry = makeEntry(term, entryKind.batch, new Uint8Array([1]))
const append = (entries: number): Message => ({
  type: 'append',
  term,
  previous: 6,
  previousTerm: t(2),
  commit: 5,
  entries: Array.from({ length: entries }, () => entry),
})
const told: [Message, string][] = [
  [{ type: 'vote', term, pre: true, last: 9, lastTerm: t(2) }, 'pre-vote last 9/2 term 3'],
  [{ type: 'vote', term, pre: false, last: 9, lastTerm: t(2) }, 'vote last 9/2 term 3'],
  [{ type: 'vote', term, pre: false, last: 9, lastTerm: t(2), transfer: true }, 'vote by transfer last 9/2 term 3'],
  [{ type: 'voteReply', term, pre: true, granted: true }, 'pre-vote granted term 3'],
  [{ type: 'voteReply', term, pre: false, granted: false }, 'vote refused term 3'],
  [append(0), 'append nothing after 6/2 commit 5 term 3'],
  [append(1), 'append 7 after 6/2 commit 5 term 3'],
  [append(3), 'append 7..9 after 6/2 commit 5 term 3'],
  [{ type: 'appendReply', term, ok: true, match: 9 }, 'match 9 term 3'],
  [
    { type: 'appendReply', term, ok: false, previous: 9, conflict: 4, conflictTerm: t(1) },
    'no match at 9, conflict 4/1 term 3',
  ],
  [{ type: 'heartbeat', term, commit: 5, round: 2 }, 'heartbeat round 2 commit 5 term 3'],
  [{ type: 'heartbeat', term, commit: 5, round: 2, lease: true }, 'heartbeat for a lease round 2 commit 5 term 3'],
  [{ type: 'heartbeatReply', term, round: 2 }, 'heartbeat answered round 2 term 3'],
  [{ type: 'heartbeatReply', term, round: 2, promise: true }, 'heartbeat answered with a promise round 2 term 3'],
  [{ type: 'timeoutNow', term }, 'campaign now term 3'],
]

describe('describe', () => {
  it.each(told)('%o', (message, words) => {
    expect(raft.describe?.(concatChunks(encodeMessage(message)))).toBe(words)
  })

  it('says nothing of what does not parse', () => {
    expect(raft.describe?.(new Uint8Array([9]))).toBeUndefined()
  })
})

describe('the two makes', () => {
  it('are one engine by name; only the new one changes members, and reads under leases if it is told to', () => {
    const { founders } = new Servers(3)
    const [self] = founders.members.map(({ id }) => id)
    if (self === undefined) throw new Error('there are founders')
    const init = { self, founders, recovered: { entries: [] }, timing, random: { next: () => 0 }, limits }
    expect(raftVersion1.name).toBe(raft.name)
    expect(raft.create(init).supports).toMatchObject({ membership: true, transfer: true, leases: false })
    expect(raft.create({ ...init, leases: true }).supports).toMatchObject({ leases: true })
    expect(raftVersion1.create({ ...init, leases: true }).supports).toMatchObject({ membership: false, leases: false })
  })
})
