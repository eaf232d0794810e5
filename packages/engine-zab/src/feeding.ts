import type { NodeId } from '@conclave/interface'
import { plainPing, proposeHeadBytes, transactionLengthBytes } from './messages.ts'
import { forgetInflight, type Progress } from './progress.ts'
import type { LeaderRole } from './roles/role.ts'
import { sendSnapshotTo } from './snapshot.ts'
import type { ZabState } from './state.ts'
import type { Transaction } from './transaction.ts'

/*
 * What a leader sends to each follower, from the promise of its epoch on, and what it says again to one that does not answer.
 */

/** NEWEPOCH to one that follows: its answer says where its history ends. */
export const discover = (zab: ZabState, { epoch }: LeaderRole, id: NodeId, progress: Progress): void => {
  if (progress.state === 'snapshot') return // the transfer tells of its own end
  progress.state = 'discovery'
  progress.follows = false
  progress.stalledTicks = 0
  zab.sendDurable(id, { type: 'newEpoch', epoch })
}

/** NEWLEADER, once everything up to the end of the initial history was sent. */
export const invite = (zab: ZabState, { epoch, initial }: LeaderRole, id: NodeId, progress: Progress): void => {
  progress.invited = true
  zab.sendEarly(id, { type: 'newLeader', epoch, position: initial })
}

/** COMMIT-LD, with the newest position that is committed: one who comes late may have been sent more than that. */
export const sendCommitLeader = (zab: ZabState, { epoch }: LeaderRole, id: NodeId, progress: Progress): void => {
  progress.told = zab.committed
  zab.sendEarly(id, { type: 'commitLeader', epoch, committed: zab.committed })
}

/** Sends every follower what it lacks, as far as its window allows. Called once a drain, so that the proposals of a turn share one message. */
export const replicate = (zab: ZabState, role: LeaderRole): void => {
  for (const [id, progress] of role.progress) {
    feed(zab, role, id, progress)
    // What goes with no proposal goes by itself.
    if (progress.follows && progress.told < zab.committed) sendCommit(zab, role, id, progress)
  }
}

const feed = (zab: ZabState, role: LeaderRole, id: NodeId, progress: Progress): void => {
  const { history, limits } = zab
  if (progress.state !== 'stream') return
  if (progress.next <= history.base) return sendSnapshotTo(zab, role, id, progress)
  while (progress.next <= history.last && progress.inflight.hasRoom(limits.inflightBytes))
    sendProposals(zab, role, id, progress)
  if (!progress.follows && !progress.invited && progress.next > role.initial) invite(zab, role, id, progress)
}

/** Sends the transactions from `next` on that fit in a message, at least one. */
const sendProposals = (zab: ZabState, { epoch }: LeaderRole, id: NodeId, progress: Progress): void => {
  const { history, limits } = zab
  const first = progress.next
  const transactions: Transaction[] = []
  let bytes = proposeHeadBytes
  for (; progress.next <= history.last; progress.next++) {
    const transaction = history.entry(progress.next)
    const size = transactionLengthBytes + transaction.size
    if (transactions.length > 0 && bytes + size > limits.messageBytes) break
    bytes += size
    transactions.push(transaction)
  }
  progress.told = zab.committed
  progress.inflight.sent(progress.next - 1, bytes)
  zab.sendEarly(id, { type: 'propose', epoch, first, committed: zab.committed, transactions })
}

const sendCommit = (zab: ZabState, { epoch }: LeaderRole, id: NodeId, progress: Progress): void => {
  progress.told = zab.committed
  zab.sendEarly(id, { type: 'commit', epoch, committed: zab.committed })
}

/** Something that was sent may be lost: nothing more is sent until the peer says where it stands. */
export const pause = (progress: Progress): void => {
  progress.state = 'paused'
  forgetInflight(progress)
}

/** Has not answered for a while: whatever it waits for, or should have answered, is told or asked again. */
export const remind = (zab: ZabState, role: LeaderRole, id: NodeId, progress: Progress): void => {
  progress.stalledTicks = 0
  if (progress.state === 'discovery') return discover(zab, role, id, progress)
  if (progress.state === 'stream' && progress.inflight.isEmpty) {
    if (progress.next > role.initial) invite(zab, role, id, progress)
    return
  }
  const established = role.phase === 'broadcast'
  zab.sendEarly(id, { ...plainPing(role.epoch), established, sent: Math.max(progress.next - 1, 1) })
}
