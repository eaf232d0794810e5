import type { Balancer, Random } from '@conclave/interface'
import type { BalanceCandidate, BalanceRequest } from '../candidate.ts'
import { positive } from '../checks.ts'
import { KeyHash, unit } from '../hashing/key-hash.ts'
import { type HealthAware, healthAware } from './health-aware.ts'
import { loadsOf } from './level-loads.ts'

export interface PrioritiesInit<C> {
  /** Draws the level of requests without a key. */
  readonly random: Random
  /** The level of a candidate, a whole number from 0 to 127; 0 is used first. Default its `priority`, or 0 without one. See `localityFirst`. */
  readonly level?: (candidate: C) => number
  /**
   * A level counts as whole while this times the part of its candidates that are fit is 1 or more. At least 1. Default 1.4, Envoy's: down to 71 % of
   * them.
   */
  readonly overprovisioning?: number
}

/** Levels go from 0 to one less. */
export const mostLevels = 128

/**
 * Uses the candidates of the first level, and those of the next only for the part of the load that the fit ones of the first cannot bear, as Envoy's
 * priority levels ("Priority levels", with its overprovisioning factor): level 0 gets `min(1, overprovisioning × fit / all)` of the requests, the
 * next its own such part of the rest, and so on. When that is not all, the parts grow until it is; when nobody is fit, each level gets a part by its
 * number of candidates. A request with a key has its level by its key.
 *
 * Each level has a balancer of its own, so that tables stay as they are while load moves between levels: `make` is called once for each level that
 * comes up. `settled` goes to the balancer of the candidate's level, which must not change while requests are under way. When the balancer of a level
 * is a `HealthAware` one, it says who is fit; else all are. `panicThreshold` within a level looks at that level only.
 *
 * A pick takes O(n) beside that of the level, and allocates nothing in the long run; memory O(n). `pick` throws RangeError for a level that is none.
 * @throws RangeError for an overprovisioning below 1.
 */
export const priorities = <Request extends BalanceRequest, C extends BalanceCandidate>(
  make: (level: number) => Balancer<Request, C>,
  { random, level = ({ priority }) => priority ?? 0, overprovisioning = 1.4 }: PrioritiesInit<C>,
): HealthAware<Request, C> => {
  if (positive('overprovisioning', overprovisioning) < 1)
    throw new RangeError(`overprovisioning is at least 1, got ${overprovisioning}`)
  const levels: Level<Request, C>[] = []
  const loads = new Float64Array(mostLevels)
  const hash = new KeyHash()

  const add = (candidate: C): void => {
    const wanted = level(candidate)
    checkLevel(candidate, wanted)
    while (levels.length <= wanted) levels.push(new Level(levels.length, make))
    levels[wanted]?.add(candidate)
  }
  const choose = (request: Request, candidates: readonly C[]): Level<Request, C> | undefined => {
    for (const each of levels) each.begin()
    for (let at = 0; at < candidates.length; at++) {
      const candidate = candidates[at]
      if (candidate !== undefined) add(candidate)
    }
    for (const each of levels) each.end()
    if (candidates.length === 0) return undefined
    loadsOf(levels, overprovisioning, loads)
    let drawn = request.key === undefined ? random.next() : unit(hash.of(request.key))
    for (let at = 0; at < levels.length; at++) {
      drawn -= loads[at] ?? 0
      if (drawn < 0) return levels[at]
    }
    // Rounding left a little over.
    return levels.findLast((_, at) => (loads[at] ?? 0) > 0)
  }
  return {
    fit: (candidate) => levels[level(candidate)]?.balancer.fit(candidate) ?? true,
    pick: (request, candidates) => {
      const chosen = choose(request, candidates)
      return chosen?.balancer.pick(request, chosen.candidates)
    },
    pickAny: (request, candidates) => {
      const chosen = choose(request, candidates)
      return chosen?.balancer.pickAny(request, chosen.candidates)
    },
    settled: (candidate, result) => levels[level(candidate)]?.balancer.settled?.(candidate, result),
  }
}

/** A level, and its candidates of the present call. */
class Level<Request, C> {
  readonly candidates: C[] = []
  all = 0
  fit = 0
  readonly #number: number
  readonly #make: (level: number) => Balancer<Request, C>
  #balancer: HealthAware<Request, C> | undefined

  constructor(number: number, make: (level: number) => Balancer<Request, C>) {
    this.#number = number
    this.#make = make
  }

  get balancer(): HealthAware<Request, C> {
    this.#balancer ??= healthAware(this.#make(this.#number))
    return this.#balancer
  }

  begin(): void {
    this.all = 0
    this.fit = 0
  }

  add(candidate: C): void {
    this.candidates[this.all++] = candidate
    if (this.balancer.fit(candidate)) this.fit++
  }

  /** Cuts off what is left of an earlier call: an array that is emptied first would get new memory each time. */
  end(): void {
    this.candidates.length = this.all
  }
}

const checkLevel = ({ id }: BalanceCandidate, level: number): void => {
  if (!(Number.isSafeInteger(level) && level >= 0 && level < mostLevels))
    throw new RangeError(`the candidate ${JSON.stringify(id)} has the level ${level}; it takes 0 to ${mostLevels - 1}`)
}

/**
 * A level for each locality: candidates in `own` first, those elsewhere after them; within that by `priority`, so that a candidate of priority 1
 * nearby comes after all those of priority 0. For `priorities`.
 */
export const localityFirst =
  <C extends BalanceCandidate>(own: string): ((candidate: C) => number) =>
  ({ priority = 0, locality }) =>
    priority * 2 + (locality === own ? 0 : 1)
