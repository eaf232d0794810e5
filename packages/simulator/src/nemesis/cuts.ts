import type { NodeId } from '@conclave/interface'
import type { MemoryNetwork } from '@conclave/transport-memory'

interface Link {
  readonly from: NodeId
  readonly to: NodeId
  count: number
}

/** Links that are cut by any number of faults at a time: whole again when the last of them is over. */
export class Cuts {
  readonly #network: MemoryNetwork
  readonly #links = new Map<string, Link>()

  constructor(network: MemoryNetwork) {
    this.#network = network
  }

  /** Returns what undoes it; harmless twice. */
  cut(links: readonly { readonly from: NodeId; readonly to: NodeId }[]): () => void {
    for (const { from, to } of links) this.#add(from, to)
    let over = false
    return () => {
      if (over) return
      over = true
      for (const { from, to } of links) this.#remove(from, to)
    }
  }

  #add(from: NodeId, to: NodeId): void {
    const name = `${from}>${to}`
    const link = this.#links.get(name) ?? { from, to, count: 0 }
    this.#links.set(name, link)
    link.count++
    if (link.count === 1) this.#network.cut(from, to)
  }

  #remove(from: NodeId, to: NodeId): void {
    const link = this.#links.get(`${from}>${to}`)
    if (link === undefined || link.count === 0) return
    link.count--
    if (link.count === 0) this.#network.heal(from, to)
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return (this.#links.get(`${from}>${to}`)?.count ?? 0) > 0
  }

  /** Is anything cut? */
  get any(): boolean {
    return [...this.#links.values()].some(({ count }) => count > 0)
  }
}

/** All links between members of different groups, both ways. Who is in no group is alone. */
export const between = (
  groups: readonly (readonly NodeId[])[],
  all: readonly NodeId[],
): { readonly from: NodeId; readonly to: NodeId }[] => {
  const groupOf = (id: NodeId): number | NodeId => {
    const found = groups.findIndex((group) => group.includes(id))
    return found < 0 ? id : found
  }
  const links: { from: NodeId; to: NodeId }[] = []
  for (const from of all) for (const to of all) if (groupOf(from) !== groupOf(to)) links.push({ from, to })
  return links
}
