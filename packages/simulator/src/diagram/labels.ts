/** Words beside the lines. Every event has a row of its own in its lane, so words cannot run into each other; what is too long is cut. */
import type { TraceEvent } from '../trace.ts'
import { cut, millis, plain } from '../words.ts'
import { type BoxStyle, box, boxRoom } from './boxes.ts'
import { type Frame, wordsIn } from './frame.ts'
import type { Box } from './lives.ts'
import { isLow, type Layout, type Row } from './rows.ts'
import { text, textWidth } from './svg.ts'
import { wordsOf } from './words-of-event.ts'

const boxStyle = (type: TraceEvent['type']): BoxStyle | undefined =>
  type === 'appended' || type === 'decided' || type === 'truncated' ? type : undefined

export interface Labelling {
  readonly frame: Frame
  readonly boxes: ReadonlyMap<TraceEvent, readonly Box[]>
  readonly callsTaken: number
  readonly faultsTaken: number
}

/** Boxes as long as there is room; then how many more there are. */
const boxRow = (
  boxes: readonly Box[],
  style: BoxStyle,
  x: number,
  y: number,
  room: number,
): { drawing: string; x: number } => {
  let left = x
  let drawing = ''
  for (const [index, one] of boxes.entries()) {
    const rest = boxes.length - index
    const taken = boxRoom(one)
    if (left + taken + (rest > 1 ? 24 : 0) > x + room && index > 0) {
      return { drawing: drawing + text('text small faint halo', left, y + 3.5, `+${rest}`), x: left + 24 }
    }
    drawing += box(one, style, left, y)
    left += taken
  }
  return { drawing, x: left }
}

const labelRow = (row: Row, { frame, boxes, callsTaken, faultsTaken }: Labelling): string => {
  const drawn: string[] = []
  /** How far boxes of this row have come, by lane. */
  const taken = new Map<unknown, number>()
  for (const { event, lane } of row.events) {
    const { x, room } = wordsIn(frame, lane)
    const style = boxStyle(event.type)
    if (style !== undefined) {
      const left = taken.get(lane) ?? x
      const made = boxRow(boxes.get(event) ?? [], style, left, row.y, x + room - left)
      taken.set(lane, made.x)
      drawn.push(made.drawing)
      continue
    }
    const label = wordsOf(event)
    if (label === undefined) continue
    const beside =
      event.type === 'fault' || event.type === 'healed'
        ? faultsTaken
        : event.type === 'invoked' || event.type === 'returned'
          ? callsTaken
          : 0
    const words = plain(label.words)
    const most = Math.floor((room - beside) / textWidth('x'))
    drawn.push(
      text(
        `text halo ${label.style}`.trimEnd(),
        x + beside,
        row.y + (isLow(event, frame.lines) ? 14 : 4),
        cut(words, most),
        words,
      ),
    )
  }
  return drawn.join('')
}

/** Times at the left edge, as many as there is room for. */
const times = ({ rows, breaks }: Layout, right: number): string[] => {
  const drawn: string[] = []
  let free = Number.NEGATIVE_INFINITY
  let told: number | undefined
  for (const { at, y } of rows) {
    if (y < free || at === told) continue
    drawn.push(text('text small faint end', right, y + 3.5, millis(at)))
    free = y + 13
    told = at
  }
  for (const { y, millis: waited, skipped } of breaks) {
    const words = waited > 0 ? `⋮ ${waited >= 10 ? Math.round(waited) : millis(waited)} ms` : '⋮'
    drawn.push(
      text('text small faint end', right, y + 3.5, words, skipped > 0 ? `${skipped} events left out` : undefined),
    )
  }
  return drawn
}

export const labels = (layout: Layout, labelling: Labelling): string[] => [
  ...times(layout, labelling.frame.time),
  ...layout.rows.map((row) => labelRow(row, labelling)),
]
