import type { NodeId } from '@conclave/interface'
import type { Observation } from '../observation.ts'
import { linksOf } from './network.ts'
import type { Of, Toolkit } from './toolkit.ts'

/** The longest that those who elected are down. */
const downMillis = 4

/**
 * Whoever is elected next is cut off, at once or when it first decides something, and who elected it restarts: a forgotten vote would now elect a
 * second leader in the same epoch, and what was decided too early is undone. One coup for each election, in the order in which they were armed.
 */
export class Coups {
  readonly #kit: Toolkit
  readonly #armed: Of<'coup'>[] = []
  readonly #elected = new Set<bigint>()
  /** Those that wait for the first decision of a reign. */
  readonly #waiting = new Map<bigint, Of<'coup'>>()

  constructor(kit: Toolkit) {
    this.#kit = kit
  }

  arm(fault: Of<'coup'>): void {
    this.#armed.push(fault)
  }

  see(seen: Observation): void {
    if (seen.type !== 'drained' || this.#kit.healed) return
    const { effects, status, node } = seen
    if (effects.leader?.id !== undefined) this.#chosen(effects.leader.epoch, effects.leader.id)
    if (!status.leading || effects.decide.length === 0) return
    const coup = this.#waiting.get(status.epoch)
    this.#waiting.delete(status.epoch)
    if (coup !== undefined) this.#soon(coup, node)
  }

  #chosen(epoch: bigint, leader: NodeId): void {
    if (this.#elected.has(epoch)) return
    this.#elected.add(epoch)
    const coup = this.#armed.shift()
    if (coup?.on === 'decision') this.#waiting.set(epoch, coup)
    else if (coup !== undefined) this.#soon(coup, leader)
  }

  /** Not within the turn in which it is told of. */
  #soon(coup: Of<'coup'>, leader: NodeId): void {
    this.#kit.around.clock.after(coup.afterMillis, () => this.#strike(coup, leader))
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
