import { committed } from '@conclave/quorum'
import type { LeaderRole } from './roles/role.ts'
import type { ZabState } from './state.ts'

/*
 * Lease reads (none in the paper, nor in ZooKeeper), off unless `EngineInit.leases` is set. A ping asks its receiver for a pledge: to promise the epoch of nobody
 * else for an election time-out of its own clock, see `Pledge`. A quorum of pledges to one round is a lease that begins when the round was *sent*, and is shorter
 * than a pledge by as much as clocks may differ in rate. While it lasts nobody else can get through discovery, so what is committed here is the newest there is.
 * The lease is judged by `now`, which goes on while the process is stopped.
 */

/** Part of a pledge that a lease lasts: the clocks of any two members run at the same rate within a tenth. */
const sureOf = 0.9

const lasts = ({ timing }: ZabState): number => timing.electionTicks * timing.tickMillis * sureOf

/** Remembers when a round began. Not more often than every tick: a round that is not remembered counts as the one before. */
export const roundBegins = (zab: ZabState, { leaseRounds, round }: LeaderRole): void => {
  if (!zab.leases) return
  const newest = leaseRounds.at(-1)
  if (newest !== undefined && zab.now - newest.at < zab.timing.tickMillis) return
  leaseRounds.push({ round, at: zab.now })
  const over = leaseRounds.findIndex(({ at }) => zab.now < at + lasts(zab))
  leaseRounds.splice(0, over)
}

export const leaseHolds = (zab: ZabState, role: LeaderRole): boolean => {
  const pledged = committed(zab.quorum, (id) => (id === zab.self ? role.round : (role.progress.get(id)?.pledged ?? 0)))
  const begun = role.leaseRounds.findLast(({ round }) => round <= pledged)
  return begun !== undefined && begun.round > role.leaseFloor && zab.now < begun.at + lasts(zab)
}

/** The quorum changes: pledges of the old one say nothing of the new one. Rounds that begin from now on give a lease again. */
export const endLease = (role: LeaderRole): void => {
  role.leaseFloor = Math.max(role.leaseFloor, role.round)
}

/**
 * The epoch is given away, and whoever got it may use that at any later time, since messages may be late: whoever pledged something to this leader promises to
 * the other all the same.
 */
export const renounceLeases = (role: LeaderRole): void => {
  role.leaseFloor = Number.POSITIVE_INFINITY
}
