import { CommandFailed, exitCodes } from './exit.ts'
import type { NodeView } from './view.ts'

/** Who a node says belongs to its cluster, itself included. */
const kin = ({ id, status }: NodeView): ReadonlySet<string> =>
  new Set([id, ...(status?.members ?? []).map((member) => member.id)])

/** The nodes that answer, by cluster: those of one name whose members overlap, directly or through others. */
const clustersOf = (views: readonly NodeView[]): NodeView[][] => {
  const groups: { readonly name: string; ids: Set<string>; views: NodeView[] }[] = []
  for (const view of views) {
    if (view.status === undefined) continue
    const ids = new Set(kin(view))
    const name = view.status.cluster
    const related = groups.filter((group) => group.name === name && [...ids].some((id) => group.ids.has(id)))
    for (const group of related) groups.splice(groups.indexOf(group), 1)
    groups.push({
      name,
      ids: new Set([...ids, ...related.flatMap((group) => [...group.ids])]),
      views: [...related.flatMap((group) => group.views), view],
    })
  }
  return groups.map((group) => group.views)
}

/** @throws CommandFailed (2) if the nodes that answer are of different clusters: what they say cannot be put together. */
export const checkOneCluster = (views: readonly NodeView[]): void => {
  const clusters = clustersOf(views)
  if (clusters.length < 2) return
  const lines = clusters.map((group) => {
    const [first] = group
    return `cluster "${first?.status?.cluster}": ${group.map(({ address }) => address).join(', ')}`
  })
  throw new CommandFailed(
    exitCodes.usage,
    'two-clusters',
    `the endpoints belong to ${clusters.length} different clusters`,
    `${lines.join('\n')}\nName the nodes of one cluster only.`,
  )
}
