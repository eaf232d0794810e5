import { MalformedBytes, type NodeId, type SnapshotId } from '@conclave/interface'
import { completeTransfer } from './backup.ts'
import { decodeSnapshotHeader, type SnapshotHeader } from './messages.ts'
import type { ReplicaState } from './state.ts'
import { askFor } from './state-transfer.ts'
import { collect, enterView } from './view-change.ts'

/** What is decided is decided in every view, so it matters little who sends it; a later view than the own one is entered first. */
const wanted = (r: ReplicaState, header: SnapshotHeader): boolean => {
  if (header.view > r.view) enterView(r, header.view)
  return header.position > r.commit && r.primary === undefined
}

const parse = (r: ReplicaState, bytes: Uint8Array): SnapshotHeader | undefined => {
  try {
    return decodeSnapshotHeader(bytes)
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error
    r.malformed++
    return undefined
  }
}

export const judgeOffer = (r: ReplicaState, from: NodeId, bytes: Uint8Array): void => {
  const header = parse(r, bytes)
  const accept = header !== undefined && r.configuration.has(from) && wanted(r, header)
  r.out.answerSnapshot.push({ from, accept })
}

/** A body is staged. It counts only if it is still ahead of what is committed here. */
export const installReceived = (r: ReplicaState, id: SnapshotId, bytes: Uint8Array): void => {
  const header = parse(r, bytes)
  if (header === undefined || !wanted(r, header)) return
  const { position, entryView } = header
  // The same viewstamp: the log up to there is what the snapshot stands for, and what follows it stays.
  if (position <= r.log.last && r.log.viewAt(position) === entryView) {
    r.matched = Math.max(r.matched, position)
    r.commitTo(position)
  } else r.installSnapshot({ ...header, id })
  completeTransfer(r)
  if (r.isChanging) collect(r)
  else if (r.status !== 'view-change' && r.primaryId !== undefined) askFor(r, r.primaryId)
}
