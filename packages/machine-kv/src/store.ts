import { copyBytes, MalformedBytes } from '@conclave/interface'
import { type Entry, HashSum, hashWords, makeEntry } from './entry.ts'
import { History, type HistoryLimits } from './history.ts'
import type { ByteString } from './keys.ts'
import { OrderedEntries } from './ordered.ts'
import { Slab } from './slab.ts'
import { type FrozenState, readSnapshot } from './snapshot.ts'

const noBytes = new Uint8Array(0)

/** The state: entries, the revision, and the newest history. */
export class Store {
  readonly entries = new OrderedEntries()
  readonly #sum = new HashSum()
  readonly #slab = new Slab()
  revision = 0
  history: History

  constructor(limits: HistoryLimits) {
    this.history = new History(limits)
  }

  /** @param bytes the value; copied. @returns the `modified` of what was there; 0: nothing was. */
  put(key: ByteString, bytes: Uint8Array): number {
    const value = this.#slab.copy(bytes)
    this.revision += 1
    const before = this.entries.get(key)
    const entry =
      before === undefined
        ? makeEntry(key, value, this.revision, this.revision, 1)
        : makeEntry(key, value, before.created, this.revision, before.version + 1)
    this.set(entry)
    this.history.push(entry, this.#settle)
    return before?.modified ?? 0
  }

  /** An absent key is left alone: no revision, no event. @returns the `modified` of what was there; 0: nothing was. */
  delete(key: ByteString): number {
    const removed = this.entries.delete(key)
    if (removed === undefined) return 0
    this.#sum.remove(removed)
    this.revision += 1
    this.history.push(makeEntry(key, noBytes, 0, this.revision, 0), this.#settle)
    return removed.modified
  }

  /** A value that outlives its event is there to stay: it leaves the slab, which goes with its last event. */
  readonly #settle = (event: Entry): void => {
    if (event.value.length === event.value.buffer.byteLength || this.entries.get(event.key) !== event) return
    this.entries.set({ ...event, value: copyBytes(event.value) })
  }

  set(entry: Entry): void {
    const replaced = this.entries.set(entry)
    if (replaced !== undefined) this.#sum.remove(replaced)
    this.#sum.add(entry)
  }

  get(key: ByteString): Entry | undefined {
    return this.entries.get(key)
  }

  hash(): string {
    const { revision, history } = this
    return hashWords([
      ...this.#sum.lanes,
      ...history.lanes,
      ...[revision, this.entries.size, history.forgotten].flatMap((n) => [n >>> 0, Math.floor(n / 0x1_0000_0000)]),
    ])
  }

  freeze(): FrozenState {
    const { revision, history } = this
    return {
      revision,
      size: this.entries.size,
      entries: this.entries.freeze(),
      limits: history.limits,
      forgotten: history.forgotten,
      events: history.freeze(),
      hash: this.hash(),
    }
  }

  /** @throws MalformedBytes if the body does not parse or its hash does not hold. */
  static async restored(body: AsyncIterable<Uint8Array>): Promise<Store> {
    const store = new Store({ events: 1, bytes: 0 })
    const hash = await readSnapshot(body, store)
    if (store.hash() !== hash) throw new MalformedBytes('the hash of a snapshot does not hold')
    return store
  }
}
