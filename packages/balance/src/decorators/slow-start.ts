import type { Balancer, Random } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'
import { fraction, positive } from '../checks.ts'
import { KeyHash, unit } from '../hashing/key-hash.ts'
import { Roster } from '../roster.ts'
import { Chosen } from './chosen.ts'
import { type HealthAware, healthAware } from './health-aware.ts'

export interface SlowStartInit {
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Draws for requests without a key. */
  readonly random: Random
  /** Milliseconds until a new candidate has its full share. Above 0. */
  readonly window: number
  /** The curve: 1, the default, is a line, above it the share rises faster at first. Above 0. */
  readonly aggression?: number
  /** The part of its share that a candidate has at first, from 0 to 1. Default 0.1. */
  readonly minimum?: number
}

/**
 * Gives a new candidate less than its share at first, as Envoy's slow start: the part `max(minimum, (age / window) ^ (1 / aggression))` of it. Envoy
 * lowers weights; this one leaves the candidate out of some picks, so that it works with any balancer. A request with a key is decided on by its key:
 * keys move to the newcomer one after the other, each once.
 *
 * A candidate is new when it was not in any list for a window. Those of the very first list are not, and nobody is left out when all are new.
 *
 * A pick takes O(n), and a draw or a hash while somebody is new; it allocates nothing while nobody is; memory O(n). `inner` sees some lists without
 * the newcomers meanwhile.
 * @throws RangeError for a number out of its bounds.
 */
export const slowStart = <Request extends BalanceRequest, C extends BalanceCandidate>(
  inner: Balancer<Request, C>,
  { now, random, window, aggression = 1, minimum = 0.1 }: SlowStartInit,
): HealthAware<Request, C> => {
  const within = healthAware(inner)
  const ages = new Ages(positive('window', window))
  const least = fraction('minimum', minimum)
  positive('aggression', aggression)
  const chosen = new Chosen<C>()
  const hash = new KeyHash()
  const old = (_: C, at: number): boolean => ages.old(at)
  const warm = (request: Request, candidates: readonly C[]): readonly C[] => {
    const time = now()
    ages.follow(candidates, time)
    if (!ages.anyNew(time)) return candidates
    const drawn = request.key === undefined ? random.next() : unit(hash.of(request.key))
    if (drawn < least) return candidates
    // Takes part whose part is above what was drawn: (age / window) ^ (1 / aggression) > drawn.
    ages.oldFrom(time - window * drawn ** aggression)
    const taking = chosen.of(candidates, old)
    return taking.length === 0 ? candidates : taking
  }
  return {
    fit: (candidate) => within.fit(candidate),
    pick: (request, candidates) => within.pick(request, warm(request, candidates)),
    pickAny: (request, candidates) => within.pickAny(request, warm(request, candidates)),
    settled: (candidate, result) => within.settled?.(candidate, result),
  }
}

/** How long each candidate has been there. */
class Ages {
  readonly #window: number
  readonly #roster = new Roster()
  /** When each came, and was last in a list that had to go. By id. */
  readonly #known = new Map<string, { readonly since: number; seen: number }>()
  /** When each of the present ones came, in their order. */
  #since = new Float64Array(0)
  readonly #latest = Float64Array.of(0)
  #newest = Number.NEGATIVE_INFINITY
  #first = true

  constructor(window: number) {
    this.#window = window
  }

  follow(candidates: readonly BalanceCandidate[], now: number): void {
    if (this.#roster.holds(candidates)) return
    this.#leave(this.#roster.ids, now)
    this.#roster.changed(candidates)
    for (const id of this.#roster.ids) {
      if (!this.#known.has(id)) this.#known.set(id, { since: this.#first ? now - this.#window : now, seen: now })
    }
    this.#since = Float64Array.from(this.#roster.ids, (id) => this.#known.get(id)?.since ?? now)
    this.#newest = this.#since.reduce((most, since) => Math.max(most, since), Number.NEGATIVE_INFINITY)
    if (candidates.length > 0) this.#first = false
  }

  /** Sets who is old: those that came before `time`. */
  oldFrom(time: number): void {
    this.#latest[0] = time
  }

  /** Whether the one at this index of the list is old. */
  old(at: number): boolean {
    return (this.#since[at] ?? 0) < (this.#latest[0] ?? 0)
  }

  anyNew(now: number): boolean {
    return now - this.#newest < this.#window
  }

  /** Notes the time for those that were present until now, and forgets who was away for a window. */
  #leave(ids: readonly string[], now: number): void {
    for (const id of ids) {
      const known = this.#known.get(id)
      if (known !== undefined) known.seen = now
    }
    for (const [id, { seen }] of this.#known) if (now - seen >= this.#window) this.#known.delete(id)
  }
}
