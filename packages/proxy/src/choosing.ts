import { Instance, type ProxyBalancer, type ProxyRequest } from './instance.ts'
import type { Roster } from './roster.ts'

/** `saturated`: every instance that is fit has as much under way as it may have. `none`: there is none that is fit. */
export type Choice = Instance | 'saturated' | 'none'

export interface Wish extends ProxyRequest {
  /** The instance that this client sticks to. */
  readonly pinned?: Instance | undefined
  /** Those that were tried for this request already. */
  readonly tried?: readonly Instance[] | undefined
}

/** Chooses instances, and counts what is under way at each. */
export class Chooser {
  readonly #roster: Roster
  readonly #balancer: ProxyBalancer
  readonly #perInstance: number
  /** How many instances have as much under way as they may have. */
  #saturated = 0

  constructor(roster: Roster, balancer: ProxyBalancer, perInstance: number) {
    this.#roster = roster
    this.#balancer = balancer
    this.#perInstance = perInstance
  }

  /** An instance that is chosen has one more under way, until `settle`. One that was tried before is chosen only if there is no other. */
  choose(wish: Wish): Choice {
    const { pinned, tried } = wish
    if (pinned !== undefined && this.serves(pinned) && !(tried?.includes(pinned) ?? false)) {
      if (this.#full(pinned)) return 'saturated'
      // The balancer is asked all the same: it counts what is under way, and is told of its end.
      if (this.#balancer.pick(wish, [pinned]) === pinned) return this.#take(pinned)
    }
    const { eligible } = this.#roster
    if (eligible.length === 0) return 'none'
    const untried = tried === undefined ? eligible : eligible.filter((instance) => !tried.includes(instance))
    const fit = untried.length === 0 ? eligible : untried
    const free = this.#saturated === 0 ? fit : fit.filter((instance) => !this.#full(instance))
    if (free.length === 0) return 'saturated'
    const chosen = this.#balancer.pick(wish, free)
    return chosen instanceof Instance ? this.#take(chosen) : 'none'
  }

  /** Whether it gets something new now. */
  serves(instance: Instance): boolean {
    return !instance.left && !instance.failing && this.#roster.eligible.includes(instance)
  }

  /** What was under way at it has ended. @param latency in milliseconds. */
  settle(instance: Instance, latency: number, error: unknown): void {
    if (this.#full(instance)) this.#saturated--
    instance.active--
    this.#balancer.settled?.(instance, error === undefined ? { latency } : { latency, error })
  }

  #full(instance: Instance): boolean {
    return instance.active >= this.#perInstance
  }

  #take(instance: Instance): Instance {
    instance.active++
    if (this.#full(instance)) this.#saturated++
    return instance
  }
}
