import type { NodeId } from '@conclave/interface'
import type { Invariant } from './invariant.ts'

export const equalStates: Invariant = {
  name: 'equal states',
  source:
    'Schneider, Implementing Fault-Tolerant Services Using the State Machine Approach, section 2: deterministic machines that take the same commands in the same order are in the same state',
  watch: (broken) => {
    const states = new Map<number, { readonly node: NodeId; readonly hash: string }>()
    return (seen) => {
      if (seen.type !== 'state') return
      const known = states.get(seen.position)
      if (known === undefined) states.set(seen.position, { node: seen.node, hash: seen.hash })
      else if (known.hash !== seen.hash)
        broken(
          `at position ${seen.position} the state of ${seen.node} is ${seen.hash}, that of ${known.node} was ${known.hash}`,
          seen.node,
          known.node,
        )
    }
  },
}
