/**
 * Writes against the record that the watch kept of every write with an effect, in order: nothing acknowledged is lost, nothing is applied twice, nothing
 * that was refused is applied, and every answer is true.
 */
import type { Operation, WatchedEvent } from '../history.ts'
import type { Violation } from './violation.ts'

const about = (operation: Operation): string => JSON.stringify(operation)

export const checkWrites = (operations: readonly Operation[], events: readonly WatchedEvent[]): Violation[] => {
  const violations: Violation[] = []
  const found = (check: string, text: string): void => {
    violations.push({ check, text })
  }
  const byRevision = new Map(events.map((event) => [event.revision, event]))
  const byValue = new Map<string, WatchedEvent>()
  for (const event of events) {
    if (event.value === undefined) continue
    const first = byValue.get(event.value)
    if (first !== undefined)
      found('exactly-once', `${event.value} was applied at revision ${first.revision} and again at ${event.revision}`)
    byValue.set(event.value, event)
  }
  const previousOf = previousRevisions(events)
  const known = new Set<string>()
  for (const operation of operations) {
    if (operation.kind === 'get') continue
    const { key, value, outcome, revision = 0 } = operation
    if (value !== undefined) known.add(value)
    const applied = value === undefined ? undefined : byValue.get(value)
    if (applied !== undefined && applied.key !== key)
      found('writes', `${value} stands under ${applied.key}: ${about(operation)}`)
    if (outcome === 'failed' || outcome === 'mismatch') {
      if (applied !== undefined)
        found('definite', `said not to have happened, yet it is revision ${applied.revision}: ${about(operation)}`)
      continue
    }
    if (outcome !== 'ok') continue
    if (operation.kind === 'delete' && operation.previous === 0) continue // Nothing was there: no effect, no event.
    const event = byRevision.get(revision)
    if (event?.key !== key || event.value !== value || (event.type === 'delete') !== (operation.kind === 'delete'))
      found('acknowledged', `acknowledged, but revision ${revision} is ${JSON.stringify(event)}: ${about(operation)}`)
    else if (previousOf.get(revision) !== operation.previous)
      found('previous', `before it was revision ${previousOf.get(revision)}: ${about(operation)}`)
    if (operation.kind === 'cas' && operation.previous !== operation.expected?.revision)
      found('compare-and-swap', `done although something else was there: ${about(operation)}`)
  }
  for (const { value, revision } of events)
    if (value !== undefined && !known.has(value)) found('writes', `nobody wrote ${value}, revision ${revision}`)
  return violations
}

/** For each write, the revision of the key before it; 0 for none. */
const previousRevisions = (events: readonly WatchedEvent[]): ReadonlyMap<number, number> => {
  const present = new Map<string, number>()
  const previous = new Map<number, number>()
  for (const { revision, key, type } of events) {
    previous.set(revision, present.get(key) ?? 0)
    present.set(key, type === 'put' ? revision : 0)
  }
  return previous
}
