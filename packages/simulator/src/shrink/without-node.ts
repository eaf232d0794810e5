/** A plan without one of its nodes: the others move up, and what names the missing one goes. */
import type { Fault, NodeNumber, Plan } from '../plan.ts'

/** Undefined for the node that is gone. */
type Renumber = (node: NodeNumber) => NodeNumber | undefined

const all = <T>(values: readonly (T | undefined)[]): T[] => values.filter((value) => value !== undefined)

const between = (
  renumber: Renumber,
  a: NodeNumber,
  b: NodeNumber,
): { readonly from: NodeNumber; readonly to: NodeNumber } | undefined => {
  const from = renumber(a)
  const to = renumber(b)
  return from === undefined || to === undefined ? undefined : { from, to }
}

const renumbered = (fault: Fault, renumber: Renumber): Fault | undefined => {
  switch (fault.type) {
    case 'restart-storm':
    case 'weather':
    case 'coup':
      return fault
    case 'partition': {
      const groups = fault.groups.map((group) => all(group.map(renumber))).filter((group) => group.length > 0)
      return groups.length < 2 ? undefined : { ...fault, groups }
    }
    case 'one-way': {
      const link = between(renumber, fault.from, fault.to)
      return link && { ...fault, ...link }
    }
    case 'reset': {
      const link = between(renumber, fault.a, fault.b)
      return link && { ...fault, a: link.from, b: link.to }
    }
    case 'transfer': {
      const to = renumber(fault.to)
      return to === undefined ? undefined : { ...fault, to }
    }
    case 'disk-corruption':
    case 'disk-lost':
    case 'add':
    case 'promote': {
      const node = renumber(fault.node)
      return node === undefined ? undefined : { ...fault, node }
    }
    case 'crash':
    case 'isolate':
    case 'pause':
    case 'disk-stall':
    case 'disk-full':
    case 'disk-fails':
    case 'remove': {
      const node = fault.node === 'leader' ? fault.node : renumber(fault.node)
      return node === undefined ? undefined : { ...fault, node }
    }
  }
}

/**
 * Undefined if it cannot be: the last founder stays, and what stays broken has to be a minority of the founders that are left, else the run
 * could fail for that alone.
 */
export const withoutNode = (plan: Plan, gone: NodeNumber): Plan | undefined => {
  const nodes = gone <= plan.nodes ? plan.nodes - 1 : plan.nodes
  const renumber: Renumber = (node) => (node === gone ? undefined : node > gone ? node - 1 : node)
  const brokenNodes = all(plan.broken.nodes.map(renumber))
  if (nodes < 1 || brokenNodes.filter((node) => node <= nodes).length * 2 >= nodes) return undefined
  return {
    ...plan,
    nodes,
    traits: plan.traits.filter((_, at) => at !== gone - 1),
    faults: all(plan.faults.map((fault) => renumbered(fault, renumber))),
    broken: {
      nodes: brokenNodes,
      links: all(plan.broken.links.map(({ from, to }) => between(renumber, from, to))),
    },
  }
}
