import type { NodeId } from '@conclave/interface'
import { campaignNow, mayCampaign, startElection } from '../election.ts'
import type { Message } from '../messages.ts'
import { acceptAppend, acceptHeartbeat } from '../replication.ts'
import type { RaftState } from '../state.ts'
import { electionTicks } from './follow.ts'
import type { FollowerRole } from './role.ts'

export const tickFollower = (raft: RaftState, role: FollowerRole): void => {
  // After a reset of the leader's link everybody waits for the same moment if promises hold: the jitter begins when they end.
  if (raft.leaderGone && raft.pledge.forbids(raft.self, raft.now)) return
  role.electionIn--
  if (role.electionIn <= 0 && mayCampaign(raft)) startElection(raft)
  else if (role.electionIn <= 0) role.electionIn = electionTicks(raft)
}

export const stepFollower = (raft: RaftState, from: NodeId, message: Message): void => {
  switch (message.type) {
    case 'append':
      return acceptAppend(raft, from, message)
    case 'heartbeat':
      return acceptHeartbeat(raft, from, message)
    case 'timeoutNow':
      return campaignNow(raft)
    case 'vote':
    case 'voteReply':
    case 'appendReply':
    case 'heartbeatReply':
      return // votes are judged before any role sees them; the replies are for a role that this server has left
  }
}

/**
 * The leader's link was reset: it crashed, or cut us off. Its followers forget that they heard it and pre-vote after a short jitter; if it
 * lives, its next heartbeat ends that.
 */
export const leaderLinkDown = (raft: RaftState, role: FollowerRole): void => {
  raft.leaderGone = true
  role.electionIn = Math.min(role.electionIn, 1 + Math.floor(raft.random.next() * 8))
}
