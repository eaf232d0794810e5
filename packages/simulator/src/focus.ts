/** Which events of a trace concern its violation: what a timeline and a diagram keep when there is not room for all. */
import type { Trace, TraceEvent } from './trace.ts'
import { isRoutine, meets, positionsCarried, positionsNamed, type Range } from './words.ts'

export type Violation = TraceEvent & { readonly type: 'violation' }

export interface Focus {
  readonly violation: Violation | undefined
  /** The nodes that the violation names; everyone if it names none, or if there is no violation. */
  readonly nodes: ReadonlySet<string>
  /** The positions that the violation names. */
  readonly positions: readonly Range[]
  /** The violation is one that clients see: their calls are the story. */
  readonly ofClients: boolean
  /** Time of the first event and of the violation, or of the last event. */
  readonly from: number
  readonly to: number
}

/** What a picture of a trace is drawn from: what happened until the violation, and when. */
export interface Story {
  readonly focus: Focus
  /** What is not shown, but has led to how things stood at first. */
  readonly before: readonly TraceEvent[]
  readonly events: readonly TraceEvent[]
}

type Message = TraceEvent & { readonly type: 'sent' | 'received' | 'lost' }

const isMessage = (event: TraceEvent): event is Message =>
  event.type === 'sent' || event.type === 'received' || event.type === 'lost'

/** Of a link, so many messages are remembered for what they said. */
const memory = 4

/** What a message that says nothing new may still bring about. */
const consequences: ReadonlySet<TraceEvent['type']> = new Set(['appended', 'truncated', 'role', 'restored'])
/** So many events after an arrival are looked at for what it brought about. */
const nearby = 20

/** Whether something happens to who receives the message at `index`, at once and before the next one arrives there. */
const hasConsequence = (events: readonly TraceEvent[], index: number, { at, to }: Message): boolean => {
  for (const next of events.slice(index + 1, index + 1 + nearby)) {
    if (next.at !== at || (next.type === 'received' && next.to === to)) return false
    if (consequences.has(next.type) && 'node' in next && next.node === to) return true
  }
  return false
}

/**
 * Messages that say nothing new, and change nothing: heartbeats and their answers, and what says the same again as one of the last messages on
 * the way from one node to another.
 */
export const routineOf = (events: readonly TraceEvent[]): ReadonlySet<TraceEvent> => {
  const last = new Map<string, readonly string[]>()
  const copies = new Set<number>()
  for (const [index, event] of events.entries()) {
    if (!isMessage(event)) continue
    const way = `${event.from} ${event.to}`
    if (event.type === 'sent') {
      const said = last.get(way) ?? []
      if (isRoutine(event.what) || said.includes(event.what)) copies.add(event.id)
      else last.set(way, [...said.slice(1 - memory), event.what])
    } else if (event.type === 'received' && hasConsequence(events, index, event)) copies.delete(event.id)
  }
  return new Set(events.filter((event) => isMessage(event) && copies.has(event.id)))
}

/** That a node follows when it has just started goes without saying. */
const withoutBirthRoles = (events: readonly TraceEvent[]): readonly TraceEvent[] => {
  const born = new Map<string, number>()
  return events.filter((event) => {
    if (event.type === 'started') born.set(event.node, event.at)
    return !(event.type === 'role' && /^follow/i.test(event.role) && born.get(event.node) === event.at)
  })
}

/** @param around only what happened within so many milliseconds of the violation (or of the end). */
export const storyOf = (trace: Trace, around = Number.POSITIVE_INFINITY): Story => {
  const end = trace.events.findIndex((event) => event.type === 'violation')
  const until = withoutBirthRoles(end === -1 ? trace.events : trace.events.slice(0, end + 1))
  const violation = until.findLast((event): event is Violation => event.type === 'violation')
  const to = until.at(-1)?.at ?? 0
  const first = until.findIndex((event) => event.at >= to - around)
  const events = until.slice(Math.max(0, first))
  return {
    before: until.slice(0, Math.max(0, first)),
    focus: {
      violation,
      nodes: new Set(violation === undefined || violation.nodes.length === 0 ? trace.nodes : violation.nodes),
      positions: violation === undefined ? [] : positionsNamed(violation.what),
      ofClients: violation !== undefined && /lineari[sz]|acknowledg|session|client/i.test(violation.invariant),
      from: events[0]?.at ?? 0,
      to,
    },
    events,
  }
}

