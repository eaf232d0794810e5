import type { NodeId } from '@conclave/interface'
import type { Invariant } from './invariant.ts'

export const electionSafety: Invariant = {
  name: 'election safety',
  source: 'Raft, extended version, figure 3: at most one leader can be elected in a given term',
  watch: (broken) => {
    const leaders = new Map<bigint, NodeId>()
    return (seen) => {
      if (seen.type !== 'drained') return
      const { leader } = seen.effects
      if (leader?.id === undefined) return
      const known = leaders.get(leader.epoch)
      if (known === undefined) leaders.set(leader.epoch, leader.id)
      else if (known !== leader.id)
        broken(
          `${seen.node} says that ${leader.id} leads epoch ${leader.epoch}, which ${known} led`,
          known,
          leader.id,
          seen.node,
        )
    }
  },
}
