import type { NodeId } from '@conclave/interface'
import { voteResult, votersOf } from '@conclave/quorum'
import { type Term, term } from './entry.ts'
import type { Message } from './messages.ts'
import { becomeFollower, electionTicks } from './roles/follow.ts'
import { becomeLeader } from './roles/leader.ts'
import type { CandidateRole, PreCandidateRole } from './roles/role.ts'
import type { RaftState } from './state.ts'

type VoteRequest = Message & { type: 'vote' }
type VoteReply = Message & { type: 'voteReply' }

/** The election time-out has passed: ask first whether an election could be won (PreVote), so that a server that was cut off disturbs nobody. */
export const startElection = (raft: RaftState): void => {
  raft.leader = undefined
  const role: PreCandidateRole = {
    type: 'preCandidate',
    electionIn: electionTicks(raft),
    votes: new Map([[raft.self, true]]),
  }
  raft.role = role
  askForVotes(raft, { type: 'vote', term: term(raft.term + 1), pre: true, ...lastOf(raft) })
  countPreVotes(raft, role)
}

/** Whoever counts may, unless its disk has no room for its own vote, or it promised not to. */
export const mayCampaign = (raft: RaftState): boolean => canCampaign(raft) && !raft.pledge.forbids(raft.self, raft.now)

const canCampaign = (raft: RaftState): boolean =>
  raft.configurations.counts(raft.self, raft.commit) && raft.disk !== 'full'

/**
 * The leader hands over (dissertation, section 3.10): campaign at once and without asking first. The leader of this term holds no lease any more, so
 * the promise to it does not stand in the way; what was promised before a restart is not known.
 */
export const campaignNow = (raft: RaftState): void => {
  if (canCampaign(raft) && !raft.pledge.isQuiet(raft.now)) campaign(raft, true)
}

const lastOf = ({ log }: RaftState): { readonly last: number; readonly lastTerm: Term } => ({
  last: log.last,
  lastTerm: log.lastTerm,
})

const askForVotes = (raft: RaftState, request: VoteRequest): void => {
  for (const id of votersOf(raft.quorum)) {
    if (id === raft.self) continue
    if (request.pre) raft.sendEarly(id, request)
    else raft.sendDurable(id, request) // the own vote of this term is on disk before anybody hears of the candidacy
  }
}

const countPreVotes = (raft: RaftState, role: PreCandidateRole): void => {
  const result = voteResult(raft.quorum, (id) => role.votes.get(id))
  if (result === 'won') campaign(raft, false)
  else if (result === 'lost') becomeFollower(raft, raft.term, undefined)
}

/** Section 5.2: increment the term, vote for oneself, ask the others. */
const campaign = (raft: RaftState, transfer: boolean): void => {
  raft.enterTerm(term(raft.term + 1), raft.self)
  raft.role = { type: 'candidate', electionIn: electionTicks(raft), votes: new Map(), ownVote: raft.nextWrite }
  const request: VoteRequest = { type: 'vote', term: raft.term, pre: false, ...lastOf(raft) }
  askForVotes(raft, transfer ? { ...request, transfer } : request)
}

const countVotes = (raft: RaftState, role: CandidateRole): void => {
  const result = voteResult(raft.quorum, (id) => role.votes.get(id))
  if (result === 'won') becomeLeader(raft)
  else if (result === 'lost') becomeFollower(raft, raft.term, undefined)
}

/** The write that records a candidate's own vote is durable: only now does it count. */
export const ownVotePersisted = (raft: RaftState, role: CandidateRole): void => {
  role.votes.set(raft.self, true)
  countVotes(raft, role)
}

export const tickCandidate = (raft: RaftState, role: PreCandidateRole | CandidateRole): void => {
  role.electionIn--
  if (role.electionIn > 0) return
  // Its disk does not answer: another campaign would get no further, but raise its term, and depose whoever is elected meanwhile.
  if (role.type === 'candidate' && !role.votes.has(raft.self)) role.electionIn = electionTicks(raft)
  else if (mayCampaign(raft)) startElection(raft)
  else becomeFollower(raft, raft.term, undefined)
}

export const receiveVoteReply = (raft: RaftState, from: NodeId, reply: VoteReply): void => {
  const { role } = raft
  if (role.type === 'preCandidate' && reply.pre) {
    // A grant echoes the term that was asked for; one for an earlier round of ours says nothing about this one.
    if (reply.granted && reply.term !== raft.term + 1) return
    if (reply.granted || !role.votes.has(from)) role.votes.set(from, reply.granted) // a refusal may be of an earlier round
    countPreVotes(raft, role)
  } else if (role.type === 'candidate' && !reply.pre && reply.term === raft.term) {
    if (!role.votes.has(from)) role.votes.set(from, reply.granted)
    countVotes(raft, role)
  }
}

/**
 * Whether a leader was heard so lately that no vote is given (section 6; dissertation 4.2.3): a server that a removed or cut-off candidate
 * reaches must not depose a leader that serves. The reset of the leader's link waives it.
 */
export const leaderIsSettled = (raft: RaftState): boolean =>
  raft.role.type === 'leader' ||
  (raft.leader !== undefined && !raft.leaderGone && raft.sinceLeader < raft.timing.electionTicks)

/**
 * Whether a request for a vote of a later term is heard at all. A candidate that the leader itself has sent may depose it (section 4.2.3), and a promise
 * to that leader is void; what was promised before a restart may be to another.
 */
export const mayDepose = (raft: RaftState, from: NodeId, { transfer }: VoteRequest): boolean =>
  transfer ? !raft.pledge.isQuiet(raft.now) : !leaderIsSettled(raft) && !raft.pledge.forbids(from, raft.now)

/**
 * Judges a pre-vote (which changes no term and no vote) or, in the present term, a vote. A vote of a later term has passed the epoch gate
 * and is of the present term by now. One's own membership plays no part: it may be the candidate that knows the newer configuration.
 */
export const judgeVote = (raft: RaftState, from: NodeId, request: VoteRequest): void => {
  const upToDate = raft.log.isUpToDate(request.last, request.lastTerm)
  if (request.pre) {
    const granted = request.term > raft.term && upToDate && mayDepose(raft, from, request)
    raft.sendEarly(from, { type: 'voteReply', term: granted ? request.term : raft.term, pre: true, granted })
    return
  }
  const free = raft.vote === undefined ? raft.leader === undefined : raft.vote === from
  // The term may have been heard of without a vote, while a promise still holds.
  const forbidden = request.transfer ? raft.pledge.isQuiet(raft.now) : raft.pledge.forbids(from, raft.now)
  if (!free || !upToDate || forbidden) {
    raft.sendEarly(from, { type: 'voteReply', term: raft.term, pre: false, granted: false })
    return
  }
  if (raft.vote === undefined) raft.enterTerm(raft.term, from)
  if (raft.leader === undefined) becomeFollower(raft, raft.term, undefined) // else it is a doubled request of the leader
  raft.sendDurable(from, { type: 'voteReply', term: raft.term, pre: false, granted: true })
}
