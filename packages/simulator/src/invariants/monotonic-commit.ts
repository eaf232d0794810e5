import type { NodeId } from '@conclave/interface'
import type { Invariant } from './invariant.ts'

interface Progress {
  decided: number
  /** Position of the newest snapshot that a write named, and of the newest that is known to be durable. */
  named: { readonly write: number; readonly position: number }[]
  durable: number
}

export const monotonicCommit: Invariant = {
  name: 'monotonic commit',
  source:
    'Raft, extended version, figure 2: commitIndex and lastApplied increase monotonically; within a life, and over lives down to the last durable snapshot (section 7)',
  watch: (broken) => {
    const nodes = new Map<NodeId, Progress>()
    return (seen) => {
      if (seen.type === 'started') {
        const before = nodes.get(seen.node)
        const recovered = seen.recovered.snapshot?.position ?? 0
        if (before !== undefined && recovered < before.durable)
          broken(
            `${seen.node} starts from a snapshot at position ${recovered}, though one at ${before.durable} was durable`,
            seen.node,
          )
        nodes.set(seen.node, { decided: recovered, named: [], durable: recovered })
        return
      }
      if (seen.type !== 'drained' && seen.type !== 'durable') return
      const progress = nodes.get(seen.node)
      if (progress === undefined) return
      if (seen.type === 'durable') {
        for (const { write, position } of progress.named)
          if (write <= seen.write) progress.durable = Math.max(progress.durable, position)
        progress.named = progress.named.filter(({ write }) => write > seen.write)
        return
      }
      const { effects, status } = seen
      for (const op of effects.write?.ops ?? [])
        if (op.type === 'snapshot') progress.named.push({ write: effects.write?.id ?? 0, position: op.position })
      if (effects.restore !== undefined) progress.decided = Math.max(progress.decided, effects.restore.position)
      for (const { position } of effects.decide) {
        if (position !== progress.decided + 1)
          broken(`${seen.node} decided position ${position} after position ${progress.decided}`, seen.node)
        progress.decided = position
      }
      if (status.decided < progress.decided)
        broken(`${seen.node} says that ${status.decided} is decided, after ${progress.decided}`, seen.node)
    }
  },
}
