import type { NodeId } from '@conclave/interface'
import { becomeElected, beginAnew } from './discovery.ts'
import { follow } from './roles/following.ts'
import type { LeaderRole } from './roles/role.ts'
import type { ZabState } from './state.ts'
import type { ZabEpoch } from './zxid.ts'

/** The leader of the epoch that is followed here asks this node to begin: the others are told, and follow. */
export const takeOver = (zab: ZabState, epoch: ZabEpoch): void => {
  if (!zab.isVoter || zab.disk === 'full') return
  zab.pledge.release()
  for (const { id } of zab.peers()) zab.sendEarly(id, { type: 'takeOver', epoch })
  becomeElected(zab)
}

/** Somebody was asked to begin by the leader of the epoch that is followed here, or by this node, which leads it. */
export const giveWay = (zab: ZabState, from: NodeId, epoch: ZabEpoch): void => {
  const { role } = zab
  const leads = role.type === 'LEADING' && role.phase === 'broadcast' && role.transfer?.to === from
  const follows = role.type === 'FOLLOWING' && role.phase === 'broadcast'
  if (epoch !== zab.acceptedEpoch || !(leads || follows)) return
  zab.pledge.release()
  follow(zab, from)
}

/** A leader that has used up its epoch asks itself, as soon as everything is committed. Called once a drain. */
export const renew = (zab: ZabState, role: LeaderRole): void => {
  if (role.exhausted && zab.committed === zab.history.last) beginAnew(zab, role.epoch)
}
