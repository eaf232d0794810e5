import type { SimulatedNode } from '../node.ts'
import type { Of, Toolkit } from './toolkit.ts'

type DiskFault = Of<'disk-stall' | 'disk-full' | 'disk-fails' | 'disk-corruption' | 'disk-lost'>

export const strikeDisk = (kit: Toolkit, fault: DiskFault): void => {
  const node = kit.target(fault.node)
  if (node === undefined || node.state === 'absent' || node.state === 'gone') return
  if (fault.type === 'disk-stall') stall(kit, fault, node)
  else if (fault.type === 'disk-full') fill(kit, fault, node)
  else if (fault.type === 'disk-fails') failSync(kit, fault, node)
  else if (!mayLose(kit, node)) return
  else if (fault.type === 'disk-lost') lose(kit, fault, node)
  else if (node.state === 'running') corrupt(kit, fault, node)
}

const stall = (kit: Toolkit, fault: Of<'disk-stall'>, node: SimulatedNode): void => {
  kit.tell(fault, `the disk of ${node.id} stalls`, [node.id])
  node.stall()
  kit.lasts(fault, [node.id], () => node.unstall())
}

const fill = (kit: Toolkit, fault: Of<'disk-full'>, node: SimulatedNode): void => {
  kit.tell(fault, `the disk of ${node.id} is full`, [node.id])
  node.fill()
  kit.lasts(fault, [node.id], () => node.drain())
}

/** The next sync fails: the node must stop by itself, and comes back on what the disk then holds. */
const failSync = (kit: Toolkit, fault: Of<'disk-fails'>, node: SimulatedNode): void => {
  const { serving } = node
  if (serving === undefined) return
  kit.tell(fault, `syncs of the disk of ${node.id} fail`, [node.id])
  const { faults } = node.disk
  faults.failSync = true
  node.diskFails = true
  kit.lasts(fault, [node.id], () => {
    faults.failSync = node.serving === serving && serving.status().phase === 'failed'
  })
}

/** Only a minority may ever be lost at a time, and only while it can be done without. */
const mayLose = ({ cluster, operator }: Toolkit, node: SimulatedNode): boolean =>
  !operator.removes &&
  cluster.membership.members.some(({ id }) => id === node.id) &&
  cluster.hasQuorum((other) => other !== node && cluster.isFit(other))

/** After it should have been back, an operator sees that it is not. */
const noticeMillis = 100

const corrupt = (kit: Toolkit, fault: Of<'disk-corruption'>, node: SimulatedNode): void => {
  const where = node.disk.rot()
  if (where === undefined) return
  node.rotten = true
  kit.tell(fault, `a bit of ${where} on the disk of ${node.id} changes`, [node.id])
  kit.fell(node, 'kill', fault.downMillis)
  kit.around.clock.after(fault.downMillis + noticeMillis, () => {
    if (node.state === 'gone') replace(kit, node)
  })
}

const lose = (kit: Toolkit, fault: Of<'disk-lost'>, node: SimulatedNode): void => {
  kit.tell(fault, `the disk of ${node.id} is lost`, [node.id])
  node.loseDisk()
  if (kit.around.parts.hooks.returnsWithLostDisk !== true) return replace(kit, node)
  node.state = 'down'
  kit.around.clock.after(20, () => {
    if (node.state === 'down') node.start()
  })
}

const replace = (kit: Toolkit, node: SimulatedNode): void => {
  if (kit.changesMembers) kit.operator.replace(node)
}
