import { encodeMembers, jointWithout, jointWithVoters, membershipFits, settledMembership } from '@conclave/engine-parts'
import {
  type Member,
  type Membership,
  type MembershipChange,
  type NodeId,
  position,
  type Refusal,
  type RequestId,
} from '@conclave/interface'
import { changedMembership } from '@conclave/quorum'
import { entryKind, makeEntry } from './entry.ts'
import { endLease } from './lease.ts'
import { appendHeadBytes, entryLengthBytes } from './messages.ts'
import { startProgress, tickCatchUp } from './progress.ts'
import { broadcastHeartbeat } from './reads.ts'
import { becomeFollower } from './roles/follow.ts'
import type { LeaderRole } from './roles/role.ts'
import type { RaftState } from './state.ts'
import { handOverAtOnce } from './transfer.ts'

/*
 * Membership by joint consensus (section 6). A change that leaves the voters alone is one entry. A change of voters is two: a joint configuration, under
 * which every decision needs a majority of the old voters and one of the new, and, once that is committed, the new configuration alone. A voter that
 * leaves stands in the joint configuration as a learner: it is told everything, and whoever has only this configuration knows how to reach it.
 */

// ---- a change begins ----------------------------------------------------------------------------------------------------------------

export const reconfigure = (raft: RaftState, role: LeaderRole, id: RequestId, change: MembershipChange): void => {
  const closed = closedFor(raft, role)
  if (closed !== undefined) return raft.settle(id, { type: 'refused', reason: closed })
  const next = changedMembership(raft.membership, change, jointWithout)
  if (next === undefined || !fits(raft, next) || !fits(raft, settledMembership(next)))
    return raft.settle(id, { type: 'refused', reason: 'invalid' })
  const at = appendConfiguration(raft, role, next)
  role.change = { id, endsAt: next.outgoing === undefined ? at : Number.POSITIVE_INFINITY }
}

/**
 * Why no change may begin now. Before an entry of the present term is committed, an earlier leader's change may still be; and with two changes at once
 * there could be two majorities that have nobody in common (dissertation, section 4.1, and Ongaro's note of 2015 on its bug).
 */
const closedFor = (raft: RaftState, role: LeaderRole): Refusal | undefined => {
  const { position, membership } = raft.configurations.latest
  if (raft.commit < role.reign) return 'not-ready'
  if (position > raft.commit || membership.outgoing !== undefined || role.transfer !== undefined) return 'in-progress'
  return raft.disk === 'full' ? 'disk-full' : undefined
}

/** Whether everybody could read it, in a message and in the header of a snapshot. */
const fits = ({ limits }: RaftState, membership: Membership): boolean =>
  membershipFits(membership, limits.messageBytes, appendHeadBytes + entryLengthBytes + 9)

const appendConfiguration = (raft: RaftState, role: LeaderRole, membership: Membership): number => {
  endLease(role)
  const at = raft.append(makeEntry(raft.term, entryKind.members, encodeMembers(membership)))
  followPeers(raft, role)
  return at
}

/** Everyone of every configuration that may still count is fed, and who is in the latest no more is held on to, until it has been told so. */
export const followPeers = (raft: RaftState, role: LeaderRole): void => {
  const { members } = raft.membership
  for (const peer of raft.peers()) {
    if (!members.some(({ id }) => id === peer.id)) raft.depart(peer)
    if (!role.progress.has(peer.id)) role.progress.set(peer.id, startProgress(raft.log.last + 1))
  }
}

// ---- a configuration is committed -----------------------------------------------------------------------------------------------------

/** The commit position of a leader has moved, so its reign is committed: only entries of its own term move it. */
export const afterCommit = (raft: RaftState, role: LeaderRole): void => {
  if (raft.version === 1) return
  const { latest } = raft.configurations
  if (latest.position > raft.commit) return
  if (latest.membership.outgoing !== undefined) {
    // Also if an earlier leader began it.
    const endsAt = appendConfiguration(raft, role, settledMembership(latest.membership))
    if (role.change !== undefined) role.change = { id: role.change.id, endsAt }
    return
  }
  settleChange(raft, role)
  if (isLeaving(raft)) leave(raft, role)
}

const settleChange = (raft: RaftState, role: LeaderRole): void => {
  const { change } = role
  if (change === undefined || change.endsAt > raft.commit) return
  role.change = undefined
  raft.settle(change.id, { type: 'decided', position: position(change.endsAt) })
}

/** The latest configuration is without this server, which leads until that is committed (dissertation, section 4.2.2). */
export const isLeaving = (raft: RaftState): boolean => !raft.membership.members.some(({ id }) => id === raft.self)

/** Tells the others that they are on their own, and who begins. */
const leave = (raft: RaftState, role: LeaderRole): void => {
  broadcastHeartbeat(raft, role)
  handOverAtOnce(raft, role)
  becomeFollower(raft, raft.term, undefined)
}

// ---- as time passes -------------------------------------------------------------------------------------------------------------------

/** So many election time-outs a removed member that does not answer is told that it is one. */
const farewell = 10

export const tickMembership = (raft: RaftState, role: LeaderRole): void => {
  for (const id of [...raft.departing.keys()]) tickDeparting(raft, role, id)
  if (raft.version === 1) return
  const ready = new Set(raft.membership.members.filter((member) => tickLearner(raft, role, member)).map(({ id }) => id))
  if (ready.size > 0 && closedFor(raft, role) === undefined) promote(raft, role, ready)
}

/** A removed member is fed until it has the configuration that it is not in and has been told, for a while, that this is committed. */
const tickDeparting = (raft: RaftState, role: LeaderRole, id: NodeId): void => {
  const progress = role.progress.get(id)
  const { electionTicks } = raft.timing
  const { position } = raft.configurations.latest
  if (progress === undefined || position > raft.commit) return
  const told = progress.match >= position && progress.toldCommit >= position
  progress.leaveIn = Math.min(progress.leaveIn, told ? electionTicks : electionTicks * farewell) - 1
  if (progress.leaveIn > 0) return
  role.progress.delete(id)
  raft.departed([id])
}

/** @returns whether it is on its way to voter, has caught up, and answers. */
const tickLearner = (raft: RaftState, role: LeaderRole, { id, promote }: Member): boolean => {
  const progress = role.progress.get(id)
  if (promote === undefined || progress === undefined) return false
  tickCatchUp(progress, raft.log.last, raft.timing.electionTicks)
  return progress.catchUp.done && progress.silentTicks <= raft.timing.heartbeatTicks * 2
}

/** Nobody asked for it but the mark in the configuration, so a later leader does it as well. */
const promote = (raft: RaftState, role: LeaderRole, ready: ReadonlySet<NodeId>): void => {
  const next = jointWithVoters(raft.membership, ready)
  if (fits(raft, next)) appendConfiguration(raft, role, next)
}
