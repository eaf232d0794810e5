import type { Clock, NodeId, Random, Transport } from '@conclave/interface'
import { MemoryEndpoint } from './endpoint.ts'
import { MemoryLinkFailed } from './errors.ts'
import { checkFaults, type Faults, noFaults } from './faults.ts'

/** Looks at every copy of a message that travels; changes nothing. */
export interface NetworkTap {
  /** A copy sets out. Returns a name for it. */
  sent(from: NodeId, to: NodeId, message: Uint8Array): number
  /** It arrived at a member that runs, or never will. Not told of what is still on its way. */
  ended(id: number, arrived: boolean): void
}

export interface MemoryNetworkInit {
  /** Every delay is a timer of this clock: virtual time is enough. */
  readonly clock: Clock
  readonly random: Random
  /** A source of its own for what goes from one member to another, so that no link changes the luck of another. Default: `random`. */
  readonly randomOf?: (from: NodeId, to: NodeId) => Random
  readonly tap?: NetworkTap
  /** Default: none, a delay of 0.1 to 0.5 ms. */
  readonly faults?: Partial<Faults>
  /** Bytes in flight from one member to another; a message beyond it is dropped and told as `lost`. Default 16 MiB. */
  readonly queueBytes?: number
  /** Without progress for so many milliseconds a transfer fails; an offer counts as rejected. Default 10,000. */
  readonly transferMillis?: number
}

/**
 * A network within one process. Deterministic: what happens is a function of the clock, the random numbers and the order of the calls.
 * Messages and link events go through the clock's timers alone; only transfers use promises.
 */
export interface MemoryNetwork {
  /** A new endpoint for `id`. One that is there under this id is closed first, as if its process had died. */
  transport(id: NodeId): Transport
  /** Changes the faults of all links from now on; what is not named stays. */
  setFaults(faults: Partial<Faults>): void
  /** Nothing passes from `from` to `to` until `heal`, and nobody is told: a partition is no reset. */
  cut(from: NodeId, to: NodeId): void
  /** Cuts, both ways, all pairs that are not in the same group; heals all others. Who is in no group is alone. */
  partition(groups: readonly (readonly NodeId[])[]): void
  /** Undoes a `cut`; without arguments all of them. */
  heal(from?: NodeId, to?: NodeId): void
  /** Resets the links between the two: what is in flight is gone, both are told `down`, and the links are made again. */
  reset(a: NodeId, b: NodeId): void
  /** What arrives at `id` waits (as if its process were stopped) until `resume`. Its links stay. */
  pause(id: NodeId): void
  resume(id: NodeId): void
}

/** What the endpoints see of their network. */
export interface Wire {
  readonly clock: Clock
  readonly queueBytes: number
  readonly transferMillis: number
  readonly tap: NetworkTap | undefined
  randomOf(from: NodeId, to: NodeId): Random
  faults(): Faults
  isCut(from: NodeId, to: NodeId): boolean
  isPaused(id: NodeId): boolean
  find(id: NodeId): MemoryEndpoint | undefined
  /** The endpoint accepts links from now on, or no longer. */
  started(endpoint: MemoryEndpoint): void
  closed(endpoint: MemoryEndpoint): void
}

const pair = (from: NodeId, to: NodeId): string => JSON.stringify([from, to])

/** Makes a network with no members. */
export const memoryNetwork = (init: MemoryNetworkInit): MemoryNetwork => new Network(init)

class Network implements MemoryNetwork, Wire {
  readonly clock: Clock
  readonly queueBytes: number
  readonly transferMillis: number
  readonly tap: NetworkTap | undefined
  readonly randomOf: (from: NodeId, to: NodeId) => Random
  readonly #endpoints = new Map<NodeId, MemoryEndpoint>()
  readonly #cuts = new Set<string>()
  readonly #paused = new Set<NodeId>()
  #groups: ReadonlyMap<NodeId, number> | undefined
  #faults: Faults

  constructor(init: MemoryNetworkInit) {
    this.clock = init.clock
    const { random } = init
    this.randomOf = init.randomOf ?? (() => random)
    this.tap = init.tap
    this.queueBytes = init.queueBytes ?? 16 * 1024 * 1024
    this.transferMillis = init.transferMillis ?? 10_000
    this.#faults = checkFaults({ ...noFaults, ...init.faults })
  }

  transport(id: NodeId): Transport {
    this.#endpoints.get(id)?.die()
    const endpoint = new MemoryEndpoint(id, this)
    this.#endpoints.set(id, endpoint)
    return endpoint
  }

  setFaults(faults: Partial<Faults>): void {
    this.#faults = checkFaults({ ...this.#faults, ...faults })
  }
  faults(): Faults {
    return this.#faults
  }

  cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(pair(from, to))
  }

  partition(groups: readonly (readonly NodeId[])[]): void {
    this.#cuts.clear()
    this.#groups = new Map(groups.flatMap((members, group) => members.map((id) => [id, group] as const)))
    this.#connectAll()
  }

  heal(from?: NodeId, to?: NodeId): void {
    if (from !== undefined && to !== undefined) this.#cuts.delete(pair(from, to))
    else {
      this.#cuts.clear()
      this.#groups = undefined
    }
    this.#connectAll()
  }

  isCut(from: NodeId, to: NodeId): boolean {
    if (this.#cuts.has(pair(from, to))) return true
    if (this.#groups === undefined || from === to) return false
    const group = this.#groups.get(from)
    return group === undefined || group !== this.#groups.get(to)
  }

  reset(a: NodeId, b: NodeId): void {
    const error = new MemoryLinkFailed('the link was reset')
    this.#endpoints.get(a)?.linkBroken(b, error)
    this.#endpoints.get(b)?.linkBroken(a, error)
  }

  pause(id: NodeId): void {
    this.#paused.add(id)
  }
  resume(id: NodeId): void {
    if (!this.#paused.delete(id)) return
    for (const endpoint of this.#endpoints.values()) endpoint.release(id)
    this.#connectAll()
  }
  isPaused(id: NodeId): boolean {
    return this.#paused.has(id)
  }

  find(id: NodeId): MemoryEndpoint | undefined {
    return this.#endpoints.get(id)
  }

  started(): void {
    this.#connectAll()
  }

  closed(endpoint: MemoryEndpoint): void {
    if (this.#endpoints.get(endpoint.self) === endpoint) this.#endpoints.delete(endpoint.self)
    const error = new MemoryLinkFailed('the peer closed')
    for (const other of this.#endpoints.values()) other.linkBroken(endpoint.self, error)
  }

  #connectAll(): void {
    for (const endpoint of this.#endpoints.values()) endpoint.connect()
  }
}
