/** What of a story is drawn: its events, thinned by relevance, and the messages that connect them. */
import { heaviest, routineOf, type Story, weightOf } from '../focus.ts'
import type { TraceEvent } from '../trace.ts'

export interface Drawn {
  readonly event: TraceEvent
  /** Events between the last one that is drawn and this one that are not; heartbeats and syncs are not counted. */
  readonly skipped: number
}

export interface Scene {
  readonly drawn: readonly Drawn[]
  /** Sendings of messages whose arrival or loss is drawn, by id. */
  readonly sent: ReadonlyMap<number, TraceEvent & { readonly type: 'sent' }>
  readonly heartbeats: number
  readonly left: number
}

/** That a fault struck is told by the fault. */
const isFaultMark = (event: TraceEvent): boolean => event.type === 'marked' && event.mark.startsWith('fault:')

/** @param most events that are drawn, sendings not counted. */
export const sceneOf = ({ focus, events }: Story, most: number): Scene => {
  const routine = routineOf(events)
  let heartbeats = 0
  const items: { readonly index: number; readonly weight: number; readonly kind: TraceEvent['type'] }[] = []
  for (const [index, event] of events.entries()) {
    if (routine.has(event)) heartbeats += event.type === 'received' ? 1 : 0
    else if (event.type !== 'sent' && event.type !== 'durable' && !isFaultMark(event)) {
      items.push({ index, weight: weightOf(event, focus), kind: event.type })
    }
  }
  const kept = new Set(heaviest(items, most).map((at) => items[at]?.index))
  const candidates = new Set(items.map(({ index }) => index))
  const wanted = new Set<number>()
  for (const index of kept) {
    const event = index === undefined ? undefined : events[index]
    if (event?.type === 'received' || event?.type === 'lost') wanted.add(event.id)
  }
  const sent = new Map<number, TraceEvent & { readonly type: 'sent' }>()
  const drawn: Drawn[] = []
  let skipped = 0
  // A message that was on its way when the story begins has no tail: it is not drawn, since nobody sees where it comes from.
  for (const [index, event] of events.entries()) {
    if (event.type === 'sent' && wanted.has(event.id)) sent.set(event.id, event)
    else if (!kept.has(index)) {
      if (candidates.has(index)) skipped += 1
      continue
    }
    if ((event.type === 'received' || event.type === 'lost') && !sent.has(event.id)) continue
    drawn.push({ event, skipped })
    skipped = 0
  }
  return { drawn, sent, heartbeats, left: items.length - kept.size }
}
