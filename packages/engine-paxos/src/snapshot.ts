import { type CapturedSnapshot, MalformedBytes, type NodeId, type SnapshotId } from '@conclave/interface'
import { compareBallots } from './ballot.ts'
import { decodeSnapshotHeader, encodeSnapshotHeader, type SnapshotHeader } from './messages.ts'
import { type Progress, startOver } from './progress.ts'
import { becomeAcceptor } from './roles/follow.ts'
import type { LeaderRole } from './roles/role.ts'
import type { PaxosState } from './state.ts'

/** The replica has staged the state as of a decided position: name it, and let the journal forget what it stands for. */
export const nameCaptured = (paxos: PaxosState, { id, position }: CapturedSnapshot): void => {
  if (position <= (paxos.snapshot?.position ?? 0) || position > paxos.decided) return
  const { reign, configuration } = paxos.pointAt(position)
  paxos.nameSnapshot({ id, position, reign, configuration })
}

// ---- the side that sends ----------------------------------------------------------------------------------------------------------------

/** Ticks before a transfer that failed or was declined is tried again. */
const retryTicks = 20

/** The peer lacks slots that are in memory no more: it gets a snapshot, a newer one than there is if need be. */
export const sendSnapshotTo = (paxos: PaxosState, id: NodeId, progress: Progress): void => {
  const { snapshot } = paxos
  if (progress.snapshotIn > 0 || progress.silentTicks >= paxos.timing.electionTicks) return
  progress.snapshotIn = retryTicks
  if (snapshot === undefined || snapshot.position < paxos.log.base) {
    paxos.out.capture = true
    progress.keep = paxos.log.base // or the snapshot might be too old again by the time it is there
    return
  }
  startOver(progress, progress.delivered)
  progress.state = 'snapshot'
  progress.snapshot = snapshot.position
  progress.transfer = snapshot.id
  progress.keep = snapshot.position
  offer(paxos, id)
}

const offer = (paxos: PaxosState, to: NodeId): void => {
  const { snapshot, promised } = paxos
  if (snapshot === undefined) return
  const header = encodeSnapshotHeader({ ...snapshot, ballot: promised })
  paxos.out.sendSnapshot.push({ to, id: snapshot.id, header })
}

/** Without a leader, too, a member that lags behind is brought up, or it might keep the others from electing one. One at a time. */
export const helpBySnapshot = (paxos: PaxosState, to: NodeId): void => {
  const isMember = paxos.configuration.membership.members.some(({ id }) => id === to)
  if (paxos.helpIn > 0 || !isMember) return
  paxos.helpIn = retryTicks
  if (paxos.snapshot !== undefined && paxos.snapshot.position >= paxos.log.base) offer(paxos, to)
  else paxos.out.capture = true
}

/** A transfer ended, maybe one of an earlier reign. Where the peer stands is told by itself; this only ends the waiting. */
export const snapshotSent = (role: LeaderRole, to: NodeId, id: SnapshotId, ok: boolean): void => {
  const progress = role.progress.get(to)
  if (progress === undefined || progress.state !== 'snapshot' || progress.transfer !== id) return
  progress.state = 'stream'
  progress.snapshotIn = retryTicks
  // It has the body, but may not have installed it: feeding goes on above it, and begins anew if the peer says that it lacks what lies below.
  if (!ok || progress.snapshot < progress.next) return
  progress.next = progress.snapshot + 1
  progress.floor = progress.next
}

/** Slots above this one are needed by peers that catch up by a snapshot: while it is made and sent, and until they are up to date. */
export const neededByPeers = (role: LeaderRole): number => {
  let least = Number.POSITIVE_INFINITY
  for (const { keep } of role.progress.values()) least = Math.min(least, keep)
  return least
}

// ---- the side that receives -------------------------------------------------------------------------------------------------------------

const parse = (paxos: PaxosState, header: Uint8Array): SnapshotHeader | undefined => {
  try {
    return decodeSnapshotHeader(header)
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    paxos.malformed++
    return undefined
  }
}

/** What is decided may be learned from anybody. A proposer of the same configuration knows better: phase 1 has told it everything. */
const isWanted = (paxos: PaxosState, { position, configuration }: SnapshotHeader): boolean =>
  position > paxos.decided &&
  (paxos.role.type === 'acceptor' ||
    configuration.number > paxos.configuration.number ||
    paxos.role.type === 'canvassing')

/** Judges an offer before a byte of the body is taken. */
export const judgeOffer = (paxos: PaxosState, from: NodeId, bytes: Uint8Array): void => {
  const header = parse(paxos, bytes)
  const accept = header !== undefined && isWanted(paxos, header)
  paxos.out.answerSnapshot.push({ from, accept })
  if (header !== undefined && !accept) paxos.sendDurable(from, { type: 'watermark' })
}

/** A body is staged. It counts only if it is still ahead of what is decided here. */
export const installReceived = (paxos: PaxosState, from: NodeId, id: SnapshotId, bytes: Uint8Array): void => {
  const header = parse(paxos, bytes)
  if (header === undefined) return
  if (isWanted(paxos, header)) {
    if (paxos.role.type !== 'acceptor') becomeAcceptor(paxos)
    // What was chosen in a ballot must not be recorded under a lower one.
    if (compareBallots(header.ballot, paxos.promised) > 0) paxos.promise(header.ballot)
    paxos.installSnapshot({ id, position: header.position, reign: header.reign, configuration: header.configuration })
  }
  paxos.sendDurable(from, { type: 'watermark' })
}
