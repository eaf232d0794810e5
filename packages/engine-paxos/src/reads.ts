import { type NodeId, position, type ReadLevel, type RequestId } from '@conclave/interface'
import { committed, voteResult } from '@conclave/quorum'
import { sameBallot } from './ballot.ts'
import { leaseHolds, leaseRoundBegins } from './leases.ts'
import type { MessageOf } from './messages.ts'
import type { Progress } from './progress.ts'
import { watchWatermark } from './replication.ts'
import type { LeaderRole, PendingRead, Tenure } from './roles/role.ts'
import type { PaxosState } from './state.ts'

/*
 * A read may be served at the watermark of its arrival, once (1) the entry that opened the reign is delivered, so that the watermark is not behind an earlier
 * leader's, and (2) a quorum has confirmed, in a round begun after the arrival, that no higher ballot is promised. The quorum is one of phase 2: it
 * meets every quorum of phase 1, without which nobody else leads. (Paxos Made Moderately Complex, section 4.4, has a round of its own for reads too.)
 */

export const read = (paxos: PaxosState, tenure: Tenure, id: RequestId, level: ReadLevel): void => {
  const { role } = paxos
  if (level === 'lease' && role.type === 'leader' && sameBallot(paxos.reign, role.ballot) && leaseHolds(paxos, role))
    return paxos.out.settle(id, { type: 'readAt', position: position(paxos.decided) })
  if (tenure.readsWaiting.length < mostReads) tenure.readsWaiting.push(id)
  else paxos.out.settle(id, { type: 'refused', reason: 'overloaded' })
}

/** Reads that may wait for a round to begin. */
const mostReads = 1 << 16

/** Begins a round for the reads that wait, if the reign is open. Called once a drain: one round serves all of them. */
export const beginReadRound = (paxos: PaxosState, role: LeaderRole): void => {
  const { tenure } = role
  if (tenure.readsWaiting.length === 0 || !sameBallot(paxos.reign, role.ballot)) return
  const reads: PendingRead[] = tenure.readsWaiting.map((id) => ({ id, at: paxos.decided }))
  tenure.readsWaiting = []
  role.round++
  role.readRounds.push({ round: role.round, reads })
  broadcastHeartbeat(paxos, role)
  settleReads(paxos, role)
}

export const broadcastHeartbeat = (paxos: PaxosState, role: LeaderRole): void => {
  role.heartbeatIn = paxos.timing.heartbeatTicks
  leaseRoundBegins(paxos, role)
  for (const id of role.progress.keys()) sendHeartbeat(paxos, role, id)
}

export const sendHeartbeat = (paxos: PaxosState, role: LeaderRole, id: NodeId): void => {
  const progress = role.progress.get(id)
  if (progress === undefined) return
  const lease = paxos.leases && !role.renounced
  paxos.sendEarly(id, { type: 'heartbeat', round: role.round, lease })
  progress.told = paxos.decided
}

export const receiveHeartbeatReply = (
  paxos: PaxosState,
  role: LeaderRole,
  from: NodeId,
  reply: MessageOf<'heartbeatReply'>,
): void => {
  const progress = role.progress.get(from)
  if (progress === undefined) return
  progress.silentTicks = 0
  watchWatermark(progress, reply.decided)
  if (reply.round > role.round) return // nobody can answer what was not asked
  if (reply.pledged) progress.pledged = Math.max(progress.pledged, reply.round)
  if (reply.round > progress.round) {
    progress.round = reply.round
    settleReads(paxos, role)
  }
}

/** Settles the reads of every round that a quorum has confirmed; a later round confirms the earlier ones too. */
const settleReads = (paxos: PaxosState, role: LeaderRole): void => {
  if (role.readRounds.length === 0) return
  const confirmed = committed(paxos.quorums.phase2, (id) =>
    id === paxos.self ? role.round : (role.progress.get(id)?.round ?? 0),
  )
  while (role.readRounds[0] !== undefined && role.readRounds[0].round <= confirmed) {
    for (const { id, at } of role.readRounds.shift()?.reads ?? [])
      paxos.out.settle(id, { type: 'readAt', position: position(at) })
  }
}

/** Nobody waits for this read any more. */
export const cancelRead = (paxos: PaxosState, id: RequestId): void => {
  const { role } = paxos
  const tenure = role.type === 'leader' || role.type === 'preparing' ? role.tenure : undefined
  if (tenure !== undefined) tenure.readsWaiting = tenure.readsWaiting.filter((waiting) => waiting !== id)
  if (role.type !== 'leader') return
  for (const round of role.readRounds) round.reads = round.reads.filter((pending) => pending.id !== id)
}

/** Whether a quorum was heard within an election time-out: a leader that cannot get anything chosen leads no more. */
export const quorumIsHeard = (paxos: PaxosState, role: LeaderRole, quorum = paxos.quorums.phase2): boolean =>
  voteResult(quorum, (id) => id === paxos.self || isHeard(paxos, role.progress.get(id))) === 'won'

export const isHeard = ({ timing }: PaxosState, progress: Progress | undefined): boolean =>
  progress !== undefined && progress.silentTicks < timing.electionTicks
