/** The line of every node: thick while it leads, dashed while it campaigns, a gap while it is dead, hatched while it is paused. */
import type { TraceEvent } from '../trace.ts'
import type { Frame } from './frame.ts'
import type { Condition, Turn } from './lives.ts'
import { type Layout, yAt } from './rows.ts'
import { element, line, rect } from './svg.ts'

/** A turn that is not drawn itself shows at the next row. */
const yOf = (event: TraceEvent | undefined, layout: Layout, top: number): number =>
  event === undefined ? top : (layout.rowOf.get(event)?.y ?? yAt(layout.rows, event.at))

const stretch = (condition: Condition, x: number, from: number, to: number): string => {
  switch (condition) {
    case 'absent':
      return ''
    case 'paused':
      return element('rect', {
        class: 'line follower',
        fill: 'url(#hatch)',
        x: x - 5,
        y: from,
        width: 10,
        height: to - from,
        style: 'fill:url(#hatch)',
      })
    default:
      return line(`line ${condition}`, x, from, x, to)
  }
}

export const lifelines = (
  lives: ReadonlyMap<string, readonly Turn[]>,
  frame: Frame,
  layout: Layout,
  top: number,
): string[] => {
  const drawn: string[] = []
  for (const [node, turns] of lives) {
    const x = frame.lines.get(node)
    if (x === undefined) continue
    for (const [index, turn] of turns.entries()) {
      const next = turns[index + 1]
      const from = yOf(turn.event, layout, top)
      const to = next === undefined ? layout.bottom : yOf(next.event, layout, top)
      if (to > from) drawn.push(stretch(turn.condition, x, from, to))
      if (turn.event?.type === 'crashed' && layout.rowOf.has(turn.event))
        drawn.push(element('path', { class: 'line strike', d: `M${x - 5} ${from - 5}l10 10m0 -10l-10 10` }))
      if (turn.event?.type === 'started' && layout.rowOf.has(turn.event))
        drawn.push(line('line follower', x - 6, from, x + 6, from))
    }
  }
  return drawn
}

/** Stretches of time that are cut out: the lines are broken there. */
export const breakMarks = (
  lives: ReadonlyMap<string, readonly Turn[]>,
  frame: Frame,
  layout: Layout,
  top: number,
): string[] => {
  const begins = Array.from(frame.lines, ([node, x]) => {
    const first = lives.get(node)?.find(({ condition }) => condition !== 'absent')
    return { x, from: first === undefined ? Number.POSITIVE_INFINITY : yOf(first.event, layout, top) }
  })
  const mark = (x: number, y: number): string =>
    rect('paper', x - 7, y - 4, 14, 8) +
    element('path', { class: 'line broken', d: `M${x - 7} ${y - 1}l14 -6M${x - 7} ${y + 7}l14 -6` })
  return layout.breaks.flatMap(({ y }) => begins.filter(({ from }) => from < y).map(({ x }) => mark(x, y)))
}
