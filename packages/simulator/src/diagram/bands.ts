/** What lasts: faults as bars at the right edge and a tint over the nodes that they hit, calls of clients as bars at the left. */
import type { TraceEvent } from '../trace.ts'
import { beforeLine, type Frame } from './frame.ts'
import { type Layout, yAt } from './rows.ts'
import { element, escaped, line, rect } from './svg.ts'

interface Span {
  readonly key: string
  readonly title: string
  readonly nodes: readonly string[]
  readonly from: number
  to: number
  /** It had not ended when the story did. */
  open: boolean
}

const lasting = new Set<string>([
  'partition',
  'isolate',
  'one-way',
  'weather',
  'pause',
  'disk-stall',
  'disk-full',
  'disk-fails',
  'coup',
])

const yOf = (event: TraceEvent, layout: Layout): number => layout.rowOf.get(event)?.y ?? yAt(layout.rows, event.at)

const close = (spans: readonly Span[], key: string, y: number): boolean => {
  const span = spans.find((other) => other.key === key && other.open)
  if (span === undefined) return false
  span.to = y
  span.open = false
  return true
}

/** Faults that last, with what was under way before the story and what had not ended with it. */
const faultSpans = (
  before: readonly TraceEvent[],
  events: readonly TraceEvent[],
  layout: Layout,
  top: number,
): Span[] => {
  const spans: Span[] = []
  const take = (event: TraceEvent, y: number): void => {
    if (event.type === 'healed') for (const { key } of spans) close(spans, key, y)
    if (event.type !== 'fault') return
    const key = String(event.id)
    if (event.ends) close(spans, key, y)
    else if (lasting.has(event.fault))
      spans.push({ key, title: event.what, nodes: event.nodes, from: y, to: layout.bottom, open: true })
  }
  for (const event of before) take(event, top)
  for (const event of events) take(event, yOf(event, layout))
  return spans.filter((span) => span.to > span.from)
}

const callSpans = (events: readonly TraceEvent[], layout: Layout): Span[] => {
  const spans: Span[] = []
  for (const event of events) {
    if (event.type !== 'invoked' && event.type !== 'returned') continue
    const key = `${event.client}/${event.operation}`
    if (event.type === 'returned') close(spans, key, yOf(event, layout))
    else if (layout.rowOf.has(event)) {
      const y = yOf(event, layout)
      spans.push({
        key,
        title: `client ${event.client}: ${event.what}`,
        nodes: [],
        from: y,
        to: layout.bottom,
        open: true,
      })
    }
  }
  return spans
}

/** Tracks beside each other, so that bars that overlap in time do not overlap on paper. */
const tracks = (spans: readonly Span[], most: number): { readonly span: Span; readonly track: number }[] => {
  const ends: number[] = []
  return spans.map((span) => {
    let track = ends.findIndex((end) => end < span.from)
    if (track === -1) track = Math.min(ends.length, most - 1)
    ends[track] = Math.max(span.to, ends[track] ?? 0)
    return { span, track }
  })
}

const mostTracks = 5
const trackWidth = 8

export interface Bands {
  readonly tints: string[]
  readonly bars: string[]
  /** Pixels that the bars take before the words beside them. */
  readonly faultsTaken: number
  readonly callsTaken: number
}

const bar = (style: string, x: number, { from, to, open, title }: Span): string =>
  element('g', {}, [
    element('title', {}, escaped(title)),
    line(`line ${style}${open ? ' open' : ''}`, x, from - 4, x, Math.max(to, from + 4)),
  ])

export const bandsOf = (
  before: readonly TraceEvent[],
  events: readonly TraceEvent[],
  frame: Frame,
  layout: Layout,
  top: number,
): Bands => {
  const faults = tracks(faultSpans(before, events, layout, top), mostTracks)
  const calls = tracks(callSpans(events, layout), mostTracks)
  const used = (of: readonly { readonly track: number }[]): number =>
    of.length === 0 ? 0 : (Math.max(...of.map(({ track }) => track)) + 1) * trackWidth + 4
  return {
    tints: faults.flatMap(({ span }) =>
      span.nodes.flatMap((node) => {
        const x = frame.lines.get(node)
        return x === undefined
          ? []
          : rect('tint', x - beforeLine + 3, span.from, frame.lane - 6, span.to - span.from, 3)
      }),
    ),
    bars: [
      ...faults.map(({ span, track }) => bar('bar', frame.faults.left + 4 + track * trackWidth, span)),
      ...calls.map(({ span, track }) => bar('call', frame.clients.left + 4 + track * trackWidth, span)),
    ],
    faultsTaken: used(faults),
    callsTaken: used(calls),
  }
}
