import type { NodeId } from '@conclave/interface'
import type { Observation } from '../observation.ts'

/** Slots that each engine has written and was not yet told to be durable. */
export class PendingSlots {
  readonly #nodes = new Map<NodeId, Map<number, number>>()

  of(node: NodeId): ReadonlyMap<number, number> {
    return this.#nodes.get(node) ?? nothing
  }

  /** To be called after whoever asks has looked: what is seen changes it. */
  see(seen: Observation): void {
    if (seen.type === 'started') this.#nodes.set(seen.node, new Map())
    else if (seen.type === 'drained') {
      const slots = this.#nodes.get(seen.node)
      const { write } = seen.effects
      if (slots === undefined || write === undefined) return
      for (const op of write.ops) {
        if (op.type === 'put') slots.set(op.slot, write.id)
        else if (op.type === 'truncateFrom') for (const slot of slots.keys()) if (slot >= op.slot) slots.delete(slot)
      }
    } else if (seen.type === 'stepped' && seen.input.type === 'persisted') {
      const slots = this.#nodes.get(seen.node)
      if (slots !== undefined) for (const [slot, write] of slots) if (write <= seen.input.write) slots.delete(slot)
    }
  }
}

const nothing: ReadonlyMap<number, number> = new Map()
