import type { NodeId } from '@conclave/interface'
import type { SimulatedNode } from '../node.ts'
import { idOf } from '../surroundings.ts'
import type { DirectedLink } from './network.ts'
import type { Toolkit } from './toolkit.ts'

/** What does not heal. */
export interface Remains {
  readonly links: readonly DirectedLink[]
  readonly nodes: ReadonlySet<SimulatedNode>
}

/** Deaf or mute towards all others. */
const isMaimed = (all: readonly SimulatedNode[], links: readonly DirectedLink[], id: NodeId): boolean => {
  const others = all.filter((other) => other.id !== id)
  return (
    others.every((other) => links.some(({ from, to }) => from === id && to === other.id)) ||
    others.every((other) => links.some(({ from, to }) => to === id && from === other.id))
  )
}

/**
 * Nobody can promise anything of a node that is deaf or mute towards all others, nor of both ends of a single link that stays cut in one direction: one
 * of them may lead, and then the other hears nothing, and may not be elected either.
 */
export const leftBehind = (kit: Toolkit, links: readonly DirectedLink[]): ReadonlySet<NodeId> => {
  const all = kit.present()
  const maimed = new Set(all.map(({ id }) => id).filter((id) => links.length > 0 && isMaimed(all, links, id)))
  const left = new Set(maimed)
  for (const { from, to } of links)
    if (!maimed.has(from) && !maimed.has(to)) {
      left.add(from)
      left.add(to)
    }
  return left
}

/** What the plan leaves broken: a minority of the voters as they are now, or it heals too. */
export const remains = (kit: Toolkit): Remains => {
  const { cluster, around } = kit
  const { broken } = around.plan
  const all = kit.present()
  const here = new Set(all.map(({ id }) => id))
  const links = broken.links
    .map(({ from, to }) => ({ from: idOf(from), to: idOf(to) }))
    .filter(({ from, to }) => here.has(from) && here.has(to))
  const nodes = new Set(all.filter(({ number, state }) => broken.nodes.includes(number) && state !== 'gone'))
  const enoughWithout = (cut: readonly DirectedLink[]): boolean => {
    const left = leftBehind(kit, cut)
    return cluster.hasQuorum((node) => cluster.isFit(node) && !nodes.has(node) && !left.has(node.id))
  }
  if (enoughWithout(links)) return { links, nodes }
  if (enoughWithout([])) return { links: [], nodes }
  return { links: [], nodes: new Set() }
}
