import type { NodeId } from '@conclave/interface'
import type { Observation } from '../observation.ts'
import { linksOf } from './network.ts'
import type { Of, Toolkit } from './toolkit.ts'

/** The longest that those who elected are down. */
const downMillis = 4

/**
 * Whoever is elected next is cut off, and who elected it restarts at once: a forgotten vote would now elect a second leader in the same epoch. One
 * coup for each election, in the order in which they were armed.
 */
export class Coups {
  readonly #kit: Toolkit
  readonly #armed: Of<'coup'>[] = []
  readonly #elected = new Set<bigint>()

  constructor(kit: Toolkit) {
    this.#kit = kit
  }

  arm(fault: Of<'coup'>): void {
    this.#armed.push(fault)
  }

  see(seen: Observation): void {
    if (seen.type !== 'drained' || this.#kit.healed) return
    const { leader } = seen.effects
    if (leader?.id === undefined || this.#elected.has(leader.epoch)) return
    this.#elected.add(leader.epoch)
    const coup = this.#armed.shift()
    const elected = leader.id
    // Not within the turn in which the leader is told of.
    if (coup !== undefined) this.#kit.around.clock.after(coup.afterMillis, () => this.#strike(coup, elected))
  }

  #strike(fault: Of<'coup'>, elected: NodeId): void {
    const kit = this.#kit
    const leader = kit.cluster.byId(elected)
    if (kit.healed || leader === undefined) return
    const others = kit.present().filter((node) => node !== leader)
    kit.tell(
      fault,
      `coup against ${elected}`,
      [leader, ...others].map(({ id }) => id),
    )
    kit.lasts(fault, [elected], kit.cuts.cut(linksOf(kit, leader)))
    const { streams, parts } = kit.around
    const random = streams('coup', fault.id)
    for (const node of others) {
      const engine = node.status?.engine
      // Who still stands for election is the rival.
      if (engine !== undefined && parts.insight?.standing?.(engine) === true) continue
      if (node.state === 'running' && !node.diskFails) kit.fell(node, fault.kind, random.next() * downMillis)
    }
  }
}
