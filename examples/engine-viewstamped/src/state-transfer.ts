import type { NodeId } from '@conclave/interface'
import { offerSnapshot } from './checkpoint.ts'
import type { LogPart } from './log.ts'
import { headBytes } from './messages.ts'
import type { ReplicaState } from './state.ts'

/*
 * State transfer (section 5.2), in pages: GETSTATE asks for what follows an op-number, NEWSTATE brings it. A backup asks the primary of its view; a new primary
 * asks the replica whose log it has chosen.
 *
 * A replica that has heard of a later view "sets its op-number to its commit-number and removes all entries after this from its log". Here it asks from
 * there, but gives up no entry before its successor is here: see DIVERGENCE.md, this loses acknowledged requests otherwise.
 */

/** Takes a part of the log that the present view has. Entries are equal if their viewstamps are. @returns whether it follows what is here. */
export const takePart = (r: ReplicaState, { after, afterView, entries }: LogPart): boolean => {
  const { log } = r
  if (after > r.matched && (after > log.last || log.viewAt(after) !== afterView)) return false
  let at = after
  for (const entry of entries) {
    at++
    if (at <= r.matched || (at <= log.last && log.viewAt(at) === entry.view)) continue
    r.truncateFrom(at)
    r.append(entry)
  }
  r.matched = Math.max(r.matched, at)
  return true
}

export const askFor = (r: ReplicaState, source: NodeId): void => {
  r.transfer.asked = true
  r.sendEarly(source, { type: 'getState', view: r.view, after: r.matched })
}

/** At a heartbeat: asks again if what is known to be there has not come any nearer. */
export const repeatTransfer = (r: ReplicaState): void => {
  const { transfer, primaryId } = r
  const lacks = r.status === 'state-transfer' || (r.status === 'normal' && r.matched < transfer.target)
  transfer.asked = false
  if (lacks && r.matched === transfer.matched && primaryId !== undefined) askFor(r, primaryId)
  transfer.matched = r.matched
}

/**
 * Sends one page. A primary has the log of its view. So has, for the one that is about to be primary, every replica that is in the same view change: it has
 * not touched its log since its DOVIEWCHANGE.
 */
export const receiveGetState = (r: ReplicaState, from: NodeId, after: number): void => {
  const { log, primary } = r
  const backup = primary?.started ? primary.backups.get(from) : undefined
  if (backup === undefined && !(r.isChanging && from === r.primaryId)) return
  if (backup !== undefined) {
    backup.heardAt = r.now
    backup.pulls = true
  }
  if (after > log.last) return
  if (after < log.base) return offerSnapshot(r, from)
  const part = log.partAfter(after, r.limits.messageBytes - headBytes)
  if (backup !== undefined) backup.next = after + part.entries.length + 1
  r.sendEarly(from, { type: 'newState', view: r.view, commit: r.commit, part })
}
