import type { NodeId } from '@conclave/interface'
import type { NodeLog } from '../ledger.ts'
import type { Invariant } from './invariant.ts'

interface Reign {
  readonly leader: NodeId
  readonly epoch: bigint
  readonly log: NodeLog
  /** What the leader knew to be decided. */
  readonly decided: number
}

export const leaderCompleteness: Invariant = {
  name: 'leader completeness',
  source:
    'Raft, extended version, figure 3: if a log entry is committed in a given term, then that entry will be present in the logs of the leaders of all higher-numbered terms',
  watch: (broken, ledger) => {
    const reigns: Reign[] = []
    let judged = 0

    /** In Multi-Paxos each configuration elects for itself: its last leader may not know what the next one has decided, even in a lower ballot. */
    const ofNextConfiguration = ({ decided }: Reign, position: number): boolean =>
      !ledger.comparable && ledger.decided.slice(decided, position).some((entry) => entry.decided.type === 'members')

    const judge = (reign: Reign, position: number): void => {
      const { leader, epoch, log } = reign
      const entry = ledger.decided[position - 1]
      if (entry === undefined || entry.under >= epoch || position < log.base) return
      const chain = ledger.comparable ? log.chainAt(position) : undefined
      const lacks = position > log.last && !ofNextConfiguration(reign, position)
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
        const reign = {
          leader: seen.node,
          epoch: leader.epoch,
          log: ledger.logOf(seen.node).copy(),
          decided: seen.status.decided,
        }
        reigns.push(reign)
        for (let position = Math.max(1, reign.log.base); position <= judged; position++) judge(reign, position)
      }
      for (; judged < ledger.decidedTo; judged++) for (const reign of reigns) judge(reign, judged + 1)
    }
  },
}
