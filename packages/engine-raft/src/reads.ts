import { type NodeId, position, type ReadLevel, type RequestId } from '@conclave/interface'
import { committed, voteResult } from '@conclave/quorum'
import { askForPromise, leaseHolds, promised, roundBegins } from './lease.ts'
import type { Message } from './messages.ts'
import { heard } from './progress.ts'
import type { LeaderRole, PendingRead } from './roles/role.ts'
import type { RaftState } from './state.ts'

/*
 * ReadIndex (dissertation, section 6.4): a read may be served at the commit position of its arrival, once (1) an entry of the present term is
 * committed, so that this position is not behind an earlier leader's, and (2) a quorum has confirmed, in a round begun after the arrival, that
 * no later term reigns.
 */

export const read = (raft: RaftState, role: LeaderRole, id: RequestId, level: ReadLevel): void => {
  if (level === 'lease' && raft.commit >= role.reign && leaseHolds(raft, role))
    raft.settle(id, { type: 'readAt', position: position(raft.commit) })
  else role.readsWaiting.push(id)
}

/** Begins a round for the reads that wait, if the reign's first entry is committed. Called once a drain: one round serves all of them. */
export const beginReadRound = (raft: RaftState, role: LeaderRole): void => {
  if (role.readsWaiting.length === 0 || raft.commit < role.reign) return
  const reads: PendingRead[] = role.readsWaiting.map((id) => ({ id, at: raft.commit }))
  role.readsWaiting = []
  broadcastHeartbeat(raft, role, true)
  role.readRounds.push({ round: role.round, reads })
  settleReads(raft, role)
}

/** @param round whether it begins a round; with leases every one does. */
export const broadcastHeartbeat = (raft: RaftState, role: LeaderRole, round = raft.leases): void => {
  role.heartbeatIn = raft.timing.heartbeatTicks
  if (round) {
    role.round++
    roundBegins(raft, role)
  }
  for (const id of role.progress.keys()) sendHeartbeat(raft, role, id)
}

export const sendHeartbeat = (raft: RaftState, role: LeaderRole, id: NodeId): void => {
  const progress = role.progress.get(id)
  if (progress === undefined) return
  const commit = Math.min(progress.match, raft.commit)
  const heartbeat = { type: 'heartbeat', term: raft.term, commit, round: role.round } as const
  const asked = askForPromise(raft, role, progress)
  if (asked !== 'only') raft.sendEarly(id, heartbeat)
  if (asked !== 'no') raft.sendEarly(id, { ...heartbeat, lease: true })
  progress.toldCommit = Math.max(progress.toldCommit, commit)
}

export const receiveHeartbeatReply = (
  raft: RaftState,
  role: LeaderRole,
  from: NodeId,
  reply: Message & { type: 'heartbeatReply' },
): void => {
  const progress = role.progress.get(from)
  if (progress === undefined) return
  heard(progress)
  if (reply.round > role.round) return // nobody can answer what was not asked
  if (reply.promise) promised(progress, reply.round)
  if (reply.round > progress.round) {
    progress.round = reply.round
    settleReads(raft, role)
  }
}

/** Settles the reads of every round that a quorum has confirmed; a later round confirms the earlier ones too. */
const settleReads = (raft: RaftState, role: LeaderRole): void => {
  if (role.readRounds.length === 0) return
  const confirmed = committed(raft.quorum, (id) =>
    id === raft.self ? role.round : (role.progress.get(id)?.round ?? 0),
  )
  while (role.readRounds[0] !== undefined && role.readRounds[0].round <= confirmed) {
    for (const { id, at } of role.readRounds.shift()?.reads ?? [])
      raft.settle(id as RequestId, { type: 'readAt', position: position(at) })
  }
}

/** Nobody waits for this read any more. */
export const cancelRead = (role: LeaderRole, id: RequestId): void => {
  role.readsWaiting = role.readsWaiting.filter((waiting) => waiting !== id)
  role.readRounds = role.readRounds.map(({ round, reads }) => ({
    round,
    reads: reads.filter((pending) => pending.id !== id),
  }))
}

/** Check-quorum (dissertation, section 6.2): whether a quorum was heard since the last check. Begins the next period. */
export const quorumWasHeard = (raft: RaftState, role: LeaderRole): boolean => {
  const heard = voteResult(raft.quorum, (id) => id === raft.self || role.progress.get(id)?.active === true)
  for (const progress of role.progress.values()) {
    if (!progress.active && progress.state !== 'snapshot') progress.keep = Number.POSITIVE_INFINITY // it is gone
    progress.active = false
  }
  return heard === 'won'
}
