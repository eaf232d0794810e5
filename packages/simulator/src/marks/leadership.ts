import type { Membership, NodeId, Status } from '@conclave/interface'
import type { MarkSet } from '../marks.ts'

interface Transfer {
  readonly from: NodeId
  readonly to: NodeId
  readonly epoch: bigint
  readonly at: number
}

/** A transfer that has not come to anything in so many milliseconds of the world never will. */
const transferMillis = 250

const mixed = ({ members }: Membership, versions: ReadonlyMap<NodeId, 1 | 2>): boolean => {
  const voters = members.filter(({ role }) => role === 'voter').map(({ id }) => versions.get(id))
  const of = (version: 1 | 2): number => voters.filter((spoken) => spoken === version).length
  // Neither version has a majority of its own.
  return of(1) * 2 <= voters.length && of(2) * 2 <= voters.length && of(1) + of(2) > voters.length / 2
}

/** Leaders come and go. */
export const leadershipMarks: MarkSet = {
  marks: [
    { name: 'transfer completed', fault: 'transfer', needs: ['transfer'] },
    { name: 'transfer given up', fault: 'transfer', needs: ['transfer'] },
    { name: 'process went on after a pause as a deposed leader', fault: 'pause' },
    { name: 'quorum of mixed versions', needs: ['previous-engine'] },
  ],
  watch: (hit, world) => {
    const statuses = new Map<NodeId, Status>()
    const versions = new Map<NodeId, 1 | 2>()
    let transfer: Transfer | undefined
    let newest = 0n
    let decided = 0
    return (seen) => {
      if (seen.type === 'started') versions.set(seen.node, seen.version)
      else if (seen.type === 'ended') {
        versions.delete(seen.node)
        statuses.delete(seen.node)
        if (transfer?.from === seen.node || transfer?.to === seen.node) transfer = undefined
      } else if (seen.type === 'fault' && seen.fault.type === 'transfer') {
        const [from, to] = seen.nodes
        const status = from && statuses.get(from)
        if (from !== undefined && to !== undefined && status?.leading === true)
          transfer = { from, to, epoch: status.epoch, at: world.now() }
      } else if (seen.type === 'drained') {
        const { status, effects, node } = seen
        statuses.set(node, status)
        if (effects.leader?.id !== undefined && effects.leader.epoch > newest) newest = effects.leader.epoch
        if (transfer !== undefined && effects.leader?.id === transfer.to && effects.leader.epoch > transfer.epoch) {
          if (world.now() <= transfer.at + transferMillis) hit('transfer completed', transfer.to)
          transfer = undefined
        } else if (transfer?.from === node && world.now() > transfer.at + transferMillis) {
          if (status.leading && status.epoch === transfer.epoch) hit('transfer given up', node)
          transfer = undefined
        }
        if (world.ledger.decidedTo > decided) {
          decided = world.ledger.decidedTo
          if (mixed(status.membership, versions)) hit('quorum of mixed versions', node)
        }
      } else if (seen.type === 'resumed') {
        const status = statuses.get(seen.node)
        if (status?.leading === true && status.epoch < newest)
          hit('process went on after a pause as a deposed leader', seen.node)
      }
    }
  },
}
