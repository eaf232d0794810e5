import type { ZabState } from '../state.ts'

/**
 * Settles what the node owes in the role that it leaves. A proposal of a lost reign may yet be committed, so its outcome is unknown; a read has no effect, so it
 * is refused.
 */
export const leaveRole = (zab: ZabState): void => {
  const { role } = zab
  zab.leader = undefined
  if (role.type !== 'LEADING' || role.phase === 'discovery') return
  zab.departed(zab.departing.keys())
  for (const { id } of role.proposals) zab.out.settle(id, { type: 'unknown' })
  if (role.change !== undefined) zab.out.settle(role.change.id, { type: 'unknown' })
  for (const id of [...role.readsWaiting, ...role.readRounds.flatMap(({ reads }) => [...reads])])
    zab.out.settle(id, { type: 'refused', reason: 'not-leader' })
}
