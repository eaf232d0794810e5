import type { NodeId } from '@conclave/interface'
import { styleSheet } from '../../../packages/simulator/src/diagram/style.ts'
import { element, escaped, line, rect, text } from '../../../packages/simulator/src/diagram/svg.ts'
import { actors, flightMillis, type Message, type Moment, type Note } from './rehearsal.ts'

export interface Picture {
  readonly title: string
  readonly moments: readonly Moment[]
}

const clientX = 50
const firstX = 200
const columnWidth = 270
const top = 46
const longest = 34
/** Milliseconds. */
const longGap = 40
const width = firstX + 2 * columnWidth + 190

const xOf = (node: NodeId): number => firstX + actors.indexOf(node) * columnWidth

interface Timeline {
  y(at: number): number
  /** Where much time passes and nothing is shown. */
  readonly gaps: readonly { readonly y: number; readonly millis: number }[]
}

const timesOf = (moment: Moment): readonly number[] => {
  if (moment.type === 'message') return [moment.at, moment.at + flightMillis]
  return moment.type === 'written' ? [moment.from, moment.at] : [moment.at]
}

const timelineOf = (moments: readonly Moment[]): Timeline => {
  const rows = [...new Set(moments.flatMap(timesOf))].sort((a, b) => a - b)
  const ys = new Map<number, number>()
  const gaps: { y: number; millis: number }[] = []
  let y = top + 14
  for (const [index, at] of rows.entries()) {
    const millis = at - (rows[index - 1] ?? at)
    const step = index === 0 ? 0 : Math.min(longest, Math.max(15, millis * 4))
    if (millis > longGap) gaps.push({ y: y + step / 2, millis })
    y += step
    ys.set(at, y)
  }
  return { y: (at) => ys.get(at) ?? y, gaps }
}

const arrowHead = (style: string, x: number, y: number, fromX: number, fromY: number): string => {
  const angle = (Math.atan2(y - fromY, x - fromX) * 180) / Math.PI
  return element('path', {
    class: style,
    d: 'M0 0L-8 -3.5L-8 3.5Z',
    transform: `translate(${x} ${y}) rotate(${angle.toFixed(1)})`,
  })
}

const arrow = (style: string, head: string, x1: number, y1: number, x2: number, y2: number): string =>
  line(`line ${style}`, x1, y1, x2, y2) + arrowHead(head, x2, y2, x1, y1)

const label = (x: number, y: number, words: string, style = ''): string => text(`text halo ${style}`, x, y, words)

/** Along an arrow, above it or below. */
const labelOn = (x1: number, y1: number, x2: number, y2: number, words: string, below: boolean): string => {
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2]
  const angle = (Math.atan((y2 - y1) / (x2 - x1)) * 180) / Math.PI
  const transform = `translate(${x} ${y.toFixed(1)}) rotate(${angle.toFixed(1)})`
  return element('g', { transform }, label(0, below ? 12 : -4, words, 'middle'))
}

/** The others that say the same at the same time: to more nodes, or to the same one. */
const alike = (one: Message, moments: readonly Moment[]): readonly Message[] =>
  moments.filter(
    (other): other is Message =>
      other.type === 'message' &&
      other !== one &&
      other.at === one.at &&
      other.words === one.words &&
      (other.from === one.from || other.to === one.to),
  )

const reachOf = ({ from, to }: Message): number => Math.abs(xOf(from) - xOf(to))

/** The head of one is where the other begins. */
const meets = (one: Moment, other: Message): boolean =>
  one.type === 'message' && one.to === other.from && one.at + flightMillis === other.at

/** What several say, or are told, is written once, at the shortest of the arrows. */
const drawMessage = (message: Message, moments: readonly Moment[], y: (at: number) => number): string => {
  const [x1, x2] = [xOf(message.from), xOf(message.to)]
  const [y1, y2] = [y(message.at), y(message.at + flightMillis)]
  const drawn = arrow('carry', 'carry-head', x1, y1, x2, y2)
  const others = alike(message, moments)
  if (others.some((other) => reachOf(other) < reachOf(message))) return drawn
  const below = others.some(({ from }) => from === message.from) || moments.some((other) => meets(other, message))
  return drawn + labelOn(x1, y1, x2, y2, message.words, below)
}

const drawNote = ({ type, node, words }: Note, y: number): string => {
  const x = xOf(node)
  const beside = (shown: string, style: string, lift = 0): string =>
    node === actors.at(-1)
      ? label(x + 10, y + 4 - lift, shown, style)
      : label(x - 10, y + 4 - lift, shown, `${style} end`)
  switch (type) {
    case 'asked':
      return arrow('elect', 'elect-head', clientX, y - 14, x, y) + labelOn(clientX, y - 14, x, y, words, false)
    case 'told':
      return arrow('elect', 'elect-head', x, y, clientX, y + 14) + labelOn(x, y, clientX, y + 14, words, true)
    case 'dies':
      return text('text violation strong middle', x, y + 5, '✕') + beside(words, 'violation')
    case 'decides':
      return beside(`decides ${words}`, 'leads strong', 9)
    case 'role':
      return beside(words, 'campaigns strong')
  }
}

const draw = (moment: Moment, moments: readonly Moment[], y: (at: number) => number): string => {
  if (moment.type === 'message') return drawMessage(moment, moments, y)
  if (moment.type !== 'written') return drawNote(moment, y(moment.at))
  return rect('fault', xOf(moment.node) - 4, y(moment.from), 8, y(moment.at) - y(moment.from), 2)
}

const lifelines = (moments: readonly Moment[], y: (at: number) => number, bottom: number): string[] => {
  const dead = new Map(
    moments.flatMap((moment) => (moment.type === 'dies' ? [[moment.node, y(moment.at)] as const] : [])),
  )
  const columns = [
    { name: 'client', x: clientX, end: bottom },
    ...actors.map((id) => ({ name: id, x: xOf(id), end: dead.get(id) ?? bottom })),
  ]
  return columns.map(
    ({ name, x, end }) => text('text node middle', x, top - 18, name) + line('line rule', x, top - 8, x, end),
  )
}

/** Lifelines from top to bottom, time in the same direction; what is drawn is what happened. */
export const picture = ({ title, moments }: Picture): string => {
  const { y, gaps } = timelineOf(moments)
  const bottom = y(Math.max(...moments.flatMap(timesOf))) + 20
  const height = bottom + 38
  const content = [
    element('title', {}, escaped(title)),
    element('style', {}, styleSheet()),
    rect('paper', 0, 0, width, height),
    ...lifelines(moments, y, bottom),
    ...gaps.map((gap) => label(xOf(actors[0] ?? ('' as NodeId)) + 12, gap.y + 4, `${gap.millis} ms pass`, 'faint')),
    ...moments.map((moment) => draw(moment, moments, y)),
    rect('fault', firstX - 4, bottom + 14, 8, 12, 2),
    text('text faint', firstX + 10, bottom + 24, 'being written to disk; what has to wait for it leaves at its end'),
  ]
  return `${element('svg', { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img' }, content)}\n`
}
