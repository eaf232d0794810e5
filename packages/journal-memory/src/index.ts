/**
 * A journal in memory, for tests and demos: the contract of `Journal`, faults on demand, and nothing on any disk.
 *
 * @example
 * ```ts
 * import { slot } from '@conclave/interface'
 * import { memoryJournal } from '@conclave/journal-memory'
 *
 * const journal = memoryJournal()
 * await journal.open({ disk: () => {} })
 * journal.write([{ type: 'put', slot: slot(1), bytes: [new Uint8Array([1])] }], () => console.log('done'))
 * const after = journal.reopen() // what was done is there, what was not is lost
 * ```
 *
 * @packageDocumentation
 */
import {
  assert,
  concatChunks,
  DataDirectoryInUse,
  type DiskState,
  type Journal,
  type JournalEvents,
  JournalFailed,
  type JournalOp,
  type JournalState,
  position,
  type Slot,
  type SnapshotId,
  slot,
  snapshotId,
} from '@conclave/interface'

/** To be switched on and off while the journal is in use. */
export interface MemoryFaults {
  /** Groups are held back: no `done` is called until `release`. */
  hold: boolean
  /** The next group fails, and the journal with it. */
  failSync: boolean
}

export interface MemoryJournalInit {
  readonly faults?: Partial<MemoryFaults>
  /** Runs what ends a group, never at once. Default: a microtask. A simulation passes its clock's `defer`. */
  readonly defer?: (run: () => void) => void
}

export interface MemoryJournal extends Journal {
  readonly faults: MemoryFaults
  /** Lets go what was held back, and holds no more. */
  release(): void
  /** Tells the owner that the disk is in this state. */
  disk(state: DiskState): void
  /**
   * A new journal over the same store, as after a crash or a close: this one is finished, and the writes that it has not reported done are lost,
   * as are bodies that nothing names. To be opened.
   */
  reopen(): MemoryJournal
}

const mostChunkBytes = 256 * 1024

/** What survives a crash. */
class Store {
  meta: Uint8Array | undefined
  snapshot: JournalState['snapshot']
  readonly entries = new Map<Slot, Uint8Array>()
  readonly bodies = new Map<SnapshotId, Uint8Array>()
  compacted = 0
  owner: object | undefined

  apply(op: JournalOp): void {
    switch (op.type) {
      case 'meta':
        this.meta = op.bytes
        return
      case 'put':
        this.entries.set(op.slot, concatChunks(op.bytes))
        return
      case 'truncateFrom':
        for (const at of this.entries.keys()) if (at >= op.slot) this.entries.delete(at)
        return
      case 'compactTo':
        this.compacted = Math.max(this.compacted, op.slot)
        for (const at of this.entries.keys()) if (at <= op.slot) this.entries.delete(at)
        return
      case 'snapshot': {
        const old = this.snapshot?.id
        this.snapshot = { id: op.id, position: op.position, header: op.header }
        if (old !== undefined && old !== op.id) this.bodies.delete(old)
      }
    }
  }

  state(): JournalState {
    const entries = [...this.entries]
      .sort(([a], [b]) => a - b)
      .map(([at, bytes]) => ({ slot: at, bytes: bytes.slice() }))
    return {
      ...(this.meta === undefined ? {} : { meta: this.meta.slice() }),
      ...(this.snapshot === undefined ? {} : { snapshot: this.snapshot }),
      entries,
    }
  }

  get bytes(): number {
    let bytes = this.meta?.length ?? 0
    for (const entry of this.entries.values()) bytes += entry.length
    return bytes
  }
}

/** A copy that the caller cannot change any more. */
const owned = (op: JournalOp): JournalOp => {
  switch (op.type) {
    case 'meta':
      assert(op.bytes.length <= 65_536, `a meta record has at most 65536 bytes, got ${op.bytes.length}`)
      return { type: 'meta', bytes: op.bytes.slice() }
    case 'put':
      return { type: 'put', slot: slot(op.slot), bytes: [concatChunks(op.bytes).slice()] }
    case 'snapshot':
      return { type: 'snapshot', id: snapshotId(op.id), position: position(op.position), header: op.header.slice() }
    default:
      return op
  }
}

interface Waiting {
  readonly ops: readonly JournalOp[]
  done(error?: Error): void
}

class InMemory implements MemoryJournal {
  readonly faults: MemoryFaults
  readonly #init: MemoryJournalInit
  readonly #store: Store
  readonly #queue: Waiting[] = []
  readonly #staged = new Set<SnapshotId>()
  #phase: 'new' | 'open' | 'failed' | 'closed' = 'new'
  #events: JournalEvents | undefined
  #flight: readonly Waiting[] = []
  /** The flight is ready to end and is held back. */
  #held = false
  #compacted = 0
  #groups = 0
  #landed: (() => void)[] = []

  constructor(init: MemoryJournalInit, store: Store) {
    this.#init = init
    this.#store = store
    this.faults = { hold: false, failSync: false, ...init.faults }
  }

