/** What the signs of a diagram mean. */
import { box } from './boxes.ts'
import { element, line, rect, text, textWidth } from './svg.ts'

interface Item {
  readonly words: string
  readonly width: number
  readonly draw: (x: number, y: number) => string
}

const vertical =
  (style: string): Item['draw'] =>
  (x, y) =>
    line(`line ${style}`, x + 7, y - 8, x + 7, y + 8)
const sideways =
  (kind: string): Item['draw'] =>
  (x, y) =>
    line(`line ${kind}`, x, y, x + 20, y) +
    element('polygon', { class: `${kind}-head`, points: `${x + 26},${y} ${x + 18},${y - 3.6} ${x + 18},${y + 3.6}` })

const items: readonly Item[] = [
  { words: 'leads', width: 16, draw: vertical('leader') },
  { words: 'campaigns', width: 16, draw: vertical('candidate') },
  { words: 'follows', width: 16, draw: vertical('follower') },
  { words: 'dead', width: 16, draw: vertical('dead') },
  {
    words: 'paused',
    width: 16,
    draw: (x, y) =>
      element('rect', { class: 'line follower', x: x + 2, y: y - 8, width: 10, height: 16, style: 'fill:url(#hatch)' }),
  },
  { words: 'election', width: 32, draw: sideways('elect') },
  { words: 'entries', width: 32, draw: sideways('carry') },
  { words: 'reply', width: 32, draw: sideways('reply') },
  {
    words: 'lost',
    width: 32,
    draw: (x, y) =>
      line('line lost', x, y, x + 20, y) +
      element('path', { class: 'line cross', d: `M${x + 18} ${y - 4}l8 8m0 -8l-8 8` }),
  },
  {
    words: 'appended: position, [term]',
    width: 38,
    draw: (x, y) => box({ slot: 7, reign: '2' }, 'appended', x + 4, y),
  },
  { words: 'decided', width: 38, draw: (x, y) => box({ slot: 7, reign: '2' }, 'decided', x + 4, y) },
  { words: 'truncated', width: 38, draw: (x, y) => box({ slot: 7, reign: '2' }, 'truncated', x + 4, y) },
  { words: 'fault', width: 16, draw: (x, y) => line('line bar', x + 6, y - 8, x + 6, y + 8) },
  {
    words: 'time cut out',
    width: 24,
    draw: (x, y) => element('path', { class: 'line broken', d: `M${x + 1} ${y - 1}l14 -6M${x + 1} ${y + 7}l14 -6` }),
  },
]

/** @returns the drawing and its height. */
export const legend = (
  left: number,
  top: number,
  right: number,
): { readonly drawing: string; readonly height: number } => {
  const rowHeight = 24
  let x = left
  let y = top + rowHeight / 2
  const drawn: string[] = []
  for (const { words, width, draw } of items) {
    const taken = width + 4 + textWidth(words) + 20
    if (x + taken > right && x > left) {
      x = left
      y += rowHeight
    }
    drawn.push(draw(x, y), text('text faint', x + width + 4, y + 4, words))
    x += taken
  }
  const height = y + rowHeight / 2 - top
  return { drawing: rect('rule', left, top + height + 3, right - left, 1) + drawn.join(''), height: height + 8 }
}
