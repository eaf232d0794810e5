import { agreement } from './agreement.ts'
import { decidedIsDurable } from './decided-is-durable.ts'
import { electionSafety } from './election-safety.ts'
import { equalStates } from './equal-states.ts'
import { exactlyOnce } from './exactly-once.ts'
import type { Invariant } from './invariant.ts'
import { leaderCompleteness } from './leader-completeness.ts'
import { logMatching } from './log-matching.ts'
import { monotonicCommit } from './monotonic-commit.ts'
import { noLostAcknowledgement } from './no-lost-acknowledgement.ts'
import { stateMachineSafety } from './state-machine-safety.ts'

export type { Broken, Invariant } from './invariant.ts'

/** What must hold at every step, in the order in which it is judged: causes before consequences. */
export const invariants: readonly Invariant[] = [
  electionSafety,
  logMatching,
  leaderCompleteness,
  agreement,
  monotonicCommit,
  stateMachineSafety,
  exactlyOnce,
  equalStates,
  noLostAcknowledgement,
  decidedIsDurable,
]
