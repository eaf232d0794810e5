import type { CapturedSnapshot, NodeId, SnapshotId } from '@conclave/interface'
import { encodeSnapshotHeader } from './messages.ts'
import type { ReplicaState } from './state.ts'

/*
 * Checkpoints (section 5.1) are the snapshots of the contract. A replica that lacks what is in nobody's memory any more gets one instead of NEWSTATE.
 */

/** The state at a decided position is staged: the log below it is not needed any more. */
export const nameCaptured = (r: ReplicaState, { id, position }: CapturedSnapshot): void => {
  if (position <= (r.snapshot?.position ?? 0) || position > r.commit) return
  r.nameSnapshot({ id, view: r.view, position, entryView: r.log.viewAt(position) })
}

export const offerSnapshot = (r: ReplicaState, to: NodeId): void => {
  const { snapshot, log, errands, timing } = r
  const errand = errands.get(to)
  if (errand?.id !== undefined || (errand?.quiet ?? 0) > 0) return
  const ticks = timing.electionTicks * 2
  if (snapshot === undefined || snapshot.position < log.base) {
    r.out.capture = true
    errands.set(to, { id: undefined, floor: errand?.floor ?? log.base, ticks, quiet: 0 })
    return
  }
  errands.set(to, { id: snapshot.id, floor: snapshot.position, ticks, quiet: 0 })
  r.out.sendSnapshot.push({ to, id: snapshot.id, header: encodeSnapshotHeader({ ...snapshot, view: r.view }) })
}

/** A transfer ended. For a while longer its end stays in memory, and no other begins: the peer may still be taking it in. */
export const snapshotSent = (r: ReplicaState, to: NodeId, id: SnapshotId): void => {
  const { errands, timing } = r
  const errand = errands.get(to)
  if (errand?.id !== id) return
  const [ticks, quiet] = [timing.electionTicks * 2, timing.heartbeatTicks * 2]
  errands.set(to, { id: undefined, floor: errand.floor, ticks, quiet })
}

export const tickErrands = ({ errands }: ReplicaState): void => {
  for (const [to, errand] of errands) {
    errand.quiet--
    if (errand.id === undefined && --errand.ticks <= 0) errands.delete(to)
  }
}
