import type { Operation, WatchedEvent } from '../history.ts'
import type { FinalState } from '../messages.ts'
import { checkFinal } from './final.ts'
import { checkOrder } from './order.ts'
import type { Violation } from './violation.ts'
import { checkWrites } from './writes.ts'

/** So many of one check are told; the first ones say the most. */
const mostOfOneCheck = 5

/** Everything that can be said of a finished run. */
export const check = (
  operations: readonly Operation[],
  events: readonly WatchedEvent[],
  final: FinalState,
): Violation[] => {
  const all = [
    ...checkWrites(operations, events),
    ...checkOrder(operations, events),
    ...checkFinal(operations, events, final),
  ]
  const told = new Map<string, number>()
  return all.filter(({ check: name }) => {
    const before = told.get(name) ?? 0
    told.set(name, before + 1)
    return before < mostOfOneCheck
  })
}
