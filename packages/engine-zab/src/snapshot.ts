import { type CapturedSnapshot, MalformedBytes, type NodeId, type SnapshotId } from '@conclave/interface'
import { decodeSnapshotHeader, encodeSnapshotHeader, type SnapshotHeader } from './messages.ts'
import { forgetInflight, type Progress } from './progress.ts'
import type { FollowingRole, LeaderRole } from './roles/role.ts'
import type { ZabState } from './state.ts'
import { sameZxid } from './zxid.ts'

/** The replica has staged the state as of a committed position: name it, and let the journal forget what it stands for. */
export const nameCaptured = (zab: ZabState, { id, position }: CapturedSnapshot): void => {
  if (position <= (zab.snapshot?.position ?? 0) || position > zab.committed) return
  const membership = zab.configurations.at(position)
  if (membership === undefined) return // a node that joins does not know yet who the members were: nobody must get a guess for it
  zab.nameSnapshot({ id, position, zxid: zab.history.zxid(position), membership })
}

// ---- the leader's side ------------------------------------------------------------------------------------------------------------------

/** Ticks before a transfer that failed or was declined is tried again. */
const retryTicks = 20

/** SNAP: the peer lacks transactions that are in memory no more. It gets a snapshot, a newer one than there is if need be. */
export const sendSnapshotTo = (zab: ZabState, { epoch }: LeaderRole, id: NodeId, progress: Progress): void => {
  const { snapshot } = zab
  if (progress.snapshotIn > 0) return
  progress.snapshotIn = retryTicks
  if (snapshot === undefined || snapshot.position < zab.history.base) {
    zab.out.capture = true
    progress.keep = zab.history.base // or the snapshot might be too old again by the time it is there
    return
  }
  progress.state = 'snapshot'
  progress.snapshot = snapshot.position
  progress.transfer = snapshot.id
  progress.keep = snapshot.position
  forgetInflight(progress) // or it would count as stalled
  zab.out.sendSnapshot.push({ to: id, id: snapshot.id, header: encodeSnapshotHeader({ ...snapshot, epoch }) })
}

/** A transfer ended, maybe one of an earlier reign. Where the peer stands is told by its acknowledgement; this only ends the waiting. */
export const snapshotSent = (role: LeaderRole, to: NodeId, id: SnapshotId, ok: boolean): void => {
  const progress = role.progress.get(to)
  if (progress === undefined || progress.state !== 'snapshot' || progress.transfer !== id) return
  progress.state = ok ? 'paused' : 'discovery'
  if (ok) progress.next = progress.snapshot + 1
  progress.snapshotIn = retryTicks
}

/** Transactions above this position are needed by peers that catch up by a snapshot: while it is made and sent, and until they are up to date. */
export const neededByPeers = (role: LeaderRole): number => {
  let least = Number.POSITIVE_INFINITY
  for (const { keep } of role.progress.values()) least = Math.min(least, keep)
  return least
}

// ---- the follower's side ----------------------------------------------------------------------------------------------------------------

const parse = (zab: ZabState, header: Uint8Array): SnapshotHeader | undefined => {
  try {
    return decodeSnapshotHeader(header)
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    zab.malformed++
    return undefined
  }
}

/** The role in which a snapshot of this leader may be taken: its epoch is the one that was promised to it. */
const followerOf = (zab: ZabState, from: NodeId, { epoch }: SnapshotHeader): FollowingRole | undefined => {
  const { role, acceptedEpoch, acceptedFrom } = zab
  if (role.type !== 'FOLLOWING' || role.leader !== from) return undefined
  if (epoch !== acceptedEpoch || acceptedFrom !== from) return undefined
  role.silentTicks = 0
  return role
}

/** Judges an offer before a byte of the body is taken. */
export const judgeOffer = (zab: ZabState, from: NodeId, bytes: Uint8Array): void => {
  const header = parse(zab, bytes)
  const role = header && followerOf(zab, from, header)
  const accept = header !== undefined && role !== undefined && header.position > zab.committed
  zab.out.answerSnapshot.push({ from, accept })
}

/**
 * A body is staged. The state that it holds is committed in the leader's history. If this history has its last transaction, it has all before it; else it gives
 * way. What it has beyond is the leader's if the histories were compared; before that it may be an earlier leader's, and is not acknowledged.
 */
export const installReceived = (zab: ZabState, from: NodeId, id: SnapshotId, bytes: Uint8Array): void => {
  const header = parse(zab, bytes)
  const role = header && followerOf(zab, from, header)
  if (header === undefined || role === undefined || header.position <= zab.committed) return
  const { position, zxid, membership } = header
  const { history } = zab
  const common = history.lastUpTo(zxid)
  if (common === position && sameZxid(history.zxid(position), zxid)) zab.commitTo(position)
  else {
    zab.installSnapshot({ id, position, zxid, membership })
    if (role.phase === 'discovery') role.phase = 'synchronization'
  }
  const sure = role.phase === 'discovery' ? position : history.last
  zab.sendDurable(from, { type: 'ack', epoch: zab.acceptedEpoch, position: sure, resume: true })
}
