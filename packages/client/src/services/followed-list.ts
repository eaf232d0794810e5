import type { ServiceInstance } from './instance.ts'
import type { ServiceList } from './service-list.ts'

const byId = (a: ServiceInstance, b: ServiceInstance): number => (a.id < b.id ? -1 : 1)

const settling = 'the cluster is back, and instances that are missing have time to register again'

/**
 * What a follower knows of a service. While the cluster is away the last list stays. When it is back, whoever was on the list and is not registered any more may only have lost its session
 * as well, and be about to register again: it stays for a while, and so long the list counts as stale.
 */
export class FollowedList {
  readonly #service: string
  readonly #settle: number
  readonly #changed: (list: ServiceList) => void
  #current: ServiceList | undefined
  /** The cluster was away since the last fresh list. */
  #wasAway = false
  /** Who is not registered any more, and has time to come back. */
  #missing: readonly ServiceInstance[] = []
  #heard: readonly ServiceInstance[] = []
  #timer: NodeJS.Timeout | undefined

  /** @param settle milliseconds. @param changed told of every list. */
  constructor(service: string, settle: number, changed: (list: ServiceList) => void) {
    this.#service = service
    this.#settle = settle
    this.#changed = changed
  }

  get current(): ServiceList | undefined {
    return this.#current
  }

  /** What an earlier follower has kept. */
  kept(instances: readonly ServiceInstance[], since: number): void {
    this.#publish({ service: this.#service, instances, stale: true, since, reason: 'it was kept from before' })
  }

  /** The cluster does not answer. */
  away(reason: string): void {
    clearTimeout(this.#timer)
    this.#wasAway = true
    const { current } = this
    // Before there is a list nothing can be stale; and what is stale stays so since then.
    if (current !== undefined)
      this.#publish({ ...current, stale: true, since: current.stale ? current.since : Date.now(), reason })
  }

  /** What the cluster has. */
  heard(instances: readonly ServiceInstance[]): void {
    this.#heard = instances
    const before = this.#wasAway ? (this.#current?.instances ?? []) : this.#missing
    const ids = new Set(instances.map(({ id }) => id))
    this.#missing = before.filter(({ id }) => !ids.has(id))
    if (this.#wasAway) {
      this.#wasAway = false
      if (this.#settle === 0) this.#missing = []
      if (this.#missing.length > 0) this.#timer = setTimeout(() => this.#settled(), this.#settle)
    }
    this.#show()
  }

  #settled(): void {
    this.#missing = []
    this.#show()
  }

  #show(): void {
    const { current } = this
    const service = this.#service
    if (this.#missing.length === 0 || current?.stale !== true) {
      clearTimeout(this.#timer)
      return this.#publish({ service, instances: this.#heard, stale: false })
    }
    const instances = [...this.#heard, ...this.#missing].sort(byId)
    this.#publish({ service, instances, stale: true, since: current.since, reason: settling })
  }

  #publish(list: ServiceList): void {
    if (JSON.stringify(list) === JSON.stringify(this.#current)) return
    this.#current = list
    this.#changed(list)
  }

  /** Nothing more is to be heard. */
  stop(): void {
    clearTimeout(this.#timer)
  }
}
