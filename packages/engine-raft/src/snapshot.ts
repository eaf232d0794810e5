import { assert, type CapturedSnapshot, MalformedBytes, type NodeId, type SnapshotId } from '@conclave/interface'
import { decodeSnapshotHeader, encodeSnapshotHeader, type SnapshotHeader } from './messages.ts'
import { forgetInflight, type Progress, probeFrom } from './progress.ts'
import { becomeFollower, heardLeader } from './roles/follow.ts'
import type { LeaderRole } from './roles/role.ts'
import type { RaftState } from './state.ts'

/** The replica has staged the state as of a decided position: name it, and let the journal forget what it stands for. */
export const nameCaptured = (raft: RaftState, { id, position }: CapturedSnapshot): void => {
  if (position <= (raft.snapshot?.position ?? 0) || position > raft.commit) return
  const membership = raft.configurations.at(position)
  if (membership === undefined) return // a node that joins does not know yet who the members were: nobody must get a guess for it
  const snapshot = { id, position, lastTerm: raft.log.reignSinceSnapshot(position), membership }
  raft.nameSnapshot(snapshot, encodeSnapshotHeader({ ...snapshot, term: snapshot.lastTerm }))
}

// ---- the leader's side --------------------------------------------------------------------------------------------------------------

/** Ticks before a transfer that failed or was declined is tried again. */
const retryTicks = 20

/** The peer lacks entries that are in memory no more: it gets a snapshot, a newer one than there is if need be. */
export const sendSnapshotTo = (raft: RaftState, id: NodeId, progress: Progress): void => {
  const { snapshot } = raft
  if (progress.snapshotIn > 0 || !progress.active) return
  if (snapshot === undefined || snapshot.position < raft.log.base) {
    raft.askForCapture()
    progress.keep = raft.log.base // or the snapshot might be too old again by the time it is there
    progress.snapshotIn = retryTicks
    return
  }
  progress.state = 'snapshot'
  progress.snapshot = snapshot.position
  progress.transfer = snapshot.id
  progress.keep = snapshot.position
  forgetInflight(progress) // or it would count as stalled
  const { position, lastTerm, membership } = snapshot
  raft.sendSnapshot(id, snapshot.id, encodeSnapshotHeader({ term: raft.term, position, lastTerm, membership }))
}

/**
 * A transfer ended, maybe one of an earlier reign. Where the peer stands is told by its own append reply; this only ends the waiting. The next
 * transfer waits in any case: a peer that has the body staged may reject a probe before it has installed it.
 */
export const snapshotSent = (role: LeaderRole, to: NodeId, id: SnapshotId, ok: boolean): void => {
  const progress = role.progress.get(to)
  if (progress === undefined || progress.state !== 'snapshot' || progress.transfer !== id) return
  probeFrom(progress, ok ? progress.snapshot + 1 : progress.match + 1)
  progress.snapshotIn = retryTicks
}

/** Entries above this position are needed by peers that catch up by a snapshot: while it is made and sent, and until they are up to date. */
export const neededByPeers = (role: LeaderRole): number => {
  let least = Number.POSITIVE_INFINITY
  for (const { keep } of role.progress.values()) least = Math.min(least, keep)
  return least
}

// ---- the follower's side (InstallSnapshot, figure 13) ---------------------------------------------------------------------------------

const parse = (raft: RaftState, header: Uint8Array): SnapshotHeader | undefined => {
  try {
    return decodeSnapshotHeader(header, raft.version)
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    raft.malformed++
    return undefined
  }
}

/** The gate of terms for what comes by another way than `receive`. @returns false if the sender leads no more. */
const leaderSpeaks = (raft: RaftState, from: NodeId, header: SnapshotHeader): boolean => {
  if (header.term < raft.term) {
    refuseStale(raft, from)
    return false
  }
  if (header.term > raft.term) becomeFollower(raft, header.term, from)
  assert(raft.role.type !== 'leader', `${from} leads in term ${raft.term}, which this server leads`)
  heardLeader(raft, from)
  return true
}

/** Judges an offer before a byte of the body is taken. */
export const judgeOffer = (raft: RaftState, from: NodeId, bytes: Uint8Array): void => {
  const header = parse(raft, bytes)
  if (header === undefined) return raft.answerSnapshot(from, false)
  if (!leaderSpeaks(raft, from, header)) return raft.answerSnapshot(from, false)
  const wanted = header.position > raft.commit
  raft.answerSnapshot(from, wanted)
  if (!wanted) raft.sendDurable(from, { type: 'appendReply', term: raft.term, ok: true, match: raft.commit })
}

/** A body is staged. It counts only if it is still ahead of what is committed here. */
export const installReceived = (raft: RaftState, from: NodeId, id: SnapshotId, bytes: Uint8Array): void => {
  const header = parse(raft, bytes)
  if (header === undefined || !leaderSpeaks(raft, from, header)) return
  const { position, lastTerm, membership } = header
  if (position > raft.commit) {
    // An entry with the same index and term means that the log up to it is the leader's (log matching): keep it and what follows.
    if (raft.log.term(position) === lastTerm) raft.commitTo(position)
    else
      raft.installSnapshot({ id, position, lastTerm, membership }, encodeSnapshotHeader({ ...header, term: lastTerm }))
  }
  raft.sendDurable(from, { type: 'appendReply', term: raft.term, ok: true, match: raft.commit })
}

/** Tells a deposed leader that its term is over. */
export const refuseStale = (raft: RaftState, to: NodeId): void =>
  raft.sendEarly(to, {
    type: 'appendReply',
    term: raft.term,
    ok: false,
    previous: 0,
    conflict: 0,
    conflictTerm: raft.log.lastTerm,
  })
