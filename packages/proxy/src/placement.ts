import type { Wish } from './choosing.ts'
import type { Instance } from './instance.ts'
import type { RetryReason, StatusClass } from './metrics.ts'
import type { ProxyOptions, Resolved } from './options.ts'
import type { Parts } from './parts.ts'
import type { Waiter } from './waiting-line.ts'

export interface PlacementInit {
  readonly around: Parts & { readonly options: Resolved<ProxyOptions> }
  readonly wish: Pick<Wish, 'key' | 'pinned'>
  /** An instance was chosen: to be settled once. */
  readonly chosen: (instance: Instance) => void
  /** It stands in line until this moment of the ticker: then the caller ends it. */
  readonly waits: (until: number) => void
  /** There is no instance that could be tried, or not even room in the line. */
  readonly refused: (reason: 'no-instance' | 'instance-failed' | 'waiting-full') => void
}

/** Where a request or a connection goes: the instance that is chosen for it, the line in which it waits for one, and the retries at others. */
export class Placement implements Waiter {
  readonly #init: PlacementInit
  #instance: Instance | undefined
  #tried: Instance[] | undefined
  #tries = 0
  #attemptBegan = 0
  #unsettled = false
  #retried: RetryReason | undefined

  constructor(init: PlacementInit) {
    this.#init = init
  }

  get particular(): boolean {
    return this.#init.wish.pinned !== undefined
  }

  /** The last one that was chosen. */
  get instance(): Instance | undefined {
    return this.#instance
  }

  /** Whether an instance was chosen that has not been settled. */
  get unsettled(): boolean {
    return this.#unsettled
  }

  /** How many were chosen. */
  get tries(): number {
    return this.#tries
  }

  /** Why another one was chosen, the last time. */
  get retried(): RetryReason | undefined {
    return this.#retried
  }

  /** Milliseconds since the last one was chosen. */
  get elapsed(): number {
    return performance.now() - this.#attemptBegan
  }

  begin(): void {
    this.#init.around.budget.deposit()
    this.#place()
  }

  attempt(): boolean {
    const { around, wish, chosen, refused } = this.#init
    const choice = around.chooser.choose({ ...wish, tried: this.#tried })
    if (choice === 'saturated') return false
    this.leaveLine()
    if (choice === 'none') refused(this.#tries === 0 ? 'no-instance' : 'instance-failed')
    else {
      this.#instance = choice
      this.#unsettled = true
      this.#tries++
      this.#attemptBegan = performance.now()
      chosen(choice)
    }
    return true
  }

  leaveLine(): void {
    const { line, metrics } = this.#init.around
    line.leave(this)
    metrics.requests.waiting = line.size
  }

  #place(): void {
    if (this.attempt()) return
    const { around, waits, refused } = this.#init
    const { line, metrics, ticker, options } = around
    waits(ticker.now + options.timeouts.waiting)
    if (!line.join(this)) refused('waiting-full')
    metrics.requests.waiting = line.size
  }

  /** What was under way at the instance has ended. @param latency in milliseconds. @param error for the balancer: whatever speaks against the instance. */
  settle(outcome: StatusClass, latency: number, error: unknown): void {
    const instance = this.#instance
    if (instance === undefined || !this.#unsettled) return
    this.#unsettled = false
    const { chooser, line } = this.#init.around
    instance.metrics.requests[outcome]++
    chooser.settle(instance, latency, error)
    line.advance()
  }

  /** Looks for another instance, once this one is settled. False: it had its tries, or all retries together had theirs. */
  retry(reason: RetryReason): boolean {
    const { options, budget, metrics } = this.#init.around
    if (this.#tries >= options.retries.tries) return false
    if (!budget.withdraw()) {
      metrics.retries.refused++
      return false
    }
    metrics.retries[reason]++
    this.#retried = reason
    if (this.#instance !== undefined) this.#tried = [...(this.#tried ?? []), this.#instance]
    this.#place()
    return true
  }
}
