import { committed } from '@conclave/quorum'
import type { Progress } from './progress.ts'
import type { LeaderRole } from './roles/role.ts'
import type { RaftState } from './state.ts'

/*
 * Lease reads (dissertation, section 6.4.1), off unless `EngineInit.leases` is set. A heartbeat asks its receiver for a promise: to elect nobody else
 * for an election time-out of its own clock, see `Pledge`. A quorum of promises to one round is a lease that begins when the round was *sent*, and is
 * shorter than what was promised by as much as clocks may differ in rate. While it lasts, nobody else can be elected, so the commit position of this
 * leader is the newest there is. The lease is judged by `now`, which goes on while the process is stopped.
 */

/** Part of the promised time that a lease lasts: the clocks of any two members run at the same rate within a tenth. */
const sureOf = 0.9

const lasts = ({ timing }: RaftState): number => timing.electionTicks * timing.tickMillis * sureOf

/** Remembers when a round began. Not more often than every tick: a round that is not remembered counts as the one before. */
export const roundBegins = (raft: RaftState, role: LeaderRole): void => {
  if (!raft.leases) return
  const { leaseRounds } = role
  const newest = leaseRounds.at(-1)
  if (newest !== undefined && raft.now - newest.at < raft.timing.tickMillis) return
  leaseRounds.push({ round: role.round, at: raft.now })
  const over = leaseRounds.findIndex(({ at }) => raft.now < at + lasts(raft))
  leaseRounds.splice(0, over)
}

/** So many heartbeats that ask for a promise may go unanswered before the peer is taken for one that does not know what that is. */
const patience = 3

/**
 * Whether a heartbeat to a peer asks for a promise. A peer of an earlier release drops such a heartbeat, so until a peer has shown that it is none,
 * it gets a plain one `too`.
 */
export const askForPromise = (raft: RaftState, role: LeaderRole, progress: Progress): 'no' | 'too' | 'only' => {
  if (!raft.leases || role.leaseFloor === Number.POSITIVE_INFINITY) return 'no'
  progress.unpromised++
  return progress.unpromised > patience ? 'too' : 'only'
}

export const promised = (progress: Progress, round: number): void => {
  progress.unpromised = 0
  progress.promisedRound = Math.max(progress.promisedRound, round)
}

export const leaseHolds = (raft: RaftState, role: LeaderRole): boolean => {
  const round = committed(raft.quorum, (id) =>
    id === raft.self ? role.round : (role.progress.get(id)?.promisedRound ?? 0),
  )
  const begun = role.leaseRounds.findLast((lease) => lease.round <= round)
  return begun !== undefined && begun.round > role.leaseFloor && raft.now < begun.at + lasts(raft)
}

/** The quorum changes: promises of the old one say nothing of the new one. Rounds that begin from now on give a lease again. */
export const endLease = (role: LeaderRole): void => {
  role.leaseFloor = Math.max(role.leaseFloor, role.round)
}

/**
 * Another server was told to campaign, and may do so at any later time of this term, since the message may be late: whoever promised something votes for
 * it all the same.
 */
export const renounceLeases = (role: LeaderRole): void => {
  role.leaseFloor = Number.POSITIVE_INFINITY
}
