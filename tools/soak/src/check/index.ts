import type { Operation, WatchedEvent } from '../history.ts'
import type { FinalState } from '../messages.ts'
import { checkFinal } from './final.ts'
import { checkLinearizable } from './linearizable.ts'
import { checkOrder } from './order.ts'
import type { Violation } from './violation.ts'
import { checkWrites } from './writes.ts'

/** So many of one check are told; the first ones say the most. */
const mostOfOneCheck = 5

/** A run in which little happened proves nothing, however clean it is. */
const checkActivity = (operations: readonly Operation[]): Violation[] => {
  const answered = operations.filter(({ outcome }) => outcome === 'ok' || outcome === 'mismatch').length
  if (answered * 2 >= operations.length && answered > 0) return []
  return [{ check: 'idle', text: `of ${operations.length} operations only ${answered} were answered` }]
}

export interface Checked {
  readonly violations: readonly Violation[]
  /** What the linearizability checker did. */
  readonly keys: number
  readonly undecidedKeys: readonly string[]
  readonly steps: number
}

/** Everything that can be said of a finished run. */
export const check = (
  operations: readonly Operation[],
  events: readonly WatchedEvent[],
  final: FinalState,
): Checked => {
  const { keys, undecided, steps, violations } = checkLinearizable(operations)
  const all = [
    ...violations,
    ...checkWrites(operations, events),
    ...checkOrder(operations, events),
    ...checkFinal(operations, events, final),
    ...checkActivity(operations),
  ]
  const told = new Map<string, number>()
  const first = all.filter(({ check: name }) => {
    const before = told.get(name) ?? 0
    told.set(name, before + 1)
    return before < mostOfOneCheck
  })
  return { violations: first, keys, undecidedKeys: undecided, steps }
}
