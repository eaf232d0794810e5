import type { Access, AclNames } from './commands.ts'
import { aclDirectoryOf } from './paths.ts'
import type { ChubbyState, NodeRecord } from './state.ts'

const decoder = new TextDecoder()

/** Whether the access control list of this name, in the cell of `path`, names the principal. One that is not there names nobody; the empty name stands for everybody. */
const lists = (state: ChubbyState, path: string, name: string, principal: string): boolean => {
  if (name === '') return true
  const directory = aclDirectoryOf(path)
  const file = directory === undefined ? undefined : state.nodes.get(`${directory}/${name}`)
  if (file === undefined) return false
  const lines = decoder.decode(file.contents).split('\n')
  return lines.some((line) => line.trim() === '*' || (principal !== '' && line.trim() === principal))
}

/** Whether the principal may do this to a node (section 2.3 of the Chubby paper: access control lists are themselves files, of a well-known directory). */
export const mayDo = (state: ChubbyState, node: NodeRecord, principal: string, what: keyof AclNames): boolean =>
  lists(state, node.path, node.acl[what], principal)

/** All that is asked for at once. */
export const mayHave = (state: ChubbyState, node: NodeRecord, principal: string, access: Access): boolean =>
  (['read', 'write', 'changeAcl'] as const).every((what) => !access[what] || mayDo(state, node, principal, what))