const concerns = (focus: Focus, range: Range | undefined): boolean =>
  range !== undefined && focus.positions.some((position) => meets(position, range))

const at = (slot: number): Range => ({ first: slot, last: slot })

const nodesOf = (event: TraceEvent): readonly string[] => {
  if ('nodes' in event) return event.nodes
  if ('from' in event) return [event.from, event.to]
  return 'node' in event && event.node !== undefined ? [event.node] : []
}

/** Words that count more when they are in the role of a node. */
const roleWeight = (role: string): number => {
  if (/^lead/i.test(role)) return 80
  return /candidate|looking|prepar/i.test(role) ? 55 : 30
}

const messageWeight = (what: string, focus: Focus): number => {
  if (isRoutine(what)) return 0
  const range = positionsCarried(what)
  if (range === undefined) return 35
  return concerns(focus, range) ? 60 : 20
}

const kindWeight = (event: TraceEvent, focus: Focus): number => {
  switch (event.type) {
    case 'violation':
      return 1000
    case 'healed':
      return 70
    case 'fault':
      return event.ends ? 45 : 60
    case 'started':
    case 'crashed':
    case 'stopped':
    case 'paused':
    case 'resumed':
    case 'joined':
    case 'removed':
      return 65
    case 'role':
      return roleWeight(event.role)
    case 'truncated':
      // It takes everything from its slot on.
      return focus.positions.some(({ last }) => last >= event.slot) ? 95 : 70
    case 'appended':
      return concerns(focus, at(event.slot)) ? 95 : 18
    case 'decided':
      return concerns(focus, at(event.position)) ? 95 : 16
    case 'restored':
      return 60
    case 'sent':
    case 'received':
    case 'lost':
      return messageWeight(event.what, focus)
    case 'invoked':
    case 'returned':
      return focus.ofClients ? 50 : 12
    case 'marked':
      // That a fault struck is told by the fault.
      return event.mark.startsWith('fault:') ? 0 : 20
    case 'durable':
      return 10
  }
}

/** What happens, of a fault or its end, in words. */
export const faultWords = ({ what, ends }: TraceEvent & { readonly type: 'fault' }): string =>
  ends && !/ends$/.test(what) ? `ends: ${what}` : what

/** How much an event matters for the story; the more the better. Later ones matter more, and those of the violation's nodes. */
export const weightOf = (event: TraceEvent, focus: Focus): number => {
  const span = focus.to - focus.from
  const recent = span > 0 ? Math.max(0, (event.at - focus.from) / span) * 20 : 0
  const nodes = nodesOf(event)
  const foreign = nodes.length > 0 && !nodes.some((node) => focus.nodes.has(node))
  return kindWeight(event, focus) + recent - (foreign ? 15 : 0)
}

/** What has less weight is scenery: no kind of it may take more than a quarter of the room. */
const scenery = 50

/**
 * Which of `items` to show if there is room for `most`: those that weigh most, among equals the later ones. Indexes, ascending.
 *
 * @param items in the order of time; `kind` is what they are, in any words.
 */
export const heaviest = (
  items: readonly { readonly weight: number; readonly kind: unknown }[],
  most: number,
): number[] => {
  if (items.length <= most) return items.map((_, index) => index)
  const ranked = items.map(({ weight, kind }, index) => ({ weight, kind, index }))
  ranked.sort((a, b) => b.weight - a.weight || b.index - a.index)
  const share = Math.max(1, Math.ceil(most / 4))
  const taken = new Map<unknown, number>()
  const chosen: number[] = []
  for (const { weight, kind, index } of ranked) {
    if (chosen.length === most) break
    const before = taken.get(kind) ?? 0
    if (weight < scenery && before >= share) continue
    taken.set(kind, before + 1)
    chosen.push(index)
  }
  return chosen.sort((a, b) => a - b)
}
