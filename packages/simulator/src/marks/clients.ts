import type { NodeId, ReadLevel } from '@conclave/interface'
import type { MarkSet } from '../marks.ts'

/** What clients and operators see. */
export const clientMarks: MarkSet = {
  marks: [
    { name: 'read refused', needs: ['reads'] },
    { name: 'lease read served', needs: ['leases'] },
    { name: 'lease read fell back', needs: ['leases'] },
    { name: 'retry answered from the session table' },
    { name: 'outcome unknown to a client' },
    { name: 'converged with a minority still broken' },
    { name: 'converged with a link still cut in one direction' },
  ],
  watch: (hit, { ledger }) => {
    const reads = new Map<NodeId, Map<number, { readonly level: ReadLevel; drains: number }>>()
    let skipped = 0
    return (seen) => {
      if (seen.type === 'started') reads.set(seen.node, new Map())
      else if (seen.type === 'stepped' && seen.input.type === 'read')
        reads.get(seen.node)?.set(seen.input.id, { level: seen.input.level, drains: 0 })
      else if (seen.type === 'drained') {
        const open = reads.get(seen.node)
        for (const { id, outcome } of seen.effects.settle) {
          const read = open?.get(id)
          if (read === undefined) continue
          open?.delete(id)
          if (outcome.type === 'refused') hit('read refused', seen.node)
          else if (outcome.type === 'readAt' && read.level === 'lease')
            hit(read.drains === 0 ? 'lease read served' : 'lease read fell back', seen.node)
        }
        if (open !== undefined) for (const read of open.values()) read.drains++
        if (ledger.sessions.skipped > skipped) {
          skipped = ledger.sessions.skipped
          hit('retry answered from the session table')
        }
      } else if (seen.type === 'refused' && seen.reason === 'unknown') hit('outcome unknown to a client')
      else if (seen.type === 'finished') {
        if (seen.broken.nodes > 0) hit('converged with a minority still broken')
        if (seen.broken.links > 0) hit('converged with a link still cut in one direction')
      }
    }
  },
}
