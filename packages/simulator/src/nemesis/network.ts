import type { NodeId } from '@conclave/interface'
import type { SimulatedNode } from '../node.ts'
import type { Weather } from '../plan.ts'
import { idOf } from '../surroundings.ts'
import { between } from './cuts.ts'
import type { Of, Toolkit } from './toolkit.ts'

export interface DirectedLink {
  readonly from: NodeId
  readonly to: NodeId
}

/** Both directions of every link of a node. */
export const linksOf = (kit: Toolkit, node: SimulatedNode): DirectedLink[] =>
  kit
    .present()
    .filter((other) => other !== node)
    .flatMap(({ id }) => [
      { from: node.id, to: id },
      { from: id, to: node.id },
    ])

const cut = (
  kit: Toolkit,
  fault: Of<'partition' | 'one-way' | 'isolate'>,
  links: readonly DirectedLink[],
  what: string,
): void => {
  const nodes = [...new Set(links.flatMap(({ from, to }) => [from, to]))]
  kit.tell(fault, what, nodes)
  kit.lasts(fault, nodes, kit.cuts.cut(links))
}

export const partition = (kit: Toolkit, fault: Of<'partition'>): void => {
  const groups = fault.groups.map((group) => group.map(idOf))
  const all = kit.present().map(({ id }) => id)
  cut(kit, fault, between(groups, all), groups.map((group) => group.join(' ')).join(' | '))
}

export const isolate = (kit: Toolkit, fault: Of<'isolate'>): void => {
  const node = kit.target(fault.node)
  if (node !== undefined && node.state !== 'absent') cut(kit, fault, linksOf(kit, node), `${node.id} is cut off`)
}

export const oneWay = (kit: Toolkit, fault: Of<'one-way'>): void => {
  const [from, to] = [idOf(fault.from), idOf(fault.to)]
  cut(kit, fault, [{ from, to }], `${from} no longer reaches ${to}`)
}

export const reset = (kit: Toolkit, fault: Of<'reset'>): void => {
  const [a, b] = [idOf(fault.a), idOf(fault.b)]
  kit.tell(fault, `the link of ${a} and ${b} is reset`, [a, b])
  kit.around.network.reset(a, b)
}

/** A good LAN, after the healing. */
const fair: Weather = { drop: 0, duplicate: 0, reorder: 0, delay: { least: 0.1, most: 1 } }

/** What happens to messages: the weather of the plan, and in its place the newest that has not passed. */
export class Skies {
  readonly #kit: Toolkit
  readonly #stack: Weather[]

  constructor(kit: Toolkit) {
    this.#kit = kit
    this.#stack = [kit.around.plan.weather]
    kit.around.network.setFaults(kit.around.plan.weather)
  }

  change(fault: Of<'weather'>): void {
    const { network } = this.#kit.around
    this.#kit.tell(fault, 'the weather of the network changes', [])
    this.#stack.push(fault.weather)
    network.setFaults(fault.weather)
    this.#kit.lasts(fault, [], () => {
      this.#stack.splice(this.#stack.indexOf(fault.weather), 1)
      const now = this.#stack.at(-1)
      if (now !== undefined) network.setFaults(now)
    })
  }

  clear(): void {
    this.#kit.around.network.setFaults(fair)
  }
}
