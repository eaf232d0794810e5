import type { InstanceView, Listeners } from './events.ts'
import { Instance, type ProxyBalancer } from './instance.ts'
import { instanceMetrics, type Metrics } from './metrics.ts'
import { type InstanceSource, type ProxyInstance, parseAddress } from './source.ts'
import type { Ticker } from './ticker.ts'

export interface RosterInit {
  readonly source: InstanceSource
  readonly balancer: ProxyBalancer
  readonly ticker: Ticker
  readonly listeners: Listeners
  readonly metrics: Metrics
  /** Called for an instance that came, before it gets anything. */
  readonly joined: (instance: Instance) => void
  /** Called for one that gets nothing new any more. */
  readonly left: (instance: Instance) => void
  /** Called when more can be served than before. */
  readonly more: () => void
}

export const viewOf = ({ id, address, state, active, weight }: Instance): InstanceView => ({
  id,
  address,
  state,
  active,
  weight,
})

const errorOf = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))

/** The instances as their source names them, and which of them get something now. */
export class Roster {
  readonly #init: RosterInit
  readonly #instances = new Map<string, Instance>()
  #eligible: readonly Instance[] = []
  #backingOff = 0
  #iterator: AsyncIterator<readonly ProxyInstance[]> | undefined
  #stopped = false

  constructor(init: RosterInit) {
    this.#init = init
  }

  /** All that are in the list. */
  get all(): Iterable<Instance> {
    return this.#instances.values()
  }

  get(id: string): Instance | undefined {
    return this.#instances.get(id)
  }

  /** Those that get something: the healthy ones that take connections; if none of them does, the healthy ones. The array stays the same until that changes. */
  get eligible(): readonly Instance[] {
    return this.#eligible
  }

  /** Goes along with the source until it ends, throws or this is stopped. */
  async follow(): Promise<void> {
    const { source, listeners } = this.#init
    try {
      this.#iterator = source[Symbol.asyncIterator]()
      for (;;) {
        const next = await this.#iterator.next()
        if (next.done === true || this.#stopped) return
        this.#replace(next.value)
      }
    } catch (error) {
      if (!this.#stopped) listeners.tell('trouble', errorOf(error))
    }
  }

  /** Does not wait for a source that is slow to end. */
  stop(): void {
    this.#stopped = true
    this.#iterator?.return?.().catch(() => {})
  }

  /** Checks found that it is well, or that it is not. */
  setFailing(instance: Instance, failing: boolean, why: string): void {
    if (instance.failing === failing || instance.left) return
    instance.failing = failing
    this.#refresh()
    if (failing) return this.#down(instance, why)
    this.#init.listeners.tell('up', viewOf(instance))
    this.#init.more()
  }

  /** A connection to it could not be made. */
  unreachable(instance: Instance, why: string): void {
    instance.metrics.connectFailures++
    const before = instance.retryAt
    instance.backOff(this.#init.ticker.now)
    if (instance.left || before !== 0) return
    this.#backingOff++
    this.#refresh()
    this.#down(instance, why)
  }

  /** A connection to it was made. */
  reached(instance: Instance): void {
    instance.answered()
    if (instance.retryAt !== 0) this.#return(instance)
  }

  /** Called with each tick: lets those be tried again that have backed off for long enough, and sees whom the balancer leaves out. */
  tick(): void {
    const { ticker, balancer } = this.#init
    if (this.#backingOff === 0 && balancer.fit === undefined) return
    for (const instance of this.#instances.values()) {
      if (instance.retryAt !== 0 && instance.retryAt <= ticker.now) this.#return(instance)
      const ejected = balancer.fit?.(instance) === false
      if (instance.ejected !== ejected) this.#eject(instance, ejected)
    }
  }

  #eject(instance: Instance, ejected: boolean): void {
    instance.ejected = ejected
    if (ejected) this.#down(instance, 'the balancer leaves it out')
    else this.#init.listeners.tell('up', viewOf(instance))
  }

  #down(instance: Instance, why: string): void {
    this.#init.metrics.ejections++
    this.#init.listeners.tell('down', viewOf(instance), why)
  }

  #return(instance: Instance): void {
    instance.retryAt = 0
    if (instance.left) return
    this.#backingOff--
    this.#refresh()
    this.#init.listeners.tell('up', viewOf(instance))
    this.#init.more()
  }

  #replace(list: readonly ProxyInstance[]): void {
    const named = new Map<string, { readonly at: Instance; readonly as: ProxyInstance }>()
    for (const as of list) {
      const at = this.#instanceOf(as)
      if (at === undefined) continue
      if (named.has(at.id)) this.#trouble(new RangeError(`two instances have the id ${JSON.stringify(at.id)}`))
      else named.set(at.id, { at, as })
    }
    for (const [id, instance] of this.#instances) if (named.get(id)?.at !== instance) this.#leave(instance)
    for (const [id, { at, as }] of named) {
      at.weight = as.weight ?? 1
      if (as.locality === undefined) delete at.locality
      else at.locality = as.locality
      if (as.priority === undefined) delete at.priority
      else at.priority = as.priority
      if (this.#instances.has(id)) continue
      this.#instances.set(id, at)
      this.#init.joined(at)
      this.#init.listeners.tell('joined', viewOf(at))
    }
    this.#refresh()
    this.#init.more()
  }

  /** The one that is known by this id and address, or a new one. Undefined if there can be none. */
  #instanceOf({ address, id = address, weight = 1 }: ProxyInstance): Instance | undefined {
    const known = this.#instances.get(id)
    try {
      if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY))
        throw new RangeError(`a weight is a finite number from 0 up, got ${weight} for the instance ${id}`)
      if (known?.address === address) return known
      return new Instance(id, { address, ...parseAddress(address) }, instanceMetrics())
    } catch (error) {
      this.#trouble(errorOf(error))
      return undefined
    }
  }

  #leave(instance: Instance): void {
    this.#instances.delete(instance.id)
    if (instance.retryAt !== 0) this.#backingOff--
    instance.left = true
    this.#init.left(instance)
    this.#init.listeners.tell('left', viewOf(instance))
  }

  #refresh(): void {
    const healthy = [...this.#instances.values()].filter(({ failing }) => !failing)
    const ready = healthy.filter(({ retryAt }) => retryAt === 0)
    this.#eligible = ready.length > 0 ? ready : healthy
  }

  #trouble(error: Error): void {
    this.#init.listeners.tell('trouble', error)
  }
}
