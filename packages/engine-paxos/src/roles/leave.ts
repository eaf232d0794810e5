import type { PaxosState } from '../state.ts'
import type { PendingRead, Tenure } from './role.ts'

/**
 * Settles what the node owes in the role that it leaves. A proposal of a lost reign may yet be decided, so its outcome is unknown, and it never
 * passes into a later reign of the same node; one that was held back was told to nobody, and a read has no effect: both are refused.
 */
export const leaveRole = (paxos: PaxosState): void => {
  const { role } = paxos
  if (role.type === 'leader')
    endTenure(
      paxos,
      role.tenure,
      role.readRounds.flatMap(({ reads }) => reads),
    )
  else if (role.type === 'preparing' && role.tenure !== undefined) endTenure(paxos, role.tenure, [])
}

export const endTenure = (paxos: PaxosState, tenure: Tenure, reads: readonly PendingRead[]): void => {
  for (const { id } of tenure.proposals) paxos.out.settle(id, { type: 'unknown' })
  if (tenure.change?.id !== undefined) paxos.out.settle(tenure.change.id, { type: 'unknown' })
  for (const id of [...tenure.held.map((held) => held.id), ...tenure.readsWaiting, ...reads.map((read) => read.id)])
    paxos.out.settle(id, { type: 'refused', reason: 'not-leader' })
}
