/**
 * Whether all operations, over all keys, fit into the one order that the watch told, without contradicting real time. Since that order of the writes is
 * given, this takes no search: each answer holds between two revisions, and each operation, in the order in which they were called, takes the earliest
 * place that its answer and those which had returned before its call allow. It knows nothing of the linearizability checker, and the two must agree.
 */
import type { Operation, WatchedEvent } from '../history.ts'
import { Returns } from './returns.ts'
import type { Violation } from './violation.ts'

/** A key's state from one revision until just before another. */
interface Span {
  /** The revision of what was there; 0 for nothing. */
  readonly holds: number
  readonly from: number
  until: number
}

const spansOf = (events: readonly WatchedEvent[]): Map<string, Span[]> => {
  const byKey = new Map<string, Span[]>()
  for (const { key, revision, type } of events) {
    const spans = byKey.get(key) ?? [{ holds: 0, from: 0, until: Number.POSITIVE_INFINITY }]
    byKey.set(key, spans)
    const last = spans.at(-1)
    if (last !== undefined) last.until = revision - 1
    spans.push({ holds: type === 'put' ? revision : 0, from: revision, until: Number.POSITIVE_INFINITY })
  }
  return byKey
}

/** What an operation saw, as spans in which it can stand; undefined if it says nothing of the order. */
const placesOf = (
  operation: Operation,
  spans: ReadonlyMap<string, readonly Span[]>,
  byValue: ReadonlyMap<string, WatchedEvent>,
): readonly Span[] | undefined => {
  const own = spans.get(operation.key) ?? [{ holds: 0, from: 0, until: Number.POSITIVE_INFINITY }]
  const { outcome, kind, revision = 0, previous } = operation
  if (outcome === 'failed') return undefined
  if (outcome === 'unknown') {
    const event = operation.value === undefined ? undefined : byValue.get(operation.value)
    return event && [{ holds: event.revision, from: event.revision, until: event.revision }]
  }
  if (kind === 'get' || outcome === 'mismatch') return own.filter(({ holds }) => holds === revision)
  // A delete that found nothing has no revision of its own; the one that it tells is the store's.
  return [{ holds: revision, from: revision, until: revision }].filter(
    (at) => previous !== 0 || kind !== 'delete' || own.some((span) => span.holds === 0 && inside(at.from, span)),
  )
}
const inside = (revision: number, { from, until }: Span): boolean => revision >= from && revision <= until

/** Puts of new keys have `previous` 0 as well, but only a delete has no effect then. */
const hadEffect = ({ kind, outcome, previous }: Operation): boolean =>
  kind !== 'get' && outcome !== 'mismatch' && !(kind === 'delete' && previous === 0)

export const checkOrder = (operations: readonly Operation[], events: readonly WatchedEvent[]): Violation[] => {
  const spans = spansOf(events)
  const byValue = new Map(events.flatMap((event) => (event.value === undefined ? [] : [[event.value, event] as const])))
  const violations: Violation[] = []
  const byCall = operations.toSorted((a, b) => a.invoked - b.invoked)
  let floor = 0
  let floorBy: Operation | undefined
  const pending = new Returns()
  for (const operation of byCall) {
    // What had returned before this was called stands before it.
    for (let first = pending.first; first !== undefined && first.at < operation.invoked; first = pending.first) {
      pending.shift()
      if (first.place > floor) [floor, floorBy] = [first.place, first.operation]
    }
    const places = placesOf(operation, spans, byValue)
    if (places === undefined) continue
    // A write stands where its own revision is: whoever saw that cannot have returned before it was called.
    const least = hadEffect(operation) ? floor + 1 : floor
    const span = places.find(({ until }) => until >= least)
    if (span === undefined) {
      violations.push({ check: 'order', text: contradiction(operation, places, floor, floorBy) })
      continue
    }
    const at = operation.outcome === 'unknown' ? Number.POSITIVE_INFINITY : operation.returned
    pending.push({ at, place: Math.max(floor, span.from), operation })
  }
  return violations
}

const contradiction = (
  operation: Operation,
  places: readonly Span[],
  floor: number,
  floorBy: Operation | undefined,
): string => {
  const told = JSON.stringify(operation)
  if (places.length === 0) return `an answer that was never true: ${told}`
  const last = Math.max(...places.map(({ until }) => until))
  return `stale: it was true up to revision ${last}, but revision ${floor} was already seen by what had returned before: ${told} after ${JSON.stringify(floorBy)}`
}
