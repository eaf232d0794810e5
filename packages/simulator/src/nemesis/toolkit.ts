import type { NodeId, Supports } from '@conclave/interface'
import type { Cluster } from '../cluster.ts'
import type { SimulatedNode } from '../node.ts'
import type { Operator } from '../operator.ts'
import type { Fault, NodeNumber } from '../plan.ts'
import type { Surroundings } from '../surroundings.ts'
import { Cuts } from './cuts.ts'

export interface NemesisInit {
  readonly around: Surroundings
  readonly cluster: Cluster
  readonly operator: Operator
  readonly supports: () => Supports
}

/** The fault of one or more types. */
export type Of<T extends Fault['type']> = Extract<Fault, { type: T }>

/** What all faults are made of. */
export class Toolkit {
  readonly around: Surroundings
  readonly cluster: Cluster
  readonly operator: Operator
  readonly supports: () => Supports
  readonly cuts: Cuts
  /** What undoes the faults that last. */
  readonly #lasting = new Set<() => void>()
  /** Nothing new goes wrong, and who is named here stays down. */
  readonly #dead = new Set<SimulatedNode>()
  healed = false

  constructor(init: NemesisInit) {
    this.around = init.around
    this.cluster = init.cluster
    this.operator = init.operator
    this.supports = init.supports
    this.cuts = new Cuts(init.around.network)
  }

  tell(fault: Fault, what: string, nodes: readonly NodeId[], ends?: true): void {
    this.around.tell({ type: 'fault', fault, what, nodes, ...(ends && { ends }) })
  }

  /** A fault that lasts for a while: `undo` is called then, or at the healing. */
  lasts(fault: Fault & { readonly millis: number }, nodes: readonly NodeId[], undo: () => void): void {
    const end = (): void => {
      if (!this.#lasting.delete(end)) return
      undo()
      this.tell(fault, `${fault.type} ends`, nodes, true)
    }
    this.#lasting.add(end)
    this.around.clock.after(fault.millis, end)
  }

  /** Everything that lasts is over, and nothing new begins; these nodes are not started again. */
  end(staysDown: Iterable<SimulatedNode>): void {
    for (const end of [...this.#lasting]) end()
    this.healed = true
    for (const node of staysDown) this.#dead.add(node)
  }

  target(node: NodeNumber | 'leader'): SimulatedNode | undefined {
    return node === 'leader' ? this.cluster.leader : this.cluster.node(node)
  }

  /** Founders, and spares that were started. */
  present(): SimulatedNode[] {
    return this.cluster.nodes.filter(({ state }) => state !== 'absent')
  }

  /** Ends a process, and starts it again. */
  fell(node: SimulatedNode, kind: 'power' | 'kill', downMillis: number): void {
    node.crash(kind, kind === 'power' ? 'loss of power' : 'killed')
    this.around.clock.after(downMillis, () => {
      if (node.state === 'down' && !this.#dead.has(node)) node.start()
    })
  }

  /** Whoever runs a cluster upgrades all of it before the members change: an old version does not understand the new configurations. */
  get changesMembers(): boolean {
    return this.supports().membership && this.cluster.upgraded
  }
}
