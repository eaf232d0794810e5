import type { NodeId, Status } from '@conclave/interface'
import type { MarkSet } from '../marks.ts'
import { PendingSlots } from './pending.ts'

/** Disks, journals and snapshots. */
export const storageMarks: MarkSet = {
  marks: [
    { name: 'torn write recovered' },
    { name: 'entry truncated' },
    { name: 'entry truncated while its write was pending' },
    { name: 'snapshot installed', needs: ['snapshots'] },
    { name: 'snapshot installed in mid-partition', needs: ['snapshots'] },
    { name: 'snapshot installed during joint consensus', needs: ['snapshots', 'membership'] },
    { name: 'node refused to start for corruption', fault: 'disk-corruption' },
    { name: 'node stopped because a sync failed', fault: 'disk-fails' },
    { name: 'disk full refused a write', fault: 'disk-full' },
  ],
  watch: (hit, world) => {
    const pending = new PendingSlots()
    const statuses = new Map<NodeId, Status>()
    const joint = (): boolean =>
      [...statuses.values()].some(({ leading, membership }) => leading && membership.outgoing !== undefined)
    return (seen) => {
      if (seen.type === 'started' && seen.torn) hit('torn write recovered', seen.node)
      else if (seen.type === 'drained') {
        statuses.set(seen.node, seen.status)
        for (const op of seen.effects.write?.ops ?? []) {
          if (op.type !== 'truncateFrom') continue
          hit('entry truncated', seen.node)
          if ([...pending.of(seen.node).keys()].some((slot) => slot >= op.slot))
            hit('entry truncated while its write was pending', seen.node)
        }
      } else if (seen.type === 'ended') {
        statuses.delete(seen.node)
        if (seen.how === 'refused' && seen.why === 'its journal is damaged')
          hit('node refused to start for corruption', seen.node)
        if (seen.how === 'fatal' && seen.why === 'its disk fails') hit('node stopped because a sync failed', seen.node)
      } else if (seen.type === 'state' && seen.restored) {
        hit('snapshot installed', seen.node)
        if (world.partitioned()) hit('snapshot installed in mid-partition', seen.node)
        if (joint()) hit('snapshot installed during joint consensus', seen.node)
      } else if (seen.type === 'refused' && seen.reason === 'disk-full') hit('disk full refused a write')
      pending.see(seen)
    }
  },
}
