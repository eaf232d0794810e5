import type { NodeId } from '@conclave/interface'
import { voteResult } from '@conclave/quorum'
import { discover } from './feeding.ts'
import { type MessageOf, plainPing } from './messages.ts'
import { heard } from './progress.ts'
import { ask, report, reportOf } from './roles/following.ts'
import { leaveRole } from './roles/leave.ts'
import { becomeLooking, notify } from './roles/looking.ts'
import type { ElectedRole, FollowingRole, LeaderRole, Report } from './roles/role.ts'
import type { ZabState } from './state.ts'
import { beginSynchronization, synchronize } from './synchronization.ts'
import { compareZxids, type ZabEpoch, zabEpoch } from './zxid.ts'

/*
 * Phase 1, discovery (DSN 2011, algorithm 1): the one that was elected learns of a quorum what it has promised, makes an epoch above all of that, has it promised
 * by a quorum, and learns their histories with the promises. It goes on if none of a quorum is ahead of its own history; else it leaves the lead to whoever is.
 */

// ---- the leader's side ------------------------------------------------------------------------------------------------------------------

/** Elected, by the hint of phase 0 or by the leader before. @param seen somebody is known to have promised as much. */
export const becomeElected = (zab: ZabState, seen: ZabEpoch = zab.acceptedEpoch): void => {
  leaveRole(zab)
  const role: ElectedRole = {
    type: 'LEADING',
    phase: 'discovery',
    cepochs: new Map([[zab.self, seen]]),
    epoch: undefined,
    reports: new Map(),
    ownWrite: 0,
    ticksLeft: zab.timing.electionTicks,
    repeatIn: zab.timing.heartbeatTicks,
  }
  zab.role = role
  tryEpoch(zab, role)
}

export const receiveCepoch = (zab: ZabState, from: NodeId, message: MessageOf<'cepoch'>): void => {
  const { role } = zab
  if (role.type !== 'LEADING') return notify(zab, from)
  const isMine = message.epoch === zab.acceptedEpoch && message.acceptedFrom === zab.self
  if (role.phase !== 'discovery') return lateComer(zab, role, from, message.epoch, isMine)
  role.cepochs.set(from, message.epoch)
  if (role.epoch === undefined) tryEpoch(zab, role)
  else if (message.epoch < role.epoch || isMine) zab.sendDurable(from, { type: 'newEpoch', epoch: role.epoch })
  else chooseEpoch(zab, role) // it has promised as much to another
}

/** NEWEPOCH, as soon as a quorum takes this node for the leader, and no pledge forbids it. */
const tryEpoch = (zab: ZabState, role: ElectedRole): void => {
  const follows = (id: NodeId): boolean | undefined => role.cepochs.has(id) || undefined
  if (voteResult(zab.quorum, follows) !== 'won' || zab.pledge.forbids(zab.self, zab.now)) return
  chooseEpoch(zab, role)
}

/** The own promise is made first, and is on disk before anybody hears of the epoch: so no node ever begins the same epoch twice. */
const chooseEpoch = (zab: ZabState, role: ElectedRole): void => {
  const epoch = zabEpoch(Math.max(zab.acceptedEpoch, ...role.cepochs.values()) + 1)
  role.epoch = epoch
  role.reports.clear()
  role.ownWrite = zab.out.nextWrite
  role.ticksLeft = zab.timing.electionTicks // until here a pledge may have taken as long
  zab.acceptEpoch(epoch, zab.self)
  sendNewEpoch(zab, role, epoch)
}

const sendNewEpoch = (zab: ZabState, role: ElectedRole, epoch: ZabEpoch): void => {
  for (const id of role.cepochs.keys())
    if (id !== zab.self && !role.reports.has(id)) zab.sendDurable(id, { type: 'newEpoch', epoch })
}

/** The write that records the own promise is durable: only now does it count. */
export const ownPromisePersisted = (zab: ZabState, role: ElectedRole): void => {
  role.reports.set(zab.self, reportOf(zab))
  countReports(zab, role)
}

