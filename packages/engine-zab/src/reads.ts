import { type NodeId, position, type ReadLevel, type RequestId } from '@conclave/interface'
import { committed, voteResult } from '@conclave/quorum'
import { leaseHolds, roundBegins } from './leases.ts'
import { type MessageOf, plainPing } from './messages.ts'
import type { Progress } from './progress.ts'
import type { LeaderRole } from './roles/role.ts'
import type { ZabState } from './state.ts'

/*
 * Pings keep followers, and confirm the epoch. ZooKeeper's `sync` is no quorum operation, so a deposed leader may serve a stale read after it (ZOOKEEPER-1675). Here
 * a read may be served at the position that was committed at its arrival, once (1) a transaction of the leader's own epoch is committed and (2) a quorum has
 * answered, in a round begun after the arrival, that it has promised no later epoch.
 */

// ---- the leader's side ------------------------------------------------------------------------------------------------------------------

export const read = (zab: ZabState, role: LeaderRole, id: RequestId, level: ReadLevel): void => {
  if (level === 'lease' && isOpen(zab, role) && leaseHolds(zab, role))
    zab.out.settle(id, { type: 'readAt', position: position(zab.committed) })
  else role.readsWaiting.add(id)
}

/** A transaction of this epoch is committed. */
export const isOpen = (zab: ZabState, { reign }: LeaderRole): boolean => reign > 0 && zab.committed >= reign

/** Begins a round for the reads that wait. Called once a drain: one round serves all of them. */
export const beginReadRound = (zab: ZabState, role: LeaderRole): void => {
  if (role.readsWaiting.size === 0 || !isOpen(zab, role)) return
  broadcastPing(zab, role, true)
  role.readRounds.push({ round: role.round, at: zab.committed, reads: role.readsWaiting })
  role.readsWaiting = new Set()
  settleReads(zab, role)
}

/** @param round whether it begins a round; with leases every one does. */
export const broadcastPing = (zab: ZabState, role: LeaderRole, round = zab.leases): void => {
  role.pingIn = zab.timing.heartbeatTicks
  if (round) {
    role.round++
    roundBegins(zab, role)
  }
  for (const id of role.progress.keys()) sendPing(zab, role, id)
}

export const sendPing = (zab: ZabState, role: LeaderRole, id: NodeId): void => {
  const progress = role.progress.get(id)
  if (progress === undefined) return
  const lease = zab.leases && role.leaseFloor !== Number.POSITIVE_INFINITY
  const { epoch, round } = role
  const established = role.phase === 'broadcast'
  zab.sendEarly(id, { ...plainPing(epoch), established, lease, round, committed: zab.committed })
  if (progress.follows) progress.told = zab.committed
}

export const receivePong = (
  zab: ZabState,
  role: LeaderRole,
  progress: Progress,
  { round, pledged }: MessageOf<'pong'>,
): void => {
  if (round > role.round) return // nobody can answer what was not asked
  if (pledged) progress.pledged = Math.max(progress.pledged, round)
  if (round <= progress.round) return
  progress.round = round
  settleReads(zab, role)
}

/** Settles the reads of every round that a quorum has answered; a later round confirms the earlier ones too. */
const settleReads = (zab: ZabState, role: LeaderRole): void => {
  if (role.readRounds.length === 0) return
  const confirmed = committed(zab.quorum, (id) => (id === zab.self ? role.round : (role.progress.get(id)?.round ?? 0)))
  let done = 0
  for (const { round, at, reads } of role.readRounds) {
    if (round > confirmed) break
    for (const id of reads) zab.out.settle(id, { type: 'readAt', position: position(at) })
    done++
  }
  role.readRounds.splice(0, done)
}

/** Nobody waits for this read any more. */
export const cancelRead = (role: LeaderRole, id: RequestId): void => {
  role.readsWaiting.delete(id)
  for (const { reads } of role.readRounds) reads.delete(id)
}

/** A leader that hears no quorum for so long as followers wait for it looks for another. */
export const quorumIsHeard = (zab: ZabState, role: LeaderRole): boolean =>
  voteResult(zab.quorum, (id) => id === zab.self || isHeard(zab, role.progress.get(id))) === 'won'

export const isHeard = ({ timing }: ZabState, progress: Progress | undefined): boolean =>
  progress !== undefined && progress.silentTicks < timing.electionTicks
