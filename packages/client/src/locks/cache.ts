import type { FileContents } from '@conclave/machine-chubby'

/** What the cache keeps of a path: the file, or that there is none. */
export interface Cached {
  readonly file: FileContents | undefined
}

/** A read that is under way. */
export interface CacheTicket {
  readonly path: string
  /** An invalidation overtook it: its answer must not be kept. */
  spoilt: boolean
}

const overhead = 200
const costOf = (path: string, { file }: Cached): number => overhead + path.length + (file?.contents.length ?? 0)

/** Files as the leader last told them (section 2.7 of the Chubby paper). It is never updated, only invalidated. The least recently used go first. */
export class FileCache {
  readonly #most: number
  /** In the order of last use. */
  readonly #entries = new Map<string, Cached>()
  readonly #underWay = new Set<CacheTicket>()
  /** Paths that this client itself is changing, and how often. */
  readonly #changing = new Map<string, number>()
  #bytes = 0

  /** @param most bytes that are kept. */
  constructor(most: number) {
    this.#most = most
  }

  get(path: string): Cached | undefined {
    const entry = this.#entries.get(path)
    if (entry === undefined) return undefined
    this.#entries.delete(path)
    this.#entries.set(path, entry)
    return entry
  }

  /** A read leaves. To be ended by `arrived` or `abandon`. */
  begin(path: string): CacheTicket {
    const ticket = { path, spoilt: this.#changing.has(path) }
    this.#underWay.add(ticket)
    return ticket
  }

  abandon(ticket: CacheTicket): void {
    this.#underWay.delete(ticket)
  }

  /** @param cacheable whether the leader lets it be kept. */
  arrived(ticket: CacheTicket, entry: Cached, cacheable: boolean): void {
    this.#underWay.delete(ticket)
    const { path } = ticket
    // One that is longer than all that may be kept would only drive out the rest.
    if (!cacheable || ticket.spoilt || costOf(path, entry) > this.#most) return
    this.#drop(path)
    this.#entries.set(path, entry)
    this.#bytes += costOf(path, entry)
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#most) break
      this.#drop(oldest)
    }
  }

  #drop(path: string): void {
    const entry = this.#entries.get(path)
    if (entry === undefined) return
    this.#entries.delete(path)
    this.#bytes -= costOf(path, entry)
  }

  /** @param path empty: all. */
  invalidate(path: string): void {
    for (const ticket of this.#underWay) if (path === '' || ticket.path === path) ticket.spoilt = true
    if (path !== '') return this.#drop(path)
    this.#entries.clear()
    this.#bytes = 0
  }

  /** This client changes the path: until what it returns is called, nothing of it is kept. */
  changing(path: string): () => void {
    this.invalidate(path)
    this.#changing.set(path, (this.#changing.get(path) ?? 0) + 1)
    return () => {
      const left = (this.#changing.get(path) ?? 1) - 1
      if (left > 0) this.#changing.set(path, left)
      else this.#changing.delete(path)
    }
  }
}
