import { concatChunks, type JournalOp, type JournalState, type Slot, type SnapshotId } from '@conclave/interface'
import { hex } from '../draw.ts'

/** What a journal holds, in the simplest way that could be right. */
export class JournalModel {
  #meta: Uint8Array | undefined
  #snapshot: JournalState['snapshot']
  readonly #slots = new Map<Slot, Uint8Array>()
  /** Staged and named bodies. */
  readonly bodies = new Map<SnapshotId, Uint8Array>()

  apply(ops: readonly JournalOp[]): void {
    for (const op of ops) this.#applyOne(op)
  }

  #applyOne(op: JournalOp): void {
    switch (op.type) {
      case 'meta':
        this.#meta = new Uint8Array(op.bytes)
        return
      case 'put':
        this.#slots.set(op.slot, new Uint8Array(concatChunks(op.bytes)))
        return
      case 'truncateFrom':
        for (const slot of [...this.#slots.keys()]) if (slot >= op.slot) this.#slots.delete(slot)
        return
      case 'compactTo':
        for (const slot of [...this.#slots.keys()]) if (slot <= op.slot) this.#slots.delete(slot)
        return
      case 'snapshot':
        this.#snapshot = { id: op.id, position: op.position, header: new Uint8Array(op.header) }
    }
  }

  get described(): string {
    return describeState(this.state)
  }

  copy(): JournalModel {
    const copy = new JournalModel()
    copy.#meta = this.#meta
    copy.#snapshot = this.#snapshot
    for (const [slot, bytes] of this.#slots) copy.#slots.set(slot, new Uint8Array(bytes))
    return copy
  }

  /** What `open` would find. */
  get state(): JournalState {
    return {
      ...(this.#meta !== undefined && { meta: this.#meta }),
      ...(this.#snapshot !== undefined && { snapshot: this.#snapshot }),
      entries: [...this.#slots].sort(([a], [b]) => a - b).map(([slot, bytes]) => ({ slot, bytes })),
    }
  }
}

/** A state as text, to compare and to show. */
export const describeState = ({ meta, snapshot, entries }: JournalState): string => {
  const parts = entries.map(({ slot, bytes }) => `${slot}=${hex(bytes)}`)
  if (snapshot !== undefined)
    parts.unshift(`snapshot ${snapshot.id} at ${snapshot.position}, header ${hex(snapshot.header)}`)
  if (meta !== undefined) parts.unshift(`meta ${hex(meta)}`)
  return parts.join('; ') || 'nothing'
}
