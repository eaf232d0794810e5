import type { Membership, NodeId } from '@conclave/interface'
import { SimulatedNode } from './node.ts'
import type { Observation } from './observation.ts'
import type { NodeNumber } from './plan.ts'
import { idOf, type Surroundings } from './surroundings.ts'

/** All nodes of a world, founders and spares, and what can be asked of them together. */
export class Cluster {
  readonly nodes: readonly SimulatedNode[]
  readonly founders: Membership
  /** The configuration that each node used last, alive or not. */
  readonly #known = new Map<NodeId, Membership>()

  constructor(around: Surroundings) {
    const { plan } = around
    this.founders = {
      members: Array.from({ length: plan.nodes }, (_, at) => {
        const id = idOf(at + 1)
        return { id, name: id, addresses: [], role: 'voter' }
      }),
    }
    const isMember = (id: NodeId, asker: NodeId): boolean =>
      this.nodes.some(
        ({ id: other, serving }) => other !== asker && serving?.membership.members.some((member) => member.id === id),
      )
    this.nodes = plan.traits.map((traits, at) => new SimulatedNode(around, at + 1, traits, this.founders, isMember))
  }

  see(seen: Observation): void {
    if (seen.type === 'drained') this.#known.set(seen.node, seen.status.membership)
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

  /**
   * Would the voters still have a quorum if only those for whom `fit` holds were there? Of a joint configuration, in both halves; and in every configuration that some
   * member may still use, since an undecided one may yet be decided.
   */
  hasQuorum(fit: (node: SimulatedNode) => boolean): boolean {
    const enough = (ids: readonly NodeId[]): boolean =>
      ids.filter((id) => {
        const node = this.byId(id)
        return node !== undefined && fit(node)
      }).length *
        2 >
      ids.length
    return this.#configurations().every(
      ({ members, outgoing }) =>
        enough(members.filter(({ role }) => role === 'voter').map(({ id }) => id)) &&
        (outgoing === undefined || enough(outgoing)),
    )
  }

  /** A disk that is lost or damaged takes its node with it for good. */
  isFit(node: SimulatedNode): boolean {
    return node.state !== 'gone' && node.state !== 'absent' && !node.rotten
  }

  /** May a member leave? At least two voters stay, so that there is something left to disagree, and most of them are fit. */
  mayRemove(node: SimulatedNode): boolean {
    const voters = this.membership.members.filter(({ role, id }) => role === 'voter' && id !== node.id)
    const fit = voters.filter(({ id }) => {
      const other = this.byId(id)
      return other !== undefined && this.isFit(other)
    })
    return voters.length >= 2 && fit.length * 2 > voters.length
  }

  #configurations(): Membership[] {
    const { membership } = this
    const known = membership.members.map(({ id }) => this.#known.get(id))
    return [membership, ...known.filter((configuration) => configuration !== undefined)]
  }

  /** Does every node that is there, or may come back, speak the newest version? */
  get upgraded(): boolean {
    return this.nodes.every((node) => node.state === 'absent' || node.state === 'gone' || node.upgraded)
  }
}
