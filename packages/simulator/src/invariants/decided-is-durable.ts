import type { Membership, NodeId } from '@conclave/interface'
import { quorumOf, voteResult } from '@conclave/quorum'
import type { Ledger } from '../ledger.ts'
import type { Invariant } from './invariant.ts'

/** Whether the node's disk holds the log up to `position` as `chain` says, or a snapshot that stands for it. */
const holds = (ledger: Ledger, node: NodeId, position: number, chain: string): boolean => {
  const log = ledger.durable.get(node)
  if (log === undefined) return false
  return log.base >= position || log.chainAt(position) === chain
}

export const decidedIsDurable: Invariant = {
  name: 'decided is durable',
  source:
    'Raft, extended version, section 5.3 and figure 2: an entry is committed once a majority has stored it, and servers store before they answer',
  watch: (broken, ledger) => {
    let judged = 0
    return (seen) => {
      if (seen.type !== 'drained') return
      for (; judged < ledger.decidedTo; judged++) {
        const entry = ledger.decided[judged]
        const position = judged + 1
        // Only logs in which each entry stands for all before it can be compared slot by slot.
        if (entry?.chain === undefined || ledger.logOf(seen.node).at(position)?.epoch === undefined) continue
        const { chain } = entry
        // A configuration may have come into use within the turn: under which one it was counted cannot be seen.
        const used: Membership[] = [
          seen.status.membership,
          ...(seen.before === undefined ? [] : [seen.before.membership]),
        ]
        const stored = (membership: Membership): boolean =>
          voteResult(quorumOf(membership), (id) => holds(ledger, id, position, chain)) === 'won'
        if (!used.some(stored))
          broken(`${seen.node} says that position ${position} is decided, and no quorum has it on disk`, seen.node)
      }
    }
  },
}
