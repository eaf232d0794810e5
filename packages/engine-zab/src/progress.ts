import { Inflight } from '@conclave/engine-parts'
import type { SnapshotId } from '@conclave/interface'

/**
 * How far one peer is known to have the leader's history, and how it is fed. `away`: it does not follow. `discovery`: it was told the epoch, and has to say what
 * its history is. `stream`: its history is a beginning of the leader's, and what is proposed follows without waiting. `paused`: something was lost; it is asked
 * where it stands. `snapshot`: it gets one.
 */
export interface Progress {
  state: 'away' | 'discovery' | 'stream' | 'paused' | 'snapshot'
  /** It has everything up to here, durably. */
  acked: number
  /** It has acknowledged the leader (ACK-LD): what it acknowledges counts. */
  follows: boolean
  /** NEWLEADER was sent since the stream began. */
  invited: boolean
  /** In this tick it was sent again what it had lost. */
  resumed: boolean
  /** The first position that was not sent. */
  next: number
  readonly inflight: Inflight
  /** Ticks without news while it should have answered something. */
  stalledTicks: number
  /** Position and id of the snapshot that is being sent, or was sent last. */
  snapshot: number
  transfer: SnapshotId | undefined
  /** Transactions above this position stay in memory for the peer, which catches up by a snapshot; infinite if it does not. */
  keep: number
  /** Ticks before another snapshot is asked for or sent. */
  snapshotIn: number
  /** Ticks since it was heard. */
  silentTicks: number
  /** The newest read round that it answered, and the newest for which it made a pledge. */
  round: number
  pledged: number
  /** The position that it was last told to be committed. */
  told: number
  /** Of a member that was removed: ticks before it is given up. */
  leaveIn: number
}

export const startProgress = (): Progress => ({
  state: 'away',
  acked: 0,
  follows: false,
  invited: false,
  resumed: false,
  next: 1,
  inflight: new Inflight(),
  stalledTicks: 0,
  snapshot: 0,
  transfer: undefined,
  keep: Number.POSITIVE_INFINITY,
  snapshotIn: 0,
  silentTicks: 0,
  round: 0,
  pledged: 0,
  told: 0,
  leaveIn: Number.POSITIVE_INFINITY,
})

export const heard = (progress: Progress): void => {
  progress.silentTicks = 0
}

/** Its history is the leader's up to `position`: what follows is sent. */
export const streamFrom = (progress: Progress, position: number): void => {
  progress.state = 'stream'
  progress.next = position + 1
  progress.invited = false
  forgetInflight(progress)
}

export const forgetInflight = (progress: Progress): void => {
  progress.inflight.clear()
  progress.stalledTicks = 0
}

/** It has everything up to `position`, durably. @returns whether that is news. */
export const acknowledged = (progress: Progress, position: number): boolean => {
  progress.inflight.acknowledged(position)
  if (position <= progress.acked) return false
  progress.acked = position
  progress.next = Math.max(progress.next, position + 1)
  progress.stalledTicks = 0
  return true
}
