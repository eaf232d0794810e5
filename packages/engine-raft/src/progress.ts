import { Inflight } from '@conclave/engine-parts'
import type { SnapshotId } from '@conclave/interface'

/**
 * How far one peer's log is known to match the leader's (nextIndex and matchIndex of figure 2), and how it is fed:
 * `probe` sends one append and waits, until the matching point is found; `replicate` pipelines; `snapshot` waits for a transfer.
 */
export interface Progress {
  state: 'probe' | 'replicate' | 'snapshot'
  match: number
  next: number
  readonly inflight: Inflight
  /** In `probe`: an append is out. */
  probing: boolean
  /** Ticks since the peer last moved on while something was in flight; a silent loss is repaired after a few. */
  stalledTicks: number
  /** Position and id of the snapshot that is being sent, or was sent last. */
  snapshot: number
  transfer: SnapshotId | undefined
  /** Entries above this position stay in memory for the peer, which catches up by a snapshot; infinite if it does not. */
  keep: number
  /** Ticks before another snapshot is asked for or sent. */
  snapshotIn: number
  /** Heard since the last quorum check. */
  active: boolean
  /** Ticks since the peer was heard. */
  silentTicks: number
  /** The newest read round that the peer answered. */
  round: number
  /** The newest round that it answered with a promise, and how often it was asked for one since. */
  promisedRound: number
  unpromised: number
  /** The commit position that the peer was last told. */
  toldCommit: number
  /** Of a learner on its way to voter. */
  readonly catchUp: CatchUp
  /** Of a member that was removed: ticks before it is given up. */
  leaveIn: number
}

/**
 * Replication to a learner in rounds (dissertation, section 4.2.1): each one brings it to where the leader's log ended when the round began. If the last
 * one took less than an election time-out, the learner has caught up, and could take over what is missing as fast when it votes.
 */
export interface CatchUp {
  /** Where the present round ends; undefined before the first. */
  to: number | undefined
  ticks: number
  done: boolean
}

export const startProgress = (next: number): Progress => ({
  state: 'probe',
  match: 0,
  next,
  inflight: new Inflight(),
  probing: false,
  stalledTicks: 0,
  snapshot: 0,
  transfer: undefined,
  keep: Number.POSITIVE_INFINITY,
  snapshotIn: 0,
  active: true,
  silentTicks: 0,
  round: 0,
  promisedRound: 0,
  unpromised: Number.POSITIVE_INFINITY, // whether it knows what a promise is, is to be seen
  toldCommit: 0,
  catchUp: { to: undefined, ticks: 0, done: false },
  leaveIn: Number.POSITIVE_INFINITY,
})

export const heard = (progress: Progress): void => {
  progress.active = true
  progress.silentTicks = 0
}

/** One tick of the rounds of a learner. */
export const tickCatchUp = (progress: Progress, last: number, mostTicks: number): void => {
  const { catchUp } = progress
  if (catchUp.to === undefined) catchUp.to = last
  else catchUp.ticks++
  if (catchUp.ticks >= mostTicks) catchUp.done = false
  if (progress.state === 'snapshot' || progress.match < catchUp.to) return
  catchUp.done = catchUp.ticks < mostTicks
  catchUp.to = last
  catchUp.ticks = 0
}

/** Goes back to finding the matching point: something was lost or did not match. */
export const probeFrom = (progress: Progress, next: number): void => {
  progress.state = 'probe'
  progress.next = Math.max(next, progress.match + 1)
  progress.probing = false
  forgetInflight(progress)
}

export const forgetInflight = (progress: Progress): void => {
  progress.inflight.clear()
  progress.stalledTicks = 0
}

/** The peer acknowledged everything up to `match`. @returns whether that is news. */
export const acknowledged = (progress: Progress, match: number): boolean => {
  progress.inflight.acknowledged(match)
  if (match <= progress.match) return false
  progress.match = match
  progress.next = Math.max(progress.next, match + 1)
  progress.stalledTicks = 0
  return true
}
