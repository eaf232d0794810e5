import type { NodeId } from '@conclave/interface'
import type { LogPart } from './log.ts'
import type { Message } from './messages.ts'
import type { ReplicaState } from './state.ts'
import { askFor, takePart } from './state-transfer.ts'
import { collect } from './view-change.ts'

/** The primary of the present view speaks. */
export const heardPrimary = (r: ReplicaState): void => {
  r.heardAt = r.now
  r.suspectIn = r.patience()
  r.change.wanted = undefined
  r.change.suspects.clear()
  if (r.status === 'view-change') r.status = 'state-transfer'
}

/**
 * STARTVIEW, PREPARE, or NEWSTATE of the primary. "Backups process PREPARE messages in order: a backup won't accept a prepare with op-number n until it has
 * entries for all earlier requests in its log."
 */
export const followLog = (r: ReplicaState, part: LogPart, commit: number): void => {
  const { transfer, primaryId } = r
  const before = r.matched
  const follows = takePart(r, part)
  transfer.target = Math.max(transfer.target, part.after + part.entries.length)
  advance(r, commit)
  if (r.status === 'normal' && follows) r.prepareOkDue = true
  // A page that brought something is answered by the wish for the next; what else is lacking is asked for once a heartbeat.
  const nextPage = r.status === 'state-transfer' && r.matched > before
  if (primaryId !== undefined && (nextPage || (!follows && !transfer.asked))) askFor(r, primaryId)
}

/** "⟨COMMIT v, k⟩": and how much was sent, so that the loss of the last PREPARE is noticed. */
export const followCommit = (r: ReplicaState, from: NodeId, message: Message & { type: 'commit' }): void => {
  r.transfer.target = Math.max(r.transfer.target, message.op, message.commit)
  advance(r, message.commit)
  if (r.status === 'normal' && r.commit < r.log.last) r.prepareOkDue = true // maybe the last one was lost
  if (r.status === 'state-transfer' && !r.transfer.asked) askFor(r, from)
  r.sendEarly(from, { type: 'commitOk', view: r.view, round: message.round })
}

/** The commit-number covers what is here of this view's log. */
const advance = (r: ReplicaState, commit: number): void => {
  r.commitTo(Math.min(commit, r.matched))
  completeTransfer(r)
}

/** An entry of the present view is here: it follows all that the view began with. */
export const completeTransfer = (r: ReplicaState): void => {
  if (r.status !== 'state-transfer' || r.log.viewAt(r.matched) !== r.view) return
  r.becomeNormal()
  r.prepareOkDue = true
}

/** A page, from the primary or, at a new one, from the replica whose log it has chosen. */
export const receiveNewState = (r: ReplicaState, from: NodeId, message: Message & { type: 'newState' }): void => {
  if (from === r.primaryId) {
    heardPrimary(r)
    return followLog(r, message.part, message.commit)
  }
  if (!r.isChanging || from !== r.change.source) return
  const before = r.matched
  takePart(r, message.part)
  if (r.matched === before) return // a double
  r.suspectIn = r.patience()
  collect(r)
}

/** "A PREPAREOK message to the primary to indicate that this operation and all earlier ones have prepared locally": on disk, here. */
export const sendPrepareOk = (r: ReplicaState): void => {
  const { primaryId } = r
  if (!r.prepareOkDue || r.status !== 'normal' || primaryId === undefined) return
  r.prepareOkDue = false
  r.sendDurable(primaryId, { type: 'prepareOk', view: r.view, op: r.log.last })
}