  async open(events: JournalEvents): Promise<JournalState> {
    assert(this.#phase === 'new', 'a journal is opened once')
    if (this.#store.owner !== undefined)
      throw new DataDirectoryInUse('this journal in memory is open already: close it, or reopen() it')
    this.#store.owner = this
    this.#phase = 'open'
    this.#events = events
    const named = this.#store.snapshot?.id
    for (const id of this.#store.bodies.keys()) if (id !== named) this.#store.bodies.delete(id)
    if (named !== undefined) this.#staged.add(named)
    this.#compacted = this.#store.compacted
    return this.#store.state()
  }

  write(ops: readonly JournalOp[], done: (error?: Error) => void): void {
    assert(this.#phase !== 'new', 'a journal is opened before it is written')
    if (this.#phase !== 'open') {
      this.#defer(() =>
        done(new JournalFailed(this.#phase === 'failed' ? 'an earlier write failed' : 'the journal is closed')),
      )
      return
    }
    for (const op of ops) {
      if (op.type === 'snapshot')
        assert(this.#staged.has(op.id), `snapshot ${op.id} is named before its body is staged`)
      if (op.type === 'put')
        assert(
          op.slot > this.#compacted,
          `slot ${op.slot} is set, but everything up to ${this.#compacted} was compacted`,
        )
      if (op.type === 'compactTo' && op.slot > this.#compacted) this.#compacted = op.slot
    }
    this.#queue.push({ ops: ops.map(owned), done })
    this.#pump()
  }

  #defer(run: () => void): void {
    const { defer = queueMicrotask } = this.#init
    defer(run)
  }

  #pump(): void {
    if (this.#flight.length > 0 || this.#queue.length === 0) return
    this.#flight = this.#queue.splice(0)
    this.#defer(() => this.#land())
  }

  #land(): void {
    if (this.#store.owner !== this) return
    if (this.faults.hold) {
      this.#held = true
      return
    }
    this.#held = false
    const flight = this.#flight
    this.#flight = []
    if (this.faults.failSync) this.#phase = 'failed'
    const failure =
      this.#phase === 'failed'
        ? new JournalFailed('the sync failed, as it was told to: open the journal anew')
        : undefined
    if (failure === undefined) {
      this.#groups++
      for (const write of flight) for (const op of write.ops) this.#store.apply(op)
      if (this.#phase === 'open') this.#pump()
    }
    for (const write of failure === undefined ? flight : [...flight, ...this.#queue.splice(0)]) write.done(failure)
    for (const wake of this.#landed.splice(0)) wake()
  }

  release(): void {
    this.faults.hold = false
    if (this.#held) this.#defer(() => this.#land())
    this.#held = false
  }

  disk(state: DiskState): void {
    this.#events?.disk(state)
  }

  async stage(id: SnapshotId, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    assert(this.#phase !== 'new', 'a journal is opened before it is used')
    assert(
      !this.#store.bodies.has(snapshotId(id)),
      `snapshot ${id} is staged or named already: every body needs an id of its own`,
    )
    signal.throwIfAborted()
    const chunks: Uint8Array[] = []
    for await (const chunk of body) {
      signal.throwIfAborted()
      chunks.push(chunk.slice())
    }
    signal.throwIfAborted()
    if (this.#store.owner !== this) throw new JournalFailed('the journal was closed while a snapshot was being staged')
    this.#store.bodies.set(id, concatChunks(chunks))
    this.#staged.add(id)
  }

  async discard(id: SnapshotId): Promise<void> {
    assert(this.#store.snapshot?.id !== id, `snapshot ${id} is named: it goes when another one is`)
    this.#store.bodies.delete(id)
    this.#staged.delete(id)
  }

  async *readSnapshot(id: SnapshotId): AsyncGenerator<Uint8Array> {
    const body = this.#store.bodies.get(id)
    if (body === undefined) throw new JournalFailed(`there is no snapshot body ${id}`)
    for (let at = 0; at < body.length; at += mostChunkBytes) yield body.slice(at, at + mostChunkBytes)
  }

  stats(): { readonly bytes: number; readonly groups: number; readonly syncs: number } {
    return { bytes: this.#store.bytes, groups: this.#groups, syncs: this.#groups }
  }

  async close(): Promise<void> {
    if (this.#phase === 'closed' || this.#store.owner !== this) return
    const failed = this.#phase === 'failed'
    this.#phase = 'closed'
    const waiting = this.#queue.splice(0)
    if (!failed && this.#flight.length > 0) await new Promise<void>((resolve) => this.#landed.push(resolve))
    for (const write of waiting) write.done(new JournalFailed('the journal was closed before this was written'))
    if (this.#store.owner === this) this.#store.owner = undefined
  }

  reopen(): MemoryJournal {
    this.#phase = 'closed'
    this.#store.owner = undefined
    return new InMemory({ ...this.#init, faults: {} }, this.#store)
  }
}

/** A journal whose store lives as long as somebody holds it or what it was reopened as. */
export const memoryJournal = (init: MemoryJournalInit = {}): MemoryJournal => new InMemory(init, new Store())
