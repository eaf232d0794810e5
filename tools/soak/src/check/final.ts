/** What the nodes hold when everything is healed: all the same, and exactly what the record of the watch says. */
import type { Operation, WatchedEvent } from '../history.ts'
import type { FinalState } from '../messages.ts'
import type { Violation } from './violation.ts'

export const checkFinal = (
  operations: readonly Operation[],
  events: readonly WatchedEvent[],
  final: FinalState,
): Violation[] => {
  const violations: Violation[] = []
  const found = (check: string, text: string): void => {
    violations.push({ check, text })
  }
  if (!final.watched)
    found(
      'watch',
      `the watch told nothing after revision ${events.at(-1)?.revision ?? 0}, the store is at ${final.revision}`,
    )
  const [first] = final.nodes
  for (const node of final.nodes)
    if (node.hash !== first?.hash)
      found(
        'state hash',
        `at position ${node.applied}: ${first?.name} has ${first?.hash}, ${node.name} has ${node.hash}`,
      )
  const expected = replay(events)
  const counted = onceCounts(operations)
  for (const { name, entries } of final.nodes) {
    const actual = new Map(entries.map((entry) => [entry.key, entry]))
    for (const [key, event] of expected) {
      const entry = actual.get(key)
      if (entry?.revision !== event.revision || entry.value !== event.value)
        found('lost', `${name} has ${JSON.stringify(entry)} under ${key}, the last write was ${JSON.stringify(event)}`)
    }
    for (const key of actual.keys())
      if (!expected.has(key)) found('lost', `${name} still has ${key}, which was deleted`)
    for (const [key, { acknowledged, possible }] of counted) {
      const version = actual.get(key)?.version ?? 0
      if (version < acknowledged || version > possible)
        found('exactly-once', `${name} counts ${version} puts of ${key}; ${acknowledged} to ${possible} were made`)
    }
  }
  return violations
}

const replay = (events: readonly WatchedEvent[]): Map<string, WatchedEvent> => {
  const state = new Map<string, WatchedEvent>()
  for (const event of events) {
    if (event.type === 'put') state.set(event.key, event)
    else state.delete(event.key)
  }
  return state
}

/** The keys that take blind puts only, whose version therefore counts puts. */
const onceCounts = (
  operations: readonly Operation[],
): Map<string, { readonly acknowledged: number; readonly possible: number }> => {
  const counts = new Map<string, { acknowledged: number; possible: number }>()
  for (const { key, outcome } of operations) {
    if (!key.startsWith('once/')) continue
    const count = counts.get(key) ?? { acknowledged: 0, possible: 0 }
    counts.set(key, count)
    if (outcome === 'ok') count.acknowledged += 1
    if (outcome === 'ok' || outcome === 'unknown') count.possible += 1
  }
  return counts
}
