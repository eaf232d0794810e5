import { decidedText } from '../ledger.ts'
import type { Invariant } from './invariant.ts'

export const agreement: Invariant = {
  name: 'agreement',
  source:
    'Lamport, Paxos Made Simple, section 2.1: only a single value is chosen; Raft, section 5.3: committed entries are durable and the same on all servers',
  watch: (broken, ledger) => (seen) => {
    if (seen.type !== 'drained') return
    for (const decided of seen.effects.decide) {
      const known = ledger.decided[decided.position - 1]
      if (known === undefined) {
        broken(
          `${seen.node} decided position ${decided.position} when nobody had decided position ${ledger.decidedTo + 1}`,
          seen.node,
        )
        continue
      }
      if (known.by === seen.node && known.decided === decided) continue
      const text = decidedText(decided)
      if (known.text !== text)
        broken(
          `at position ${decided.position} ${seen.node} decided ${text}, but ${known.by} decided ${known.text}`,
          seen.node,
          known.by,
        )
    }
  },
}
