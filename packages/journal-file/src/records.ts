import type { JournalOp, Position, Slot, SnapshotId } from '@conclave/interface'
import type { StoredOp } from './operations.ts'

export interface NamedSnapshot {
  readonly id: SnapshotId
  readonly position: Position
  readonly header: Uint8Array
}

/** The small live records of a journal: what the next segment will begin with. */
export class Records {
  meta: Uint8Array | undefined
  snapshot: NamedSnapshot | undefined
  /** Slots up to here are forgotten. */
  compacted = 0 as Slot
  /** Index of the oldest segment that is part of the journal. */
  floor = 1

  /** Bytes are kept as they are: copy them first if they are the caller's. */
  apply(op: JournalOp | StoredOp): void {
    switch (op.type) {
      case 'meta':
        this.meta = op.bytes
        return
      case 'snapshot':
        this.snapshot = { id: op.id, position: op.position, header: op.header }
        return
      case 'compactTo':
        if (op.slot > this.compacted) this.compacted = op.slot
        return
      case 'floor':
        if (op.index > this.floor) this.floor = op.index
        return
      case 'put':
      case 'truncateFrom':
      // They concern entries alone.
    }
  }
}

export interface SegmentUse {
  readonly index: number
  readonly path: string
  bytes: number
  /** The highest slot set in it that no later record took away; what is at or below the compaction is dead. */
  top: number
}

/** Which segments still hold something live. The last one is the one written to. */
export class SegmentLedger {
  readonly #segments: SegmentUse[] = []

  begin(segment: { readonly index: number; readonly path: string; readonly bytes: number }): void {
    this.#segments.push({ ...segment, top: 0 })
  }

  /** Follows an operation that was written to the last segment. */
  apply(op: { readonly type: string } | { readonly type: 'put' | 'truncateFrom'; readonly slot: Slot }): void {
    if (!('slot' in op)) return
    if (op.type === 'put') {
      const last = this.#segments.at(-1)
      if (last !== undefined && op.slot > last.top) last.top = op.slot
    } else if (op.type === 'truncateFrom') {
      for (const segment of this.#segments) if (segment.top >= op.slot) segment.top = op.slot - 1
    }
  }

  /** The oldest segments in which nothing is live once everything up to `compacted` is forgotten; never the last. */
  dead(compacted: Slot): readonly SegmentUse[] {
    let count = 0
    while (count < this.#segments.length - 1 && (this.#segments[count] as SegmentUse).top <= compacted) count++
    return this.#segments.slice(0, count)
  }

  get first(): SegmentUse | undefined {
    return this.#segments[0]
  }

  resize(path: string, bytes: number): void {
    for (const segment of this.#segments) if (segment.path === path) segment.bytes = bytes
  }

  get paths(): string[] {
    return this.#segments.map((segment) => segment.path)
  }

  /** Forgets the outcome of `dead`. */
  drop(dead: readonly SegmentUse[]): void {
    this.#segments.splice(0, dead.length)
  }

  get bytes(): number {
    let bytes = 0
    for (const segment of this.#segments) bytes += segment.bytes
    return bytes
  }
}
