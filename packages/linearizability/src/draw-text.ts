import { captionsOf } from './captions.ts'
import { type Bar, type Layout, layout } from './layout.ts'
import { wrap } from './sentences.ts'
import type { Window } from './window.ts'

const leastWidth = 72

const put = (row: string[], at: number, text: string): void => {
  Array.from(text).forEach((character, index) => {
    row[at + index] = character
  })
}

const blank = (width: number): string[] => new Array<string>(width).fill(' ')

const drawBar = (row: string[], { from, to, open, stuck, text }: Bar): void => {
  for (let at = from; at < to; at++) row[at] = '─'
  row[from] = '├'
  row[to - 1] = open ? '→' : '┤'
  put(row, from + 1, text)
  if (stuck) row[to] = '✗'
}

const drawLanes = ({ lanes, bars, width }: Layout, labels: number): readonly string[] =>
  lanes.map(({ label }, lane) => {
    const row = blank(width)
    const mine = bars.filter((bar) => bar.lane === lane)
    for (const bar of mine) drawBar(row, bar)
    return `${label.padEnd(labels)}  ${row.join('')}`
  })

/**
 * A window as plain text, of lines that are as long as the window needs: a lane for each client, time to the right (its order is true, its lengths are not), an arrow where
 * the outcome is unknown, and a cross at the call that no order gets past.
 */
export const drawText = (window: Window<unknown, unknown>): string => {
  const plan = layout(window)
  const { title, notes } = captionsOf(window)
  const labels = Math.max(...plan.lanes.map(({ label }) => Array.from(label).length), 'time'.length)
  const axis = blank(plan.width)
  for (const { column, text } of plan.ticks) put(axis, column, text)
  const total = Math.max(leastWidth, labels + 2 + plan.width)
  const origin = plan.origin === undefined ? [] : [`Times count from ${plan.origin}.`]
  const lines = [
    ...wrap(title, total),
    ...wrap([...notes, ...origin].join(' '), total),
    '',
    ...drawLanes(plan, labels),
    `${'time'.padEnd(labels)}  ${axis.join('')}`,
    '',
    ...wrap(`✗ ${window.why}`, total),
  ]
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`
}
