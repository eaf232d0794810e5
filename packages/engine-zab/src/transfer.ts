import type { NodeId } from '@conclave/interface'
import { renounceLeases } from './leases.ts'
import { isHeard } from './reads.ts'
import type { LeaderRole } from './roles/role.ts'
import type { ZabState } from './state.ts'

/*
 * The reign is given away: the leader takes no proposals, waits until everything is committed and the target has it, and asks it to begin. That takes the place of
 * phase 0, which is only a hint; the target still has to get through discovery. A leader that has used up its epoch, or whose epoch somebody can never follow,
 * asks itself.
 */

/** Begins a transfer; ignored if the target is no other voter, or one is under way. */
export const transfer = (zab: ZabState, role: LeaderRole, to: NodeId): void => {
  if (role.transfer !== undefined || !isHeir(zab, to)) return
  role.transfer = { to, ticksLeft: zab.timing.electionTicks, told: false }
}

const isHeir = (zab: ZabState, id: NodeId): boolean =>
  id !== zab.self && zab.membership.members.some((member) => member.id === id && member.role === 'voter')

/** Called once a drain. */
export const pushTransfer = (zab: ZabState, role: LeaderRole): void => {
  const { transfer } = role
  if (transfer === undefined || transfer.told || zab.committed < zab.history.last) return
  const progress = role.progress.get(transfer.to)
  if (progress === undefined || !progress.follows || progress.acked < zab.history.last) return
  transfer.told = true
  tell(zab, role, transfer.to)
}

const tell = (zab: ZabState, role: LeaderRole, to: NodeId): void => {
  renounceLeases(role)
  zab.sendEarly(to, { type: 'handOver', epoch: role.epoch })
}

/** Time is up. The reign has no lease any more, since who was told may still begin: a new one has, and what was told of this one is void in it. */
export const tickTransfer = (zab: ZabState, role: LeaderRole): void => {
  const { transfer } = role
  if (transfer === undefined || --transfer.ticksLeft > 0) return
  role.transfer = undefined
  if (transfer.told && zab.leases && zab.disk !== 'full') role.exhausted = true
}

/** The voter that follows, and has the most, of those that were heard lately. */
const heir = (zab: ZabState, role: LeaderRole): NodeId | undefined => {
  let best: NodeId | undefined
  let most = 0
  for (const [id, progress] of role.progress) {
    if (!isHeir(zab, id) || !progress.follows || !isHeard(zab, progress) || progress.acked <= most) continue
    best = id
    most = progress.acked
  }
  return best
}

/** Gives the reign to whoever fits best, if anybody does. */
export const handOver = (zab: ZabState, role: LeaderRole): void => {
  const to = heir(zab, role)
  if (to !== undefined) transfer(zab, role, to)
}

/** The last word of a leader that is a member no more. */
export const handOverAtOnce = (zab: ZabState, role: LeaderRole): void => {
  const to = heir(zab, role)
  if (to !== undefined) tell(zab, role, to)
}

/** A leader whose disk is full can commit nothing by itself, and one whose disk becomes slow makes others wait: somebody else should lead. */
export const diskChanged = (zab: ZabState, state: ZabState['disk']): void => {
  const worse = state === 'full' || (state === 'slow' && zab.disk === 'ok')
  zab.disk = state
  if (worse && zab.role.type === 'LEADING' && zab.role.phase === 'broadcast') handOver(zab, zab.role)
}
