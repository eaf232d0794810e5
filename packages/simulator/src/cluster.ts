import type { Membership, NodeId } from '@conclave/interface'
import { SimulatedNode } from './node.ts'
import type { NodeNumber } from './plan.ts'
import { idOf, type Surroundings } from './surroundings.ts'

/** All nodes of a world, founders and spares, and what can be asked of them together. */
export class Cluster {
  readonly nodes: readonly SimulatedNode[]
  readonly founders: Membership

  constructor(around: Surroundings) {
    const { plan } = around
    this.founders = {
      members: Array.from({ length: plan.nodes }, (_, at) => {
        const id = idOf(at + 1)
        return { id, name: id, addresses: [], role: 'voter' }
      }),
    }
    this.nodes = plan.traits.map((traits, at) => new SimulatedNode(around, at + 1, traits, this.founders))
  }

  start(): void {
    for (const node of this.nodes) if (node.number <= this.founders.members.length) node.start()
  }

  node(number: NodeNumber): SimulatedNode | undefined {
    return this.nodes[number - 1]
  }

  byId(id: NodeId): SimulatedNode | undefined {
    return this.nodes.find((node) => node.id === id)
  }

  /** Who leads, or believes it with the highest epoch. */
  get leader(): SimulatedNode | undefined {
    let found: SimulatedNode | undefined
    let highest = -1n
    for (const node of this.nodes) {
      const engine = node.status?.engine
      if (engine?.leading !== true || engine.epoch <= highest) continue
      found = node
      highest = engine.epoch
    }
    return found
  }

  /** The configuration as the node knows it that has decided most. */
  get membership(): Membership {
    let membership = this.founders
    let most = -1
    for (const node of this.nodes) {
      const engine = node.status?.engine
      if (engine === undefined || engine.self === 'none' || engine.decided <= most) continue
      most = engine.decided
      membership = engine.membership
    }
    return membership
  }

  /** Would the voters still have a quorum if only those for whom `fit` holds were there? Of a joint configuration, in both halves. */
  hasQuorum(fit: (node: SimulatedNode) => boolean): boolean {
    const { members, outgoing } = this.membership
    const voters = members.filter(({ role }) => role === 'voter').map(({ id }) => id)
    const enough = (ids: readonly NodeId[]): boolean =>
      ids.filter((id) => {
        const node = this.byId(id)
        return node !== undefined && fit(node)
      }).length *
        2 >
      ids.length
    return enough(voters) && (outgoing === undefined || enough(outgoing))
  }
}
