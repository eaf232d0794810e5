import type { NodeId } from '@conclave/interface'
import { renounceLeases } from './lease.ts'
import type { LeaderRole } from './roles/role.ts'
import type { RaftState } from './state.ts'

/*
 * Leadership transfer (dissertation, section 3.10): the leader takes no proposals, brings the target up to the end of its log, and tells it to
 * campaign at once. If nothing comes of it within an election time-out, the leader goes on.
 */

/**
 * Begins a transfer; ignored if the target is no other voter, or one is under way. A voter that is about to leave is a learner in the joint
 * configuration, and no change begins during a transfer, so the target stays a voter.
 */
export const transfer = (raft: RaftState, role: LeaderRole, to: NodeId): void => {
  if (role.transfer !== undefined || !isHeir(raft, to)) return
  role.transfer = { to, ticksLeft: raft.timing.electionTicks, sent: false }
}

const isHeir = (raft: RaftState, id: NodeId): boolean =>
  id !== raft.self && raft.membership.members.some((member) => member.id === id && member.role === 'voter')

/** Tells the target to campaign once its log is complete. Called once a drain. */
export const pushTransfer = (raft: RaftState, role: LeaderRole): void => {
  const { transfer } = role
  if (transfer === undefined || transfer.sent) return
  if (role.progress.get(transfer.to)?.match !== raft.log.last) return
  transfer.sent = true
  tellToCampaign(raft, role, transfer.to)
}

const tellToCampaign = (raft: RaftState, role: LeaderRole, id: NodeId): void => {
  renounceLeases(role)
  raft.sendEarly(id, { type: 'timeoutNow', term: raft.term })
}

export const tickTransfer = (role: LeaderRole): void => {
  const { transfer } = role
  if (transfer === undefined) return
  transfer.ticksLeft--
  if (transfer.ticksLeft <= 0) role.transfer = undefined
}

/** The voter with the longest log among those that were heard lately. */
const heir = (raft: RaftState, role: LeaderRole): NodeId | undefined => {
  let best: NodeId | undefined
  let most = 0
  for (const [id, { match, state, silentTicks }] of role.progress) {
    if (!isHeir(raft, id) || state === 'snapshot' || silentTicks >= raft.timing.electionTicks || match <= most) continue
    best = id
    most = match
  }
  return best
}

/** Gives leadership to whoever fits best, if anybody does. */
export const handOver = (raft: RaftState, role: LeaderRole): void => {
  const to = heir(raft, role)
  if (to !== undefined) transfer(raft, role, to)
}

/** The last word of a leader that is a member no more: whoever has its log campaigns. */
export const handOverAtOnce = (raft: RaftState, role: LeaderRole): void => {
  const to = heir(raft, role)
  if (to !== undefined) tellToCampaign(raft, role, to)
}

/** A leader whose disk is full can decide nothing, and one whose disk becomes slow makes everybody wait. */
export const diskChanged = (raft: RaftState, state: RaftState['disk']): void => {
  const worse = state === 'full' || (state === 'slow' && raft.disk === 'ok')
  raft.disk = state
  if (worse && raft.version > 1 && raft.role.type === 'leader') handOver(raft, raft.role)
}
