import { assert, position, type RequestId } from '@conclave/interface'
import { committed } from '@conclave/quorum'
import { sendCommitLeader } from './feeding.ts'
import { afterCommit, isLeaving } from './membership.ts'
import { type MessageOf, mostOverhead } from './messages.ts'
import { isUsedUp, proposeTransaction } from './primary.ts'
import { acknowledged, type Progress, streamFrom } from './progress.ts'
import { broadcastPing } from './reads.ts'
import { reportAgain, resume } from './roles/following.ts'
import type { FollowingRole, LeaderRole } from './roles/role.ts'
import type { ZabState } from './state.ts'
import { encodeReign, transactionKind } from './transaction.ts'
import { sameZxid } from './zxid.ts'

/*
 * Phase 3, broadcast (DSN 2011, algorithm 3): the leader proposes transactions in the order of their zxids, followers accept them in that order and acknowledge
 * what is durable, and what a quorum has acknowledged is committed in that order. The paper's links are FIFO; here each proposal says where it stands, a gap is
 * refused, and the leader goes on from there.
 */

// ---- the leader's side ------------------------------------------------------------------------------------------------------------------

/** A quorum follows: the initial history is committed, and the reign opens. */
export const establish = (zab: ZabState, role: LeaderRole): void => {
  role.phase = 'broadcast'
  zab.hasLeader(zab.self)
  zab.commitTo(role.initial)
  for (const [id, progress] of role.progress) if (progress.follows) sendCommitLeader(zab, role, id, progress)
  role.reign = proposeTransaction(zab, role, transactionKind.reign, encodeReign(zab.self))
  broadcastPing(zab, role)
}

export const propose = (zab: ZabState, role: LeaderRole, id: RequestId, batch: Uint8Array): void => {
  const size = batch.length
  const refuse = (reason: 'invalid' | 'disk-full' | 'in-progress' | 'overloaded'): void =>
    zab.out.settle(id, { type: 'refused', reason })
  if (mostOverhead + size > zab.limits.messageBytes) return refuse('invalid')
  if (zab.disk === 'full') return refuse('disk-full')
  if (role.transfer !== undefined || isUsedUp(zab, role) || isLeaving(zab)) return refuse('in-progress')
  if (role.undecidedBytes > 0 && role.undecidedBytes + size > zab.limits.undecidedBytes) return refuse('overloaded')
  role.undecidedBytes += size
  const at = proposeTransaction(zab, role, transactionKind.batch, batch)
  role.proposals.push({ id, position: at, size })
}

export const receiveAck = (zab: ZabState, role: LeaderRole, progress: Progress, ack: MessageOf<'ack'>): void => {
  const { position: at, resume: resumes } = ack
  if (at > zab.history.last || progress.state === 'away' || progress.state === 'discovery') return
  const news = acknowledged(progress, at)
  if (progress.keep <= at) progress.keep = at < zab.committed ? at : Number.POSITIVE_INFINITY
  if (progress.state === 'snapshot') {
    if (at >= progress.snapshot || at >= zab.history.base) streamFrom(progress, progress.acked)
  } else if (progress.state === 'paused') streamFrom(progress, Math.max(at, progress.acked))
  else if (resumes && !progress.resumed && at >= progress.acked && at + 1 < progress.next) {
    progress.resumed = true
    streamFrom(progress, at)
  }
  if (news) noteCommitted(zab, role)
}

/** Commits what a quorum has acknowledged. Only those who follow count; they have the initial history, so whatever is acknowledged includes it. */
export const noteCommitted = (zab: ZabState, role: LeaderRole): void => {
  if (role.phase !== 'broadcast') return
  const reached = committed(zab.quorum, (id) => {
    if (id === zab.self) return zab.stable.position
    const progress = role.progress.get(id)
    return progress?.follows === true ? progress.acked : 0
  })
  if (reached <= zab.committed) return
  zab.commitTo(reached)
  settleProposals(zab, role)
  afterCommit(zab, role)
}

const settleProposals = (zab: ZabState, role: LeaderRole): void => {
  let done = 0
  for (const proposal of role.proposals) {
    if (proposal.position > zab.committed) break
    zab.out.settle(proposal.id, { type: 'decided', position: position(proposal.position) })
    role.undecidedBytes -= proposal.size
    done++
  }
  if (done > 0) role.proposals.splice(0, done)
}

// ---- the follower's side ----------------------------------------------------------------------------------------------------------------

/** PROPOSE: accepted if it continues the own history. The acknowledgement waits for the disk, also that of a double, whose first write may be in flight. */
export const acceptProposals = (zab: ZabState, role: FollowingRole, message: MessageOf<'propose'>): void => {
  const { history } = zab
  if (role.phase === 'discovery') return reportAgain(zab, role) // the DIFF was lost
  if (message.first > history.last + 1) return resume(zab, role)
  let at = message.first
  for (const transaction of message.transactions) {
    if (at > history.last) zab.append(transaction)
    else if (at > history.base)
      assert(sameZxid(history.zxid(at), transaction.zxid), `position ${at} is proposed twice, differently`)
    at++
  }
  acceptCommit(zab, role, message.committed)
  zab.sendDurable(role.leader, { type: 'ack', epoch: message.epoch, position: history.last, resume: false })
}

/** COMMIT. The own history is a beginning of the leader's, so everything in it up to there is committed. */
export const acceptCommit = (zab: ZabState, role: FollowingRole, to: number): void => {
  if (role.phase === 'broadcast') zab.commitTo(Math.min(to, zab.history.last))
}
