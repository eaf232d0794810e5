import { element, line, text } from '../../../packages/simulator/src/diagram/svg.ts'
import type { Layout } from './layout.ts'
import { flightMillis, type Message, type Moment, syncMillis } from './rehearsal.ts'

export interface Line {
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
}

export const label = (x: number, y: number, words: string, style = ''): string =>
  text(`text halo ${style}`, x, y, words)

/** @param kind a colour of the style sheet. */
export const arrow = (kind: string, { x1, y1, x2, y2 }: Line): string => {
  const angle = (Math.atan2(y2 - y1, x2 - x1) * 180) / Math.PI
  const transform = `translate(${x2} ${y2}) rotate(${angle.toFixed(1)})`
  const head = element('path', { class: `${kind}-head`, d: 'M0 0L-8 -3.5L-8 3.5Z', transform })
  return line(`line ${kind}`, x1, y1, x2, y2) + head
}

/** @param part of the way after which the middle of the words stands; above the line, or below. */
export const labelAlong = ({ x1, y1, x2, y2 }: Line, words: string, side: 'above' | 'below', part = 0.42): string => {
  const angle = (Math.atan((y2 - y1) / (x2 - x1)) * 180) / Math.PI
  const [x, y] = [x1 + part * (x2 - x1), y1 + part * (y2 - y1)]
  const transform = `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${angle.toFixed(1)})`
  return element('g', { transform }, label(0, side === 'below' ? 12 : -4, words, 'middle'))
}

const isMessage = (moment: Moment): moment is Message => moment.type === 'message'

/** Do both say the same at the same time: one node to several, or several to one? */
const alike = (one: Message, other: Message): boolean =>
  other !== one && other.at === one.at && other.words === one.words && (other.from === one.from || other.to === one.to)

/** Does `one` go the way of `other` right before it? */
const leads = (one: Message, other: Message): boolean =>
  one.from === other.from && one.to === other.to && one.at < other.at && other.at - one.at <= 2 * syncMillis

/** Does `one` arrive where and when `other` begins? */
const meets = (one: Message, other: Message): boolean => one.to === other.from && one.at + flightMillis === other.at

/** Do they go opposite ways at one time? */
const crosses = (one: Message, other: Message): boolean =>
  one.from === other.to && one.to === other.from && Math.abs(one.at - other.at) < flightMillis

/** Where there is room for the words. */
const sideOf = (message: Message, all: readonly Message[]): 'above' | 'below' => {
  if (all.some((other) => leads(message, other))) return 'above'
  if (all.some((other) => leads(other, message) || meets(other, message))) return 'below'
  return all.some((other) => alike(message, other) && other.from === message.from) ? 'below' : 'above'
}

/** What several say, or are told, is written once, at the shortest of the arrows. */
export const drawMessage = (message: Message, layout: Layout): string => {
  const all = layout.picture.moments.filter(isMessage)
  const reach = ({ from, to }: Message): number => Math.abs(layout.x(from) - layout.x(to))
  const way = {
    x1: layout.x(message.from),
    y1: layout.y(message.at),
    x2: layout.x(message.to),
    y2: layout.y(message.at + flightMillis),
  }
  if (all.some((other) => alike(message, other) && reach(other) < reach(message))) return arrow('carry', way)
  const part = all.some((other) => crosses(message, other)) ? 0.25 : undefined
  return arrow('carry', way) + labelAlong(way, message.words, sideOf(message, all), part)
}
