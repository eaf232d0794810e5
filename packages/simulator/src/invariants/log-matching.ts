import type { NodeId } from '@conclave/interface'
import type { NodeLog } from '../ledger.ts'
import type { Observation } from '../observation.ts'
import type { Invariant } from './invariant.ts'

/** Slots that were put by what was seen. */
const slotsOf = (seen: Observation): readonly number[] => {
  if (seen.type === 'started') return seen.recovered.entries.map(({ slot }) => slot)
  if (seen.type !== 'drained') return []
  const slots: number[] = []
  for (const op of seen.effects.write?.ops ?? []) if (op.type === 'put') slots.push(op.slot)
  return slots
}

export const logMatching: Invariant = {
  name: 'log matching',
  source:
    'Raft, extended version, figure 3: if two logs contain an entry with the same index and term, then the logs are identical in all entries up through the given index',
  watch: (broken, ledger) => {
    const known = new Map<string, { readonly chain: string; readonly node: NodeId }>()
    const check = (log: NodeLog, slot: number, node: NodeId): void => {
      const link = log.at(slot)
      if (link?.epoch === undefined) return
      const place = `${slot}/${link.epoch}`
      const before = known.get(place)
      if (before === undefined) known.set(place, { chain: link.chain, node })
      else if (before.chain !== link.chain)
        broken(
          `${node} and ${before.node} hold an entry of epoch ${link.epoch} at slot ${slot}, but differ there or before`,
          node,
          before.node,
        )
    }
    return (seen) => {
      if (seen.type !== 'started' && seen.type !== 'drained') return
      const log = ledger.logOf(seen.node)
      for (const slot of slotsOf(seen)) check(log, slot, seen.node)
    }
  },
}
