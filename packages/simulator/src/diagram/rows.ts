/**
 * Where in time everything stands: time runs downwards, in rows. What happens at one instant shares a row if nothing in it is in the way of
 * something else; between rows time is drawn to scale, but for long waits, which are cut out and marked.
 */
import type { TraceEvent } from '../trace.ts'
import type { Drawn } from './scene.ts'

/** The columns beside those of the nodes. */
export const clientsLane = Symbol('clients')
export const faultsLane = Symbol('faults')
export const everyLane = Symbol('every')
export type Lane = string | typeof clientsLane | typeof faultsLane | typeof everyLane

export interface Row {
  readonly at: number
  /** Of the middle of its first line of text. */
  y: number
  height: number
  readonly events: { readonly event: TraceEvent; readonly lane: Lane }[]
}

/** A wait that is not drawn to scale, or events that are not drawn. */
export interface Break {
  readonly y: number
  /** Milliseconds of the world that are cut out; 0 if only events are. */
  readonly millis: number
  readonly skipped: number
}

export interface Layout {
  readonly rows: readonly Row[]
  readonly breaks: readonly Break[]
  readonly bottom: number
  /** The row of an event that is drawn. */
  readonly rowOf: ReadonlyMap<TraceEvent, Row>
}

const heights = { text: 21, low: 28, thin: 9, break: 22 } as const
/** What a wait may take at most before it is cut, and what the usual one takes. */
const longestWait = 30
const usualWait = 5
/** Boxes of the log beside each other. */
const mostBoxes = 3
/** Fewer events that are not drawn are not marked at their place. */
const leastSkipped = 10

export const laneOf = (event: TraceEvent): Lane => {
  switch (event.type) {
    case 'sent':
    case 'lost':
      return event.from
    case 'received':
      return event.to
    case 'fault':
    case 'healed':
      return faultsLane
    case 'invoked':
    case 'returned':
      return clientsLane
    case 'violation':
      return everyLane
    case 'marked':
      return event.node ?? faultsLane
    default:
      return event.node
  }
}

const isBox = (type: TraceEvent['type']): boolean => type === 'appended' || type === 'decided'

/** Whether the words of a message stand below its line, since it comes from where they are, or goes there. */
export const isLow = (event: TraceEvent, order: ReadonlyMap<string, number>): boolean => {
  if (event.type === 'lost') return true
  return event.type === 'received' && (order.get(event.from) ?? 0) > (order.get(event.to) ?? 0)
}

/** Whether `event` may stand in `row` beside what is there. */
const fits = (row: Row, event: TraceEvent, lane: Lane, order: ReadonlyMap<string, number>): boolean => {
  if (row.at !== event.at || event.type === 'violation') return false
  if (event.type === 'received' || event.type === 'lost')
    return !row.events.some((other) => other.lane === lane || ('id' in other.event && other.event.id === event.id))
  const mine = row.events.filter((other) => other.lane === lane)
  // What goes to the right would go through the words that stand there.
  if (event.type === 'sent')
    return (
      (order.get(event.to) ?? 0) < (order.get(event.from) ?? 0) || mine.every((other) => other.event.type === 'sent')
    )
  if (mine.length === 0) return true
  return isBox(event.type) && mine.length < mostBoxes && mine.every((other) => other.event.type === event.type)
}

/** Pixels per millisecond, so that the usual wait is seen as one. */
const scaleOf = (drawn: readonly Drawn[]): number => {
  const waits: number[] = []
  for (const [index, { event }] of drawn.entries()) {
    const wait = event.at - (drawn[index - 1]?.event.at ?? event.at)
    if (wait > 0) waits.push(wait)
  }
  waits.sort((a, b) => a - b)
  return usualWait / (waits[Math.floor(waits.length / 2)] ?? 1)
}

const collect = (
  drawn: readonly Drawn[],
  order: ReadonlyMap<string, number>,
): { readonly row: Row; skipped: number }[] => {
  const rows: { readonly row: Row; skipped: number }[] = []
  for (const { event, skipped } of drawn) {
    const lane = laneOf(event)
    const last = rows.at(-1)
    const height = event.type === 'sent' ? heights.thin : isLow(event, order) ? heights.low : heights.text
    if (last !== undefined && skipped < leastSkipped && fits(last.row, event, lane, order)) {
      last.row.events.push({ event, lane })
      last.row.height = Math.max(last.row.height, height)
    } else rows.push({ row: { at: event.at, y: 0, height, events: [{ event, lane }] }, skipped })
  }
  return rows
}

/**
 * @param top where the first row stands.
 * @param order of the nodes' lines, from left to right.
 */
export const layRows = (drawn: readonly Drawn[], top: number, order: ReadonlyMap<string, number>): Layout => {
  const scale = scaleOf(drawn)
  const breaks: Break[] = []
  const rowOf = new Map<TraceEvent, Row>()
  const collected = collect(drawn, order)
  let y = top
  let before: number | undefined
  for (const { row, skipped } of collected) {
    const wait = row.at - (before ?? row.at)
    const long = wait * scale > longestWait
    if (long || skipped >= leastSkipped) {
      breaks.push({ y: y + heights.break / 2 - heights.text / 2, millis: long ? wait : 0, skipped })
      y += heights.break
    } else y += wait * scale
    row.y = y
    y += row.height
    before = row.at
    for (const { event } of row.events) rowOf.set(event, row)
  }
  return { rows: collected.map(({ row }) => row), breaks, bottom: y, rowOf }
}

/** Where an event that may not be drawn would stand: at the next row that is not before it. */
export const yAt = (rows: readonly Row[], at: number): number => {
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((rows[middle]?.at ?? 0) < at) low = middle + 1
    else high = middle
  }
  return (rows[low] ?? rows.at(-1))?.y ?? 0
}
