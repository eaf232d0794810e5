import type { Lease } from './lease.ts'

/** Paths that one session may cache; what it reads beyond is not to be kept. */
const maxCached = 16_384
/** Paths that all sessions together may cache: some sessions of one client must not fill the leader's memory. */
const maxPaths = 131_072

interface CachedPath {
  readonly cachers: Set<Lease>
  /** Told to drop it, and not known to have done so. */
  readonly flushing: Set<Lease>
  /** Commands on their way that may change it. */
  changes: number
}

/** What a command may change: these paths, or any. */
export type Touched = readonly string[] | 'all'

/**
 * Who may hold which path in its cache (section 2.7 of the Chubby paper). It lives at the leader only: a new one takes every session for caching everything, until that
 * has acknowledged the fail-over.
 *
 * A change goes: `begin`, which tells the cachers; wait until `isFlushed`; propose; `end` once it is settled. Between `begin` and `end` nobody becomes a cacher.
 */
export class Caches {
  readonly #paths = new Map<string, CachedPath>()
  /** Whoever has to drop everything, and by which notice it was told. */
  readonly #flushingAll = new Map<Lease, number>()
  #changesOfAll = 0

  /** Paths that somebody caches, or that are about to change. */
  get size(): number {
    return this.#paths.size
  }

  /** It may hold anything, unless it was dropped: it was told to drop it by notice number `serial`. */
  suspect(lease: Lease, serial: number): void {
    if (lease.barred) return
    for (const path of lease.cached) {
      const cached = this.#path(path)
      cached.cachers.delete(lease)
      this.#tidy(path, cached)
    }
    lease.cached.clear()
    // The first will do: since then it was let keep nothing. Were it the last, a client that is told much could acknowledge for ever and never be done.
    if (!this.#flushingAll.has(lease)) this.#flushingAll.set(lease, serial)
  }

  /** Enters a cacher, before it reads. @returns false if the answer must not be kept. */
  enter(lease: Lease, path: string): boolean {
    if (this.#changesOfAll > 0 || this.#flushingAll.has(lease) || lease.closing || lease.barred) return false
    if (lease.cached.size >= maxCached && !lease.cached.has(path)) return false
    if (this.#paths.size >= maxPaths && !this.#paths.has(path)) return false
    const { cachers, flushing, changes } = this.#path(path)
    if (changes > 0 || flushing.has(lease)) return false
    cachers.add(lease)
    lease.cached.add(path)
    return true
  }

  begin(touched: Touched, invalidate: (lease: Lease, path: string) => number, all: () => Iterable<Lease>): void {
    if (touched === 'all') {
      this.#changesOfAll += 1
      // While one is on its way nobody becomes a cacher: who has dropped everything for it is not asked again, or a stream of such changes would let none through.
      if (this.#changesOfAll > 1) return
      for (const lease of all())
        if (!lease.barred && !this.#flushingAll.has(lease)) this.suspect(lease, invalidate(lease, ''))
      return
    }
    for (const path of touched) {
      const cached = this.#path(path)
      cached.changes += 1
      for (const lease of cached.cachers) {
        lease.cached.delete(path)
        cached.flushing.add(lease)
        lease.dropping.set(path, invalidate(lease, path))
      }
      cached.cachers.clear()
    }
  }

  isFlushed(touched: Touched): boolean {
    if (touched.length === 0) return true
    if (this.#flushingAll.size > 0) return false
    return touched === 'all' || touched.every((path) => (this.#paths.get(path)?.flushing.size ?? 0) === 0)
  }

  /** A command that may change it is on its way. */
  isChanging(path: string): boolean {
    return this.#changesOfAll > 0 || (this.#paths.get(path)?.changes ?? 0) > 0
  }

  end(touched: Touched): void {
    if (touched === 'all') {
      this.#changesOfAll -= 1
      return
    }
    for (const path of touched) {
      const cached = this.#path(path)
      cached.changes -= 1
      this.#tidy(path, cached)
    }
  }

  /** The session has acted on its notices up to `lease.acked`. */
  acknowledged(lease: Lease): void {
    const all = this.#flushingAll.get(lease)
    if (all !== undefined && all <= lease.acked) this.#flushingAll.delete(lease)
    for (const [path, serial] of lease.dropping) {
      if (serial > lease.acked) continue
      lease.dropping.delete(path)
      this.#leave(lease, path)
    }
  }

  /** It is being ended: what it holds it must not use any more, and it is let in no more. */
  drop(lease: Lease): void {
    lease.barred = true
    this.#flushingAll.delete(lease)
    const paths = [...lease.cached, ...lease.dropping.keys()]
    lease.cached.clear()
    lease.dropping.clear()
    for (const path of paths) this.#leave(lease, path)
  }

  /** It was not ended after all, and was told by notice number `serial` to drop whatever it may hold. */
  readmit(lease: Lease, serial: number): void {
    lease.barred = false
    this.suspect(lease, serial)
  }

  #leave(lease: Lease, path: string): void {
    const cached = this.#path(path)
    cached.flushing.delete(lease)
    if (!lease.cached.has(path)) cached.cachers.delete(lease)
    this.#tidy(path, cached)
  }

  #path(path: string): CachedPath {
    const known = this.#paths.get(path)
    if (known !== undefined) return known
    const made = { cachers: new Set<Lease>(), flushing: new Set<Lease>(), changes: 0 }
    this.#paths.set(path, made)
    return made
  }

  #tidy(path: string, { cachers, flushing, changes }: CachedPath): void {
    if (changes === 0 && cachers.size === 0 && flushing.size === 0) this.#paths.delete(path)
  }
}
