import type { BalanceCandidate, BalanceRequest, StrategyName } from '@conclave/balance'
import type { Balancer, NodeId } from '@conclave/interface'
import type { Connection } from './connection.ts'
import type { ClientClock } from './time.ts'

/** A node that local reads may go to. */
export interface ReadTarget extends BalanceCandidate {
  readonly id: NodeId
}

/** Where local reads go: by a strategy of `@conclave/balance`, with nodes that fail or are slow left out for a while, or by a balancer of your own, as it is. Its requests have the encoded query as their key. */
export type LocalReads = StrategyName | LocalBalancer
export type LocalBalancer = Balancer<BalanceRequest, ReadTarget>

/** A read on its way to a node, to be ended once. */
export interface SpreadRead {
  readonly connection: Connection
  ended(error?: unknown): void
}

/** Spreads local reads over all nodes that are reached. */
export class Spread {
  readonly #balancer: LocalBalancer
  readonly #clock: ClientClock
  readonly #connections = new Map<NodeId, Connection>()
  #targets: readonly ReadTarget[] = []

  constructor(balancer: LocalBalancer, clock: ClientClock) {
    this.#balancer = balancer
    this.#clock = clock
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
