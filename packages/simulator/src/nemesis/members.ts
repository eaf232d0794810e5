import type { SimulatedNode } from '../node.ts'
import { idOf } from '../surroundings.ts'
import type { Of, Toolkit } from './toolkit.ts'

export const transfer = (kit: Toolkit, fault: Of<'transfer'>): void => {
  const { cluster } = kit
  const [leader, to] = [cluster.leader, cluster.node(fault.to)]
  if (!kit.supports().transfer || leader === undefined || leader.gate.paused || to === undefined || to === leader)
    return
  kit.tell(fault, `${leader.id} is to hand over to ${to.id}`, [leader.id, to.id])
  leader.serving?.transfer(to.id)
}

/** The one that is named, or another: learners are rare. */
const learner = ({ cluster }: Toolkit, { node }: Of<'promote'>): SimulatedNode | undefined => {
  const learners = cluster.membership.members.filter(({ role, promote }) => role === 'learner' && promote === undefined)
  const found = learners.find(({ id }) => id === idOf(node)) ?? learners[0]
  return found && cluster.byId(found.id)
}

/** What an operator does; what makes no sense by now is left. */
export const changeMembers = (kit: Toolkit, fault: Of<'add' | 'remove' | 'promote'>): void => {
  const { cluster, operator } = kit
  const node = fault.type === 'promote' ? learner(kit, fault) : kit.target(fault.node)
  if (!kit.changesMembers || node === undefined) return
  const role = cluster.membership.members.find(({ id }) => id === node.id)?.role
  if (fault.type === 'add') {
    if (node.state !== 'absent') return
    kit.tell(fault, `${node.id} is to join as a ${fault.role}`, [node.id])
    operator.add(node, fault.role)
  } else if (fault.type === 'promote') {
    if (role !== 'learner') return
    kit.tell(fault, `${node.id} is to become a voter`, [node.id])
    operator.change({ type: 'promote', id: node.id }, node)
  } else {
    if (role === undefined || (role === 'voter' && !cluster.mayRemove(node))) return
    kit.tell(fault, `${node.id} is to leave`, [node.id])
    operator.change({ type: 'remove', id: node.id }, node)
  }
}