export const receiveAckEpoch = (zab: ZabState, from: NodeId, message: MessageOf<'ackEpoch'>): void => {
  const { role } = zab
  if (role.type !== 'LEADING' || message.epoch !== role.epoch) return // of another epoch, or too late
  const report = { currentEpoch: message.currentEpoch, last: message.last, zxid: message.zxid }
  if (role.phase === 'discovery') {
    role.reports.set(from, report)
    countReports(zab, role)
    return
  }
  const progress = role.progress.get(from)
  if (progress === undefined) return
  heard(progress)
  // Less than it has acknowledged: a late double. Else the DIFF may have been lost, whatever it acknowledged before it came anew.
  const streams = progress.state === 'stream' || progress.state === 'paused'
  const isDouble = streams && report.last < progress.acked
  if (progress.state !== 'snapshot' && !isDouble) synchronize(zab, role, from, progress, report)
}

/** The higher currentEpoch, then the higher zxid (algorithm 1: the history of the follower that is ahead of all in the quorum is the initial one). */
const isAhead = (zab: ZabState, { currentEpoch, zxid }: Report): boolean =>
  currentEpoch === zab.currentEpoch ? compareZxids(zxid, zab.history.lastZxid) > 0 : currentEpoch > zab.currentEpoch

/**
 * Once a quorum has promised, and none of it is ahead, whatever was committed is in the own history: it is the initial one. If there is no such quorum any more,
 * this node abdicates; in the election that follows, whoever is ahead has the better vote.
 */
const countReports = (zab: ZabState, role: ElectedRole): void => {
  const notAhead = (id: NodeId): boolean | undefined => {
    const report = role.reports.get(id)
    return report === undefined ? undefined : !isAhead(zab, report)
  }
  const result = voteResult(zab.quorum, notAhead)
  if (result === 'won') beginSynchronization(zab, role)
  else if (result === 'lost') becomeLooking(zab)
}

export const tickElected = (zab: ZabState, role: ElectedRole): void => {
  if (--role.ticksLeft <= 0) return giveUp(zab, role)
  if (--role.repeatIn > 0) return
  role.repeatIn = zab.timing.heartbeatTicks
  for (const id of role.cepochs.keys()) if (id !== zab.self) zab.sendEarly(id, plainPing(zab.acceptedEpoch))
  if (role.epoch === undefined) tryEpoch(zab, role)
  else sendNewEpoch(zab, role, role.epoch)
}

/** No quorum came. If it was the own disk that did not answer, this node does not stand again before it does. */
const giveUp = (zab: ZabState, role: ElectedRole): void => {
  if (role.epoch !== undefined && !role.reports.has(zab.self)) zab.stalledOn = role.ownWrite
  becomeLooking(zab)
}

/**
 * CEPOCH to a leader that has its quorum (algorithm 3, last step). One that has promised a later epoch, or the same to somebody else whose attempt failed, could never
 * follow: then a new epoch begins.
 */
const lateComer = (zab: ZabState, role: LeaderRole, from: NodeId, accepted: ZabEpoch, isMine: boolean): void => {
  const progress = role.progress.get(from)
  if (progress === undefined) return
  heard(progress)
  if (accepted > role.epoch || (accepted === role.epoch && !isMine)) return beginAnew(zab, accepted)
  discover(zab, role, from, progress)
}

/** Goes through discovery again, for an epoch above `seen`. The followers are told, so that they do not wait for a time-out. */
export const beginAnew = (zab: ZabState, seen: ZabEpoch): void => {
  const { role, acceptedEpoch: epoch } = zab
  const wasOpen = role.type === 'LEADING' && role.phase === 'broadcast'
  becomeElected(zab, seen)
  if (wasOpen) for (const { id } of zab.peers()) zab.sendEarly(id, { type: 'takeOver', epoch })
}

// ---- the follower's side ----------------------------------------------------------------------------------------------------------------

/**
 * NEWEPOCH. Promised only if it is later than everything promised before, or is that very promise; and on disk, with whose it is, before the answer leaves:
 * two rivals that chose the same epoch never both get a quorum.
 */
export const acceptNewEpoch = (zab: ZabState, role: FollowingRole, { epoch }: MessageOf<'newEpoch'>): void => {
  const { leader } = role
  if (epoch > zab.acceptedEpoch) {
    if (zab.pledge.forbids(leader, zab.now)) return // it asks again
    zab.acceptEpoch(epoch, leader)
    role.phase = 'discovery'
    zab.leader = undefined
  } else if (epoch < zab.acceptedEpoch || zab.acceptedFrom !== leader) return ask(zab, role)
  role.known = true
  report(zab, role)
}
