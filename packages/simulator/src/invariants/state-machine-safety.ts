import type { NodeId } from '@conclave/interface'
import { hex } from '../digest.ts'
import type { Invariant } from './invariant.ts'

interface Applied {
  readonly node: NodeId
  readonly commands: string[]
}

export const stateMachineSafety: Invariant = {
  name: 'state machine safety',
  source:
    'Raft, extended version, figure 3: if a server has applied a log entry at a given index to its state machine, no other server will ever apply a different log entry for the same index',
  watch: (broken) => {
    const applied = new Map<number, Applied>()
    /** Where each node is within the position that it applies. */
    const at = new Map<NodeId, { position: number; count: number }>()
    return (seen) => {
      if (seen.type === 'started') at.delete(seen.node)
      if (seen.type !== 'applied') return
      const here = at.get(seen.node)
      const count = here?.position === seen.position ? here.count : 0
      at.set(seen.node, { position: seen.position, count: count + 1 })
      const command = hex(seen.command)
      const known = applied.get(seen.position)
      if (known === undefined) applied.set(seen.position, { node: seen.node, commands: [command] })
      else if (known.commands[count] === undefined && known.node === seen.node) known.commands.push(command)
      else if (known.commands[count] !== command)
        broken(
          `${seen.node} applied another command than ${known.node} as number ${count + 1} of position ${seen.position}`,
          seen.node,
          known.node,
        )
    }
  },
}
