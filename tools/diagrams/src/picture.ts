import type { NodeId } from '@conclave/interface'
import { styleSheet } from '../../../packages/simulator/src/diagram/style.ts'
import { element, escaped, line, rect, text } from '../../../packages/simulator/src/diagram/svg.ts'
import { arrow, drawMessage, label, labelAlong } from './arrows.ts'
import { clientX, firstX, Layout, type Picture, top } from './layout.ts'
import { flightMillis, type Moment, type Note } from './rehearsal.ts'

/** Does a message arrive where a note would stand? */
const comesFromLeft = (node: NodeId, at: number, layout: Layout): boolean =>
  layout.picture.moments.some(
    (moment) =>
      moment.type === 'message' &&
      moment.to === node &&
      moment.at + flightMillis === at &&
      layout.x(moment.from) < layout.x(node),
  )

const drawNote = ({ type, node, at, words }: Note, layout: Layout): string => {
  const [x, y] = [layout.x(node), layout.y(at)]
  const beside = (shown: string, style: string, lift = 0): string =>
    node === layout.picture.columns.at(-1)
      ? label(x + 10, y + 4 - lift, shown, style)
      : label(x - 10, y + 4 - lift, shown, `${style} end`)
  const asked = { x1: clientX, y1: y - 14, x2: x, y2: y }
  const told = { x1: x, y1: y, x2: clientX, y2: y + 14 }
  switch (type) {
    case 'asked':
      return arrow('elect', asked) + labelAlong(asked, words, 'above')
    case 'told':
      return arrow('elect', told) + labelAlong(told, words, 'below')
    case 'dies':
      return text('text violation strong middle', x, y + 5, '✕') + beside(words, 'violation')
    case 'decides':
      return beside(`decides ${words}`, 'leads strong', comesFromLeft(node, at, layout) ? -12 : 9)
    case 'role':
      return beside(words, 'campaigns strong')
  }
}

const draw = (moment: Moment, layout: Layout): string => {
  if (moment.type === 'message') return drawMessage(moment, layout)
  if (moment.type !== 'written') return drawNote(moment, layout)
  const y = layout.y(moment.from)
  return rect('fault', layout.x(moment.node) - 4, y, 8, layout.y(moment.at) - y, 2)
}

const lifelines = (layout: Layout): string[] => {
  const { columns, moments } = layout.picture
  const nodes = columns.map((name) => {
    const death = moments.find(({ type, ...moment }) => type === 'dies' && 'node' in moment && moment.node === name)
    return { name: String(name), x: layout.x(name), end: death === undefined ? layout.bottom : layout.y(death.at) }
  })
  return [{ name: 'client', x: clientX, end: layout.bottom }, ...nodes].map(
    ({ name, x, end }) => text('text node middle', x, top - 18, name) + line('line rule', x, top - 8, x, end),
  )
}

/** Lifelines from top to bottom; what is drawn is what happened. */
export const drawPicture = (picture: Picture): string => {
  const layout = new Layout(picture)
  const { width, bottom, gaps } = layout
  const height = bottom + 38
  const content = [
    element('title', {}, escaped(picture.title)),
    element('style', {}, styleSheet()),
    rect('paper', 0, 0, width, height),
    ...lifelines(layout),
    ...gaps.map(({ y, millis }) => label(firstX + 12, y + 4, `${millis} ms pass`, 'faint')),
    ...picture.moments.map((moment) => draw(moment, layout)),
    rect('fault', firstX - 4, bottom + 14, 8, 12, 2),
    text('text faint', firstX + 10, bottom + 24, 'being written to disk; what has to wait for it leaves at its end'),
  ]
  const viewBox = `0 0 ${width} ${height}`
  return `${element('svg', { xmlns: 'http://www.w3.org/2000/svg', viewBox, width, height, role: 'img' }, content)}\n`
}
