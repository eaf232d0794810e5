import type { Time } from './model.ts'
import type { Window, WindowCall } from './window.ts'

/** Where a call is drawn. Columns count characters. */
export interface Bar {
  readonly lane: number
  readonly from: number
  /** Exclusive. */
  readonly to: number
  /** Its outcome is unknown: it has no end. */
  readonly open: boolean
  readonly stuck: boolean
  readonly text: string
}

export interface Lane {
  /** The client, on its first lane; it has more if its calls overlap. */
  readonly label: string
}

export interface Layout {
  readonly lanes: readonly Lane[]
  readonly bars: readonly Bar[]
  /** Times to write below, by column, so that they do not overlap. */
  readonly ticks: readonly { readonly column: number; readonly text: string }[]
  readonly width: number
  /** What has to be added to the ticks; undefined: they are the times themselves. */
  readonly origin: Time | undefined
}

/** Longer texts are cut. */
const maxText = 48
/** Between the ends of the text and of the bar. */
const padding = 2
const gap = 1
/** Between two times. */
const least = 3
const openTail = 4
/** A time of more characters is told from the first one on. */
const maxTimeText = 7

const cut = (text: string, most: number): string => {
  const points = Array.from(text)
  return points.length <= most ? text : `${points.slice(0, most - 1).join('')}…`
}

const compare = (a: Time, b: Time): number => (a < b ? -1 : a > b ? 1 : 0)

interface Span {
  readonly call: WindowCall<unknown, unknown>
  /** Indices of times. */
  readonly from: number
  readonly to: number
  readonly text: string
}

const textOf = (text: string): string => cut(text.replace(/\s+/gu, ' '), maxText)

const lengthOf = (text: string): number => Array.from(text).length

/** Every distinct time gets a column, and there is one more for the end, such that all texts fit into their bars. */
const columnsOf = (count: number, spans: readonly Span[]): readonly number[] => {
  const columns = [0]
  for (let at = 1; at <= count; at++) {
    let column = (columns[at - 1] as number) + least
    for (const { from, to, text } of spans) {
      // A call that took no time ends before the next column, any other one at its own.
      if (Math.max(to, from + 1) !== at) continue
      column = Math.max(column, (columns[from] as number) + lengthOf(text) + padding + (to === from ? gap : 0))
    }
    columns.push(column)
  }
  return columns
}

/** Clients in the order in which they appear, each with as many lanes as it has calls at once. */
const lanesOf = (spans: readonly Span[]): { lanes: readonly Lane[]; laneOf: ReadonlyMap<Span, number> } => {
  const clients = new Map<string, Span[][]>()
  for (const span of spans) {
    const client = String(span.call.operation.client)
    const lanes = clients.get(client) ?? []
    clients.set(client, lanes)
    const free = lanes.find((lane) => (lane.at(-1)?.to ?? 0) < span.from)
    if (free === undefined) lanes.push([span])
    else free.push(span)
  }
  const lanes: Lane[] = []
  const laneOf = new Map<Span, number>()
  for (const [client, rows] of clients) {
    rows.forEach((row, index) => {
      for (const span of row) laneOf.set(span, lanes.length)
      lanes.push({ label: index === 0 ? textOf(`client ${client}`) : '' })
    })
  }
  return { lanes, laneOf }
}

const ticksOf = (times: readonly Time[], columns: readonly number[]): Pick<Layout, 'ticks' | 'origin'> => {
  const [origin] = times
  const relative = times.some((time) => String(time).length > maxTimeText)
  const ticks: { column: number; text: string }[] = []
  let free = 0
  times.forEach((time, at) => {
    const column = columns[at] as number
    if (column < free) return
    const text = relative && origin !== undefined ? `+${since(origin, time)}` : String(time)
    free = column + text.length + 1
    ticks.push({ column, text })
  })
  return { ticks, origin: relative ? origin : undefined }
}

const since = (origin: Time, time: Time): string => {
  if (typeof origin === 'bigint' && typeof time === 'bigint') return String(time - origin)
  const difference = Number(time) - Number(origin)
  return String(Number(difference.toPrecision(12)))
}

/** Lanes of clients over an axis of time that is as long as the texts need, in which only the order is true. */
export const layout = ({ calls }: Window<unknown, unknown>): Layout => {
  const times = calls.flatMap(({ operation: { invoked, returned } }) =>
    returned === undefined ? [invoked] : [invoked, returned],
  )
  times.sort(compare)
  const distinct = times.filter((time, at) => at === 0 || compare(times[at - 1] as Time, time) !== 0)
  const indexOf = (time: Time): number => distinct.findIndex((other) => compare(other, time) === 0)
  const end = distinct.length
  const spans = calls.map((call): Span => {
    const { invoked, returned } = call.operation
    return {
      call,
      from: indexOf(invoked),
      to: returned === undefined ? end : indexOf(returned),
      text: textOf(call.text),
    }
  })
  const columns = columnsOf(end, spans)
  const { lanes, laneOf } = lanesOf(spans)
  const width = (columns[end] as number) + openTail
  const bars = spans.map((span): Bar => {
    const { from, to, text, call } = span
    const open = call.operation.returned === undefined
    const start = columns[from] as number
    const until = to === from ? start + lengthOf(text) + padding : (columns[to] as number) + 1
    return { lane: laneOf.get(span) as number, from: start, to: open ? width : until, open, stuck: call.stuck, text }
  })
  return { lanes, bars, ...ticksOf(distinct, columns), width }
}
