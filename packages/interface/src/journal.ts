import type { Position, Slot, SnapshotId } from './brands.ts'
import type { Chunks } from './bytes.ts'

/** One step of a write. The bytes must not change until the write is reported done. */
export type JournalOp =
  /** Replaces the engine's one atomic record (term and vote together, or ballots). At most 64 KiB. */
  | { readonly type: 'meta'; readonly bytes: Uint8Array }
  /** Sets a slot above what was compacted, replacing what it held. Gaps are allowed. */
  | { readonly type: 'put'; readonly slot: Slot; readonly bytes: Chunks }
  /** Forgets every slot from `slot` up. A record, never a cut of the file. */
  | { readonly type: 'truncateFrom'; readonly slot: Slot }
  /** Forgets every slot up to and including `slot`. Always in the write that names a snapshot at or above it, or a later one. */
  | { readonly type: 'compactTo'; readonly slot: Slot }
  /** Names the staged body `id` as the snapshot. The old body goes only after this write is durable. */
  | { readonly type: 'snapshot'; readonly id: SnapshotId; readonly position: Position; readonly header: Uint8Array }

export interface JournalState {
  /** The last `meta`, if there was any. */
  readonly meta?: Uint8Array
  /** The last named snapshot; its body can be read by `readSnapshot`. */
  readonly snapshot?: { readonly id: SnapshotId; readonly position: Position; readonly header: Uint8Array }
  /** Every slot that is set, ascending. */
  readonly entries: readonly { readonly slot: Slot; readonly bytes: Uint8Array }[]
}

export type DiskState = 'ok' | 'slow' | 'full'

export interface JournalEvents {
  /** The disk has no room for another segment (`full`: writes wait, none is lost, none is acknowledged), is slow, or is well again. */
  disk(state: DiskState): void
}

/**
 * A durable log of numbered slots with one record of metadata and one named snapshot. Belongs to one replica.
 *
 * Writes are atomic: after a crash a write is there whole or not at all, and if it is there, all earlier ones are.
 */
export interface Journal {
  /**
   * Recovers and takes ownership of the store. To be called once, before anything else. What it returns is durable: it will
   * be found again by the next `open`, come what may.
   * @throws CorruptJournal on damage that is no torn tail; DataDirectoryInUse if another process owns it.
   */
  open(events: JournalEvents): Promise<JournalState>
  /**
   * Appends one atomic group of operations. Calls `done()` when it and all earlier writes are durable, in the order of the writes and never
   * before `write` has returned; `done(error)` if it failed: that is terminal, every later write fails as well, and nothing may be assumed of
   * what is on disk. Writes are collected while one is in flight (group commit); the caller bounds how many it has outstanding.
   */
  write(ops: readonly JournalOp[], done: (error?: Error) => void): void
  /**
   * Stages a snapshot body under `id`: written and synced when the promise settles, not yet named. Unnamed bodies are deleted by the next `open`.
   * On an error, or when `signal` fires, the partial body is removed and the promise rejects. Never affects writes.
   */
  stage(id: SnapshotId, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>
  /** Removes a staged body that will not be named. Harmless if it is not there. */
  discard(id: SnapshotId): Promise<void>
  /** Streams a staged or named body, in chunks of at most 256 KiB. The body stays readable while a reader is open. @throws CorruptJournal if its checksum does not hold (before the last chunk is handed over). */
  readSnapshot(id: SnapshotId): AsyncIterable<Uint8Array>
  /** Bytes that the journal holds on disk, snapshots excluded; and counters since `open`. */
  stats(): { readonly bytes: number; readonly groups: number; readonly syncs: number }
  /** Waits for the write in flight, then releases everything. Writes that are still waiting fail. Safe to call twice. */
  close(): Promise<void>
}
