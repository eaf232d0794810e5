import {
  type BalanceCandidate,
  type BalanceRequest,
  isStrategyName,
  outlierEjection,
  panicThreshold,
  type StrategyName,
  strategies,
  strategyNames,
} from '@conclave/balance'
import type { Balancer, NodeId, Random } from '@conclave/interface'
import type { Connection } from './connection.ts'
import type { ClientClock } from './time.ts'

/** A node that local reads may go to. */
export interface ReadTarget extends BalanceCandidate {
  readonly id: NodeId
}

/** Where local reads go: by a strategy of `@conclave/balance`, with nodes that fail or are slow left out for a while, or by a balancer of your own, as it is. Its requests have the encoded query as their key. */
export type LocalReads = StrategyName | Balancer<BalanceRequest, ReadTarget>

/** When a node is left out. Quicker than proxies are: another node has the same data, and to ask it instead costs nothing. */
const ejection = {
  consecutiveErrors: 3,
  interval: 2000,
  baseEjectionTime: 2000,
  maxEjectionTime: 30_000,
  maxEjected: 0.5,
  successRate: false,
  latency: { factor: 5, minimumCandidates: 3, requestVolume: 20 },
} as const

/** @throws RangeError for a strategy that there is not. */
const balancerOf = (
  reads: LocalReads,
  { clock, random }: { readonly clock: ClientClock; readonly random: Random },
): Balancer<BalanceRequest, ReadTarget> => {
  if (typeof reads !== 'string') return reads
  if (!isStrategyName(reads))
    throw new RangeError(`there is no strategy ${JSON.stringify(reads)}; there are ${strategyNames.join(', ')}`)
  const now = (): number => clock.now()
  const strategy = strategies[reads].factory<ReadTarget>({ random, now })
  return panicThreshold(outlierEjection(strategy, { ...ejection, now }))
}

/** A read on its way to a node, to be ended once. */
export interface SpreadRead {
  readonly connection: Connection
  ended(error?: unknown): void
}

/** Spreads local reads over all nodes that are reached. */
export class Spread {
  readonly #balancer: Balancer<BalanceRequest, ReadTarget>
  readonly #clock: ClientClock
  readonly #connections = new Map<NodeId, Connection>()
  #targets: readonly ReadTarget[] = []

  constructor(reads: LocalReads, world: { readonly clock: ClientClock; readonly random: Random }) {
    this.#balancer = balancerOf(reads, world)
    this.#clock = world.clock
  }

  /** These nodes are reached now. */
  reached(connections: readonly Connection[]): void {
    this.#connections.clear()
    for (const connection of connections) this.#connections.set(connection.node, connection)
    this.#targets = connections.map(({ node }) => ({ id: node }))
  }

  /** Undefined: no node is reached, or none is fit. */
  pick(query: Uint8Array): SpreadRead | undefined {
    const target = this.#balancer.pick({ key: query }, this.#targets)
    const connection = target && this.#connections.get(target.id)
    if (target === undefined || connection === undefined) return undefined
    const sentAt = this.#clock.now()
    let open = true
    return {
      connection,
      ended: (error) => {
        if (!open) return
        open = false
        const latency = this.#clock.now() - sentAt
        this.#balancer.settled?.(target, error === undefined ? { latency } : { latency, error })
      },
    }
  }
}
