import type { NodeId, RequestId } from '@conclave/interface'
import type { Term } from '../entry.ts'
import type { RaftState } from '../state.ts'

/** Becomes a follower in `term`, which is the present one or a later one; the vote of a present term is kept. */
export const becomeFollower = (raft: RaftState, term: Term, leader: NodeId | undefined): void => {
  leaveRole(raft)
  if (term > raft.term) raft.enterTerm(term, undefined)
  raft.leader = leader
  raft.role = { type: 'follower', electionIn: electionTicks(raft) }
}

/**
 * A fresh election time-out, uniform in [electionTicks, 2 × electionTicks). After a reset of the leader's link everybody campaigns at once, so a
 * split vote is retried sooner, in [¼, ¾) of electionTicks; nobody who is settled with a leader is disturbed by it.
 */
export const electionTicks = ({ timing, random, leaderGone }: RaftState): number => {
  const least = leaderGone ? Math.max(1, Math.floor(timing.electionTicks / 4)) : timing.electionTicks
  return least + Math.floor(random.next() * (leaderGone ? least * 2 : least))
}

/** A leader of the present term speaks: whoever is not the leader follows it, and waits anew before campaigning. */
export const heardLeader = (raft: RaftState, from: NodeId): void => {
  raft.sinceLeader = 0
  raft.leaderGone = false
  if (raft.role.type === 'follower') {
    raft.leader = from
    raft.role.electionIn = electionTicks(raft)
  } else becomeFollower(raft, raft.term, from)
}

/**
 * Settles what the server promised in the role that it leaves. A proposal of a lost reign may yet be decided, so its outcome is unknown;
 * a read has no effect, so it is refused.
 */
const leaveRole = (raft: RaftState): void => {
  const { role } = raft
  if (role.type !== 'leader') return
  raft.departed(raft.departing.keys())
  for (const { id } of role.proposals) raft.settle(id as RequestId, { type: 'unknown' })
  if (role.change !== undefined) raft.settle(role.change.id, { type: 'unknown' })
  const reads = [...role.readsWaiting, ...role.readRounds.flatMap(({ reads: waiting }) => waiting.map(({ id }) => id))]
  for (const id of reads) raft.settle(id as RequestId, { type: 'refused', reason: 'not-leader' })
}
