import { type NodeId, position, type RequestId } from '@conclave/interface'
import { committed } from '@conclave/quorum'
import { sendCommit } from './primary.ts'
import type { Primary } from './role.ts'
import type { ReplicaState } from './state.ts'

/*
 * Reads (section 6.3 has leases; here a quorum is asked). A read may be served at the commit-number once the entry that began the view is committed, so that this
 * number is not behind that of an earlier primary, and a quorum has said, in a round that began after the read arrived, that it is in this view.
 */

/** Once a drain: one round serves all reads that wait. */
export const beginReadRound = (r: ReplicaState, primary: Primary): void => {
  if (primary.readsWaiting.length === 0 || r.commit < primary.reign) return
  primary.round++
  primary.readRounds.push({ round: primary.round, commit: r.commit, reads: primary.readsWaiting })
  primary.readsWaiting = []
  for (const id of primary.backups.keys()) sendCommit(r, primary, id)
  settleReads(r, primary)
}

export const receiveCommitOk = (r: ReplicaState, primary: Primary, from: NodeId, round: number): void => {
  const backup = primary.backups.get(from)
  if (backup === undefined || round > primary.round) return
  backup.heardAt = r.now
  backup.round = Math.max(backup.round, round)
  settleReads(r, primary)
}

/** Settles the reads of every round that a quorum has confirmed; a later round confirms the earlier ones too. */
const settleReads = (r: ReplicaState, primary: Primary): void => {
  const answered = (id: NodeId): number => (id === r.self ? primary.round : (primary.backups.get(id)?.round ?? 0))
  const confirmed = committed(r.configuration.quorum, answered)
  while (primary.readRounds[0] !== undefined && primary.readRounds[0].round <= confirmed) {
    const { commit, reads } = primary.readRounds[0]
    for (const id of reads) r.settle(id, { type: 'readAt', position: position(commit) })
    primary.readRounds.shift()
  }
}

export const cancelRead = (primary: Primary, id: RequestId): void => {
  primary.readsWaiting = primary.readsWaiting.filter((waiting) => waiting !== id)
  for (const round of primary.readRounds) round.reads = round.reads.filter((waiting) => waiting !== id)
}
