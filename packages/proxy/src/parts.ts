import { RetryBudget } from '@conclave/balance'
import { assert } from '@conclave/interface'
import { Chooser } from './choosing.ts'
import { Listeners } from './events.ts'
import type { Instance, Link } from './instance.ts'
import { Metrics } from './metrics.ts'
import type { ProxyOptions, Resolved } from './options.ts'
import { Roster } from './roster.ts'
import { Ticker } from './ticker.ts'
import { WaitingLine } from './waiting-line.ts'

/** What HTTP and TCP proxies share. */
export interface Parts {
  readonly ticker: Ticker
  readonly metrics: Metrics
  readonly listeners: Listeners
  readonly roster: Roster
  readonly chooser: Chooser
  readonly line: WaitingLine
  readonly budget: RetryBudget
}

/** An instance that came or left. */
export interface Comings {
  readonly joined: (instance: Instance) => void
  readonly left: (instance: Instance) => void
}

export const createParts = (options: Resolved<ProxyOptions>, comings: readonly Comings[]): Parts => {
  const { source, balancer, timeouts, limits, retries } = options
  const ticker = new Ticker(tickMillis(Object.values(timeouts)), () => roster.tick())
  const metrics = new Metrics()
  const listeners = new Listeners()
  const line = new WaitingLine(limits.waiting)
  const roster: Roster = new Roster({
    source,
    balancer,
    ticker,
    listeners,
    metrics,
    joined: (instance) => {
      for (const each of comings) each.joined(instance)
    },
    left: (instance) => {
      for (const each of comings) each.left(instance)
    },
    more: () => line.advance(),
  })
  return {
    ticker,
    metrics,
    listeners,
    roster,
    chooser: new Chooser(roster, balancer, limits.perInstance),
    line,
    budget: new RetryBudget({ now: () => ticker.now, ratio: retries.ratio, minPerSecond: retries.minimum }),
  }
}

/** The shortest wait is kept to within an eighth; nothing is looked at more often than each 10 ms, or less often than each 250 ms. */
const tickMillis = (waits: readonly number[]): number => Math.min(Math.max(Math.min(...waits) / 8, 10), 250)

/** What carries requests to each instance, from when it joins until what is under way there has ended. */
export class Links<L extends Link> implements Comings {
  readonly #links = new Map<Instance, L>()
  readonly #make: (instance: Instance) => L
  readonly #leaveMillis: number
  readonly #cut: () => Error

  constructor(make: (instance: Instance) => L, leaveMillis: number, cut: () => Error) {
    this.#make = make
    this.#leaveMillis = leaveMillis
    this.#cut = cut
  }

  /** That of an instance at which something is under way, or that has just been chosen. */
  of(instance: Instance): L {
    const link = this.#links.get(instance)
    assert(link !== undefined, `the instance ${instance.id} has left, and nothing can be under way there`)
    return link
  }

  readonly joined = (instance: Instance): void => {
    this.#links.set(instance, this.#make(instance))
  }

  readonly left = (instance: Instance): void => {
    const link = this.#links.get(instance)
    if (link === undefined) return
    const late = setTimeout(() => link.destroy(this.#cut()), this.#leaveMillis).unref()
    const gone = (): void => {
      clearTimeout(late)
      this.#links.delete(instance)
    }
    link.close().then(gone, gone)
  }

  destroy(error: Error): void {
    for (const link of this.#links.values()) link.destroy(error)
  }
}
