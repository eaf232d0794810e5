import type { NodeId } from '@conclave/interface'
import { voteResult, votersOf } from '@conclave/quorum'
import { becomeElected } from './discovery.ts'
import type { MessageOf, Vote } from './messages.ts'
import { follow } from './roles/following.ts'
import { becomeLooking, mayLead, notify, notifyAll, ownVote } from './roles/looking.ts'
import type { LookingRole } from './roles/role.ts'
import type { ZabState } from './state.ts'
import { compareZxids } from './zxid.ts'

/*
 * Phase 0, fast leader election (as in ZooKeeper; DSN 2011 takes any leader oracle): nodes that look tell each other whom they would have lead, and change to the
 * better one, until a quorum is of one mind. It is only a hint, on which liveness rests, never safety: discovery and synchronization judge again.
 */

type Notification = MessageOf<'notification'>

/**
 * Higher currentEpoch, then the longer history, then the higher id. Of equal histories that of a node which is about to leave is the last choice: it may have been
 * removed for long, and be cut off, and would be voted for again and again.
 */
const isBetter = (a: Vote, b: Vote | undefined): boolean => {
  if (b === undefined) return true
  if (a.epoch !== b.epoch) return a.epoch > b.epoch
  const order = compareZxids(a.zxid, b.zxid)
  if (order !== 0) return order > 0
  return a.leaving === b.leaving ? a.leader > b.leader : b.leaving === true
}

export const receiveNotification = (zab: ZabState, from: NodeId, message: Notification): void => {
  const { role } = zab
  if (role.type === 'LOOKING') {
    if (message.state === 'LOOKING') receiveVote(zab, role, from, message)
    else receiveSettled(zab, role, from, message)
  } else if (role.type === 'FOLLOWING' && role.leader === from) leaderSays(zab, role.phase, from, message)
  else if (message.state === 'LOOKING') notify(zab, from)
  // Somebody follows a later leader: this one was deposed.
  else if (role.type === 'LEADING' && message.epoch > zab.acceptedEpoch) becomeLooking(zab)
}

/** Whoever this node takes for the leader says that it is none, or none any more. */
const leaderSays = (zab: ZabState, phase: string, from: NodeId, { state, vote }: Notification): void => {
  if (state === 'LEADING') return
  if (state === 'LOOKING' && phase === 'discovery' && vote?.leader === from) return // it will be
  becomeLooking(zab)
  if (state === 'LOOKING') notify(zab, from)
}

const receiveVote = (zab: ZabState, role: LookingRole, from: NodeId, { round, vote }: Notification): void => {
  if (round < zab.round) return notify(zab, from) // it learns that this round is over
  const before = role.vote
  const isPassedOver = vote !== undefined && vote.leader === zab.passedOver?.id
  if (round > zab.round) {
    zab.round = round
    role.votes.clear()
    role.vote = ownVote(zab)
  }
  if (vote !== undefined && !isPassedOver) {
    // A vote only gets better within a round: one that is no better was overtaken.
    if (isBetter(vote, role.votes.get(from))) role.votes.set(from, vote)
    if (isBetter(vote, role.vote)) role.vote = vote
  }
  if (role.vote?.leader !== before?.leader) notifyAll(zab)
  // It does not know the better one. Of one that is passed over here it does: the two would tell each other without end.
  else if (!isPassedOver && role.vote !== undefined && vote?.leader !== role.vote.leader) notify(zab, from)
  count(zab, role)
}

/** Somebody has made up its mind. The word of the leader itself is enough; that of a follower is one vote. */
const receiveSettled = (zab: ZabState, role: LookingRole, from: NodeId, { state, round, vote }: Notification): void => {
  if (state === 'LEADING') return follow(zab, from)
  if (round !== zab.round || vote === undefined) return
  role.votes.set(from, vote)
  count(zab, role)
}

/** So many ticks a quorum of one mind waits for a better vote of somebody who was not heard. */
const patience = 3

const count = (zab: ZabState, role: LookingRole): void => {
  const { vote } = role
  const agrees = (id: NodeId): boolean => id === zab.self || role.votes.get(id)?.leader === vote?.leader
  if (vote === undefined || voteResult(zab.quorum, (id) => agrees(id) || undefined) !== 'won') {
    role.finalIn = undefined
    return
  }
  const waitsForSomebody = votersOf(zab.quorum).some((id) => zab.linked.has(id) && !agrees(id))
  if (waitsForSomebody) role.finalIn ??= patience
  else settle(zab, vote)
}

const settle = (zab: ZabState, { leader }: Vote): void => {
  if (leader === zab.self) becomeElected(zab)
  else follow(zab, leader)
}

/** Somebody already takes this node for the leader: it waits no longer for a better vote, if a quorum is of one mind. */
export const askedToLead = (zab: ZabState, role: LookingRole, from: NodeId): void => {
  if (role.vote?.leader !== zab.self) return notify(zab, from)
  role.votes.set(from, role.vote)
  count(zab, role)
  if (zab.role === role && role.finalIn !== undefined) becomeElected(zab)
}

export const tickLooking = (zab: ZabState, role: LookingRole): void => {
  if (role.finalIn !== undefined && --role.finalIn <= 0 && role.vote !== undefined) return settle(zab, role.vote)
  if (role.vote?.leader === zab.self && !mayLead(zab)) return becomeLooking(zab)
  role.vote ??= ownVote(zab)
  if (--role.notifyIn > 0) return
  // Whoever nobody answers for long, since it is no member any more, bothers them less and less.
  zab.notifyTicks = Math.min(zab.notifyTicks * 2, zab.timing.electionTicks)
  role.notifyIn = zab.notifyTicks
  notifyAll(zab)
  count(zab, role)
}

/** A link was made, or broke. */
export const peerChangedLooking = (
  zab: ZabState,
  role: LookingRole,
  id: NodeId,
  state: 'up' | 'down' | 'lost',
): void => {
  if (state === 'up') notify(zab, id)
  // What is left of it is a vote for somebody who may be dead.
  else if (state === 'down' && role.vote?.leader === id) becomeLooking(zab)
  else if (state === 'down') count(zab, role)
}
