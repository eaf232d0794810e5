import type { Journal, JournalOp, JournalState, Position, Slot, SnapshotId } from '@conclave/interface'
import { within } from '../patience.ts'
import type { JournalStore, JournalSubject } from './subject.ts'

export const quiet = { disk: (): void => {} }

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const put = (slot: number, ...chunks: (string | Uint8Array)[]): JournalOp => ({
  type: 'put',
  slot: slot as Slot,
  bytes: chunks.map((chunk) => (typeof chunk === 'string' ? bytes(chunk) : chunk)),
})
export const meta = (text: string | Uint8Array): JournalOp => ({
  type: 'meta',
  bytes: typeof text === 'string' ? bytes(text) : text,
})
export const truncateFrom = (slot: number): JournalOp => ({ type: 'truncateFrom', slot: slot as Slot })
export const compactTo = (slot: number): JournalOp => ({ type: 'compactTo', slot: slot as Slot })
export const named = (id: string, position: number, header = 'header'): JournalOp => ({
  type: 'snapshot',
  id: id as SnapshotId,
  position: position as Position,
  header: bytes(header),
})

/** Resolves when the write is done; rejects with what `done` was told. */
export const write = (journal: Journal, ...ops: JournalOp[]): Promise<void> =>
  within(
    'write',
    new Promise((resolve, reject) => journal.write(ops, (error) => (error === undefined ? resolve() : reject(error)))),
  )

export async function* chunksOf(...chunks: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield typeof chunk === 'string' ? bytes(chunk) : chunk
}

const never = new AbortController().signal

export const stage = (journal: Journal, id: string, ...chunks: (string | Uint8Array)[]): Promise<void> =>
  within('stage', journal.stage(id as SnapshotId, chunksOf(...chunks), never))

/** The whole body, its chunks checked. */
export const bodyOf = async (journal: Journal, id: string): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of journal.readSnapshot(id as SnapshotId)) {
    if (chunk.length > 256 * 1024) throw new Error(`a chunk of ${chunk.length} bytes; the bound is 256 KiB`)
    chunks.push(new Uint8Array(chunk))
  }
  return Buffer.concat(chunks)
}

/** One test's store, and the journals that it opened. */
export class Place implements AsyncDisposable {
  readonly store: JournalStore
  #open: Journal | undefined

  constructor(store: JournalStore) {
    this.store = store
  }

  static async of(subject: JournalSubject): Promise<Place> {
    return new Place(await subject.store())
  }

  /** Opens the journal; the one before is closed first. */
  async open(
    events: { disk(state: 'ok' | 'slow' | 'full'): void } = quiet,
  ): Promise<{ journal: Journal; state: JournalState }> {
    await this.#open?.close()
    return this.openNow(events)
  }

  /** Opens the next journal; the one before is left as it is: closed, or dead in a crash. */
  async openNow(
    events: { disk(state: 'ok' | 'slow' | 'full'): void } = quiet,
  ): Promise<{ journal: Journal; state: JournalState }> {
    const journal = this.store.journal()
    this.#open = journal
    return { journal, state: await within('open', journal.open(events)) }
  }

  /** What the next `open` finds. */
  async reopened(): Promise<JournalState> {
    return (await this.open()).state
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const episode of [this.store.hold, this.store.failing, this.store.full]) episode?.end()
    await within('close', Promise.resolve(this.#open?.close()))
    await this.store.dispose?.()
  }
}
