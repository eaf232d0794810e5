import { committed } from '@conclave/quorum'
import type { LeaderRole } from './roles/role.ts'
import type { PaxosState } from './state.ts'

/*
 * Lease reads (Paxos Made Live, section 5.2), off unless `EngineInit.leases` is set. Heartbeats ask their receivers for a pledge, see `Pledge`. A quorum of
 * pledges to one round is a lease that begins when the round was *sent*, and is shorter than a pledge by as much as clocks may differ in rate. The quorum
 * is one of phase 2, which meets every quorum of phase 1: while the lease lasts nobody else can be elected, so the watermark of this leader is the newest
 * there is. The lease is judged by `now`, which goes on while the process is stopped.
 */

/** Part of a pledge that a lease lasts: the clocks of any two members run at the same rate within a tenth. */
const sureOf = 0.9

const lasts = ({ timing }: PaxosState): number => timing.electionTicks * timing.tickMillis * sureOf

/** Every broadcast is a round of its own, or pledges could not be told from older ones. Rounds whose lease would be over are forgotten. */
export const leaseRoundBegins = (paxos: PaxosState, role: LeaderRole): void => {
  if (!paxos.leases || role.renounced) return
  const { leaseRounds } = role
  const newest = leaseRounds.at(-1)
  if (newest !== undefined && paxos.now - newest.at < paxos.timing.tickMillis) return // counts as the one before
  role.round++
  const over = leaseRounds.findIndex(({ at }) => paxos.now < at + lasts(paxos))
  leaseRounds.splice(0, over < 0 ? leaseRounds.length : over)
  leaseRounds.push({ round: role.round, at: paxos.now })
}

export const leaseHolds = (paxos: PaxosState, role: LeaderRole): boolean => {
  if (!paxos.leases || role.renounced) return false
  const pledged = committed(paxos.quorums.phase2, (id) =>
    id === paxos.self ? role.round : (role.progress.get(id)?.pledged ?? 0),
  )
  const begun = role.leaseRounds.findLast(({ round }) => round <= pledged)
  return begun !== undefined && paxos.now < begun.at + lasts(paxos)
}

/** Another node was asked to take over, and may do so at any later time of this reign: whoever pledged something promises to it all the same. */
export const renounceLeases = (role: LeaderRole): void => {
  role.renounced = true
  role.leaseRounds.length = 0
}
