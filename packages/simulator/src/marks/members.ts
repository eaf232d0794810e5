import type { Decided, NodeId } from '@conclave/interface'
import type { Hit, MarkSet } from '../marks.ts'

type Members = Extract<Decided, { type: 'members' }>

/** Looks at the configurations in the order in which they are decided. */
const configurations = (hit: Hit): ((decided: Members) => void) => {
  /** Who is on the way to voter, and since which reign. */
  const promoted = new Map<NodeId, bigint>()
  let joint: bigint | undefined
  return ({ membership, epoch }) => {
    for (const { id, role, promote } of membership.members) {
      if (promote === true && !promoted.has(id)) promoted.set(id, epoch)
      if (role !== 'voter') continue
      const since = promoted.get(id)
      if (since !== undefined && since < epoch) hit('learner promoted by itself after a leader change', id)
      promoted.delete(id)
    }
    if (membership.outgoing === undefined && joint !== undefined && joint < epoch)
      hit('joint configuration finished by another leader')
    joint = membership.outgoing === undefined ? undefined : epoch
  }
}

/** Changes of the membership. */
export const memberMarks: MarkSet = {
  marks: [
    { name: 'leader removed', fault: 'remove', needs: ['membership'] },
    { name: 'learner promoted by itself after a leader change', fault: 'add', needs: ['membership', 'learners'] },
    { name: 'joint configuration finished by another leader', needs: ['membership'], fault: 'add' },
    { name: 'lost node replaced by a spare', fault: 'disk-lost', needs: ['membership'] },
  ],
  watch: (hit, { ledger }) => {
    const configuration = configurations(hit)
    const lost = new Set<NodeId>()
    let read = 0
    let toReplace = 0
    return (seen) => {
      if (seen.type === 'drained') {
        const { before, status } = seen
        if (before?.leading === true && !status.leading && status.self === 'none') hit('leader removed', seen.node)
        for (; read < ledger.decidedTo; read++) {
          const decided = ledger.decided[read]?.decided
          if (decided?.type === 'members') configuration(decided)
        }
      } else if (seen.type === 'fault' && (seen.fault.type === 'disk-lost' || seen.fault.type === 'disk-corruption')) {
        for (const node of seen.nodes) lost.add(node)
      } else if (seen.type === 'changed' && seen.outcome === 'decided') {
        if (seen.change === 'remove' && lost.has(seen.node)) toReplace++
        if (seen.change === 'add' && toReplace > 0) {
          toReplace--
          hit('lost node replaced by a spare', seen.node)
        }
      }
    }
  },
}
