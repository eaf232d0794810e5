import type { NodeId } from '@conclave/interface'
import type { NodeLog } from '../ledger.ts'
import type { Invariant } from './invariant.ts'

interface Reign {
  readonly leader: NodeId
  readonly epoch: bigint
  readonly log: NodeLog
}

export const leaderCompleteness: Invariant = {
  name: 'leader completeness',
  source:
    'Raft, extended version, figure 3: if a log entry is committed in a given term, then that entry will be present in the logs of the leaders of all higher-numbered terms',
  watch: (broken, ledger) => {
    const reigns: Reign[] = []
    let judged = 0

    const judge = ({ leader, epoch, log }: Reign, position: number): void => {
      const entry = ledger.decided[position - 1]
      if (entry === undefined || entry.under >= epoch || position < log.base) return
      const chain = log.chainAt(position)
      const lacks = position > log.last
      if (lacks || (chain !== undefined && entry.chain !== undefined && chain !== entry.chain))
        broken(
          `${leader} was elected in epoch ${epoch} ${lacks ? 'without' : 'with another log up to'} position ${position}, which ${entry.by} knew to be decided in epoch ${entry.under}`,
          leader,
          entry.by,
        )
    }

    return (seen) => {
      if (seen.type !== 'drained') return
      const { leader } = seen.effects
      if (leader?.id === seen.node) {
        const reign = { leader: seen.node, epoch: leader.epoch, log: ledger.logOf(seen.node).copy() }
        reigns.push(reign)
        for (let position = Math.max(1, reign.log.base); position <= judged; position++) judge(reign, position)
      }
      for (; judged < ledger.decidedTo; judged++) for (const reign of reigns) judge(reign, judged + 1)
    }
  },
}
