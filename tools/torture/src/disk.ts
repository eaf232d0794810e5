import { concatChunks, type JournalOp, type JournalState, type Slot } from '@conclave/interface'

/** What is on a node's disk: the meaning of the journal's operations, in a few lines. */
export class Disk {
  meta: Uint8Array | undefined
  snapshot: JournalState['snapshot']
  readonly slots = new Map<number, Uint8Array>()

  apply(ops: readonly JournalOp[]): void {
    for (const op of ops) {
      if (op.type === 'meta') this.meta = op.bytes
      else if (op.type === 'put') this.slots.set(op.slot, concatChunks(op.bytes))
      else if (op.type === 'truncateFrom') this.#delete((slot) => slot >= op.slot)
      else if (op.type === 'compactTo') this.#delete((slot) => slot <= op.slot)
      else this.snapshot = { id: op.id, position: op.position, header: op.header }
    }
  }

  #delete(which: (slot: number) => boolean): void {
    for (const slot of [...this.slots.keys()]) if (which(slot)) this.slots.delete(slot)
  }

  state(): JournalState {
    const entries = [...this.slots].sort(([a], [b]) => a - b).map(([at, bytes]) => ({ slot: at as Slot, bytes }))
    return {
      entries,
      ...(this.meta !== undefined && { meta: this.meta }),
      ...(this.snapshot !== undefined && { snapshot: this.snapshot }),
    }
  }
}
