import { assert, type NodeId } from '@conclave/interface'
import { voteResult } from '@conclave/quorum'
import { establish, noteCommitted } from './broadcast.ts'
import { sendCommitLeader } from './feeding.ts'
import { followPeers } from './membership.ts'
import type { MessageOf } from './messages.ts'
import { type Progress, streamFrom } from './progress.ts'
import { report, reportAgain, resume } from './roles/following.ts'
import type { ElectedRole, FollowingRole, LeaderRole, Report } from './roles/role.ts'
import type { ZabState } from './state.ts'
import { sameZxid } from './zxid.ts'

/*
 * Phase 2, synchronization (DSN 2011, algorithm 2): whoever follows gets the initial history of the epoch, by the difference (DIFF) after having forgotten what the
 * leader lacks (TRUNC), or by a snapshot (SNAP). NEWLEADER ends it; a quorum of acknowledgements commits that history, and broadcast begins.
 */

// ---- the leader's side ------------------------------------------------------------------------------------------------------------------

/** A quorum has promised, and the own history is the initial one. */
export const beginSynchronization = (zab: ZabState, { epoch, reports }: ElectedRole): void => {
  assert(epoch === zab.acceptedEpoch, 'the epoch that begins is the one that was promised')
  const role: LeaderRole = {
    type: 'LEADING',
    phase: 'synchronization',
    epoch,
    initial: zab.history.last,
    ownWrite: zab.out.nextWrite,
    ownLeader: false,
    progress: new Map(),
    reign: 0,
    proposals: [],
    undecidedBytes: 0,
    readsWaiting: new Set(),
    readRounds: [],
    round: 0,
    leaseRounds: [],
    leaseFloor: 0,
    change: undefined,
    transfer: undefined,
    exhausted: false,
    pingIn: zab.timing.heartbeatTicks,
  }
  zab.role = role
  zab.followEpoch(epoch)
  followPeers(zab, role)
  for (const [id, told] of reports) {
    const progress = role.progress.get(id)
    if (progress !== undefined) synchronize(zab, role, id, progress, told)
  }
}

/** Brings one history to where it is a beginning of the own one. */
export const synchronize = (
  zab: ZabState,
  role: LeaderRole,
  id: NodeId,
  progress: Progress,
  { last, zxid }: Report,
): void => {
  const { history } = zab
  const { epoch } = role
  const common = history.lastUpTo(zxid)
  progress.follows = false
  if (common === undefined || common < history.base) return streamFrom(progress, 0) // it needs a snapshot
  const ours = history.zxid(common)
  if (!sameZxid(ours, zxid)) {
    // The own history has nothing between these two: only what the leader lacks is forgotten.
    progress.state = 'discovery'
    progress.stalledTicks = 0
    zab.sendEarly(id, { type: 'trunc', epoch, last: zxid, zxid: ours })
    return
  }
  if (last !== common) {
    progress.state = 'away' // no honest history has that transaction in another place
    return
  }
  progress.acked = common
  streamFrom(progress, common)
  zab.sendEarly(id, { type: 'diff', epoch, position: common, zxid: ours })
}

/** The write that records that this node follows itself, with the initial history, is durable. */
export const ownLeaderPersisted = (zab: ZabState, role: LeaderRole): void => {
  role.ownLeader = true
  countFollowers(zab, role)
}

export const receiveAckLeader = (zab: ZabState, role: LeaderRole, id: NodeId, progress: Progress): void => {
  progress.follows = true
  progress.stalledTicks = 0
  progress.acked = Math.max(progress.acked, role.initial)
  if (role.phase === 'synchronization') return countFollowers(zab, role)
  sendCommitLeader(zab, role, id, progress)
  noteCommitted(zab, role)
}

/** Everything in the initial history is committed once a quorum has acknowledged the leader, whatever epoch it is of. */
const countFollowers = (zab: ZabState, role: LeaderRole): void => {
  const follows = (id: NodeId): boolean => (id === zab.self ? role.ownLeader : role.progress.get(id)?.follows === true)
  if (role.phase !== 'synchronization') return
  if (voteResult(zab.quorum, (id) => follows(id) || undefined) !== 'won') return
  establish(zab, role)
}

// ---- the follower's side ----------------------------------------------------------------------------------------------------------------

/**
 * TRUNC. What is committed is in every later leader's history, so a leader never asks to forget any of it. A late double is of a history that is no more:
 * since then the leader's own transactions may have been accepted here, and acknowledged, in place of what it tells to forget.
 */
export const truncate = (zab: ZabState, role: FollowingRole, { last, zxid }: MessageOf<'trunc'>): void => {
  if (role.phase !== 'discovery') return // a double
  if (!sameZxid(last, zab.history.lastZxid)) return reportAgain(zab, role)
  const keep = zab.history.lastUpTo(zxid)
  assert(keep !== undefined && keep >= zab.committed, `${role.leader} asks to forget what is committed`)
  if (keep < zab.history.last) zab.truncateFrom(keep + 1)
  report(zab, role)
}

/** DIFF: the own history is a beginning of the leader's. */
export const beginStream = (zab: ZabState, role: FollowingRole, { position, zxid }: MessageOf<'diff'>): void => {
  if (role.phase !== 'discovery') return // a double
  const { history } = zab
  if (position !== history.last || !sameZxid(zxid, history.lastZxid)) return reportAgain(zab, role)
  role.phase = 'synchronization'
}

/** NEWLEADER. The history is persisted, then currentEpoch, then it is acknowledged; one journal write holds all that came in a turn. */
export const acceptNewLeader = (
  zab: ZabState,
  role: FollowingRole,
  { epoch, position }: MessageOf<'newLeader'>,
): void => {
  if (role.phase === 'discovery') return reportAgain(zab, role) // the DIFF was lost
  if (position > zab.history.last) return resume(zab, role)
  zab.followEpoch(epoch)
  zab.sendDurable(role.leader, { type: 'ackLeader', epoch })
}

/** COMMIT-LD: a quorum follows this leader. */
export const acceptCommitLeader = (
  zab: ZabState,
  role: FollowingRole,
  { epoch, committed }: MessageOf<'commitLeader'>,
): void => {
  if (zab.currentEpoch !== epoch || role.phase === 'discovery') return
  role.phase = 'broadcast'
  zab.hasLeader(role.leader)
  zab.commitTo(Math.min(committed, zab.history.last))
}
