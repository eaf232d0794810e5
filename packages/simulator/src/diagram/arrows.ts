/** Messages: an arrow from where one was sent to where it arrived; a lost one ends in a cross on its way. */
import type { TraceEvent } from '../trace.ts'
import { millis, positionsCarried } from '../words.ts'
import type { Frame } from './frame.ts'
import type { Layout } from './rows.ts'
import type { Scene } from './scene.ts'
import { element, escaped } from './svg.ts'

export type MessageKind = 'elect' | 'carry' | 'reply' | 'other'

const kindOf = (what: string): MessageKind => {
  if (/vote|elect|campaign|prepare|promise|notification/i.test(what)) return 'elect'
  if (/\b(?:match|reply|replies|ack|acks|response|accepted)\b/i.test(what)) return 'reply'
  return positionsCarried(what) === undefined ? 'other' : 'carry'
}

/** How far a lost message comes, and how far down it points when it is lost at once. */
const lostAt = 0.6
const leastFall = 9
const head = { length: 9, half: 3.6 }

const arrowHead = (kind: MessageKind, x: number, y: number, fromX: number, fromY: number): string => {
  const length = Math.hypot(x - fromX, y - fromY) || 1
  const dx = (x - fromX) / length
  const dy = (y - fromY) / length
  const baseX = x - dx * head.length
  const baseY = y - dy * head.length
  const point = (px: number, py: number): string => `${px.toFixed(1)},${py.toFixed(1)}`
  const points = [
    point(x, y),
    point(baseX - dy * head.half, baseY + dx * head.half),
    point(baseX + dy * head.half, baseY - dx * head.half),
  ]
  return element('polygon', { class: `${kind}-head`, points: points.join(' ') })
}

const cross = (x: number, y: number): string =>
  element('path', { class: 'line cross', d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8` })

type End = TraceEvent & { readonly type: 'received' | 'lost' }

const arrow = (sent: TraceEvent, end: End, frame: Frame, { rowOf }: Layout): string => {
  const from = frame.lines.get(end.from)
  const to = frame.lines.get(end.to)
  const start = rowOf.get(sent)
  const stop = rowOf.get(end)
  if (from === undefined || to === undefined || start === undefined || stop === undefined) return ''
  const way = to > from ? 1 : -1
  const x1 = from + way * 3
  const kind = kindOf(end.what)
  const lost = end.type === 'lost'
  const x2 = lost ? Math.round(from + (to - from) * lostAt) : to - way * 4
  const y2 = lost ? Math.round(Math.max(stop.y, start.y + leastFall)) : stop.y
  const shaft = element('line', { class: `line ${lost ? 'lost' : kind}`, x1, y1: start.y, x2, y2 })
  const tip = lost ? cross(x2, y2) : arrowHead(kind, x2, y2, x1, start.y)
  const fate = lost ? 'lost' : `arrived at ${millis(end.at)} ms`
  const title = `${end.what}: ${end.from} to ${end.to}, sent at ${millis(sent.at)} ms, ${fate}`
  return element('g', {}, [element('title', {}, escaped(title)), shaft, tip])
}

export const arrows = (scene: Scene, frame: Frame, layout: Layout): string[] =>
  scene.drawn.map(({ event }) => {
    if (event.type !== 'received' && event.type !== 'lost') return ''
    const sent = scene.sent.get(event.id)
    return sent === undefined ? '' : arrow(sent, event, frame, layout)
  })
