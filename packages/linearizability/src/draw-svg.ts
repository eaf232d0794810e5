import { captionsOf } from './captions.ts'
import { type Bar, type Layout, layout } from './layout.ts'
import { wrap } from './sentences.ts'
import type { Window } from './window.ts'

// Pixels. The font is monospaced, and no common one is wider than this.
const character = 7.3
const fontSize = 12
const line = 18
const lane = 40
const barHeight = 26
const margin = 20
const leastColumns = 84

/** Also what no XML document may hold at all. */
const escapeText = (text: string): string =>
  text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\u{fffd}')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')

const round = (pixels: number): number => Math.round(pixels * 10) / 10

const styles = `
  .page { fill: #ffffff }
  text { font: ${fontSize}px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #1f2328 }
  .title { font-weight: bold }
  .faint { fill: #59636e }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .bar { fill: #ddf4ff; stroke: #0969da; stroke-width: 1.2 }
  .open { fill: #fff8c5; stroke: #9a6700; stroke-dasharray: 4 3 }
  .stuck { fill: #ffebe9; stroke: #cf222e; stroke-width: 2 }
  .wall { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 5 4 }
  .why, .cross { fill: #cf222e }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 }
    text { fill: #e6edf3 }
    .faint { fill: #9198a1 }
    .grid { stroke: #30363d }
    .bar { fill: #10243f; stroke: #4493f8 }
    .open { fill: #2b230b; stroke: #d29922 }
    .stuck { fill: #3c1618; stroke: #f85149 }
    .wall { stroke: #f85149 }
    .why, .cross { fill: #ff8e86 }
  }
`

interface Frame {
  /** Of column 0. */
  readonly left: number
  /** Of the first lane. */
  readonly top: number
  readonly bottom: number
}

const xOf = (frame: Frame, column: number): number => round(frame.left + column * character)

const drawText = (x: number, y: number, text: string, style = ''): string =>
  `<text x="${round(x)}" y="${round(y)}"${style === '' ? '' : ` class="${style}"`}>${escapeText(text)}</text>`

/** An open bar has no right side: it goes on. */
const outline = (x: number, y: number, width: number, open: boolean): string => {
  const end = round(x + width)
  const bottom = y + barHeight
  if (!open) return `M${x} ${y}H${end}V${bottom}H${x}Z`
  const tip = round(end + 9)
  return `M${end} ${y}H${x}V${bottom}H${end}L${tip} ${y + barHeight / 2}Z`
}

/** A closed bar ends on the line of its time; in characters it also fills the column of that. */
const endOf = ({ to, open }: Bar): number => (open ? to : to - 1)

const drawBar = (frame: Frame, bar: Bar): readonly string[] => {
  const x = xOf(frame, bar.from)
  const y = frame.top + bar.lane * lane + (lane - barHeight) / 2
  const style = `bar${bar.open ? ' open' : ''}${bar.stuck ? ' stuck' : ''}`
  const shape = outline(x, y, xOf(frame, endOf(bar)) - x, bar.open)
  const label = drawText(x + 0.7 * character, y + barHeight / 2 + 4, bar.text)
  if (!bar.stuck) return [`<path class="${style}" d="${shape}"/>`, label]
  const cross = drawText(xOf(frame, endOf(bar)) + 6, y + barHeight / 2 + 4, '✗', 'cross')
  return [`<path class="${style}" d="${shape}"/>`, label, cross]
}

const drawGrid = (frame: Frame, { lanes, ticks, width, origin }: Layout): readonly string[] => {
  const parts = ticks.map(({ column }) => {
    const x = xOf(frame, column)
    return `<line class="grid" x1="${x}" y1="${frame.top}" x2="${x}" y2="${frame.bottom}"/>`
  })
  const end = xOf(frame, width) + 10
  parts.push(`<line class="grid" x1="${frame.left}" y1="${frame.bottom}" x2="${end}" y2="${frame.bottom}"/>`)
  for (const { column, text } of ticks) parts.push(drawText(xOf(frame, column), frame.bottom + 16, text, 'faint'))
  lanes.forEach(({ label }, index) => {
    if (label !== '') parts.push(drawText(margin, frame.top + index * lane + lane / 2 + 4, label))
  })
  parts.push(drawText(margin, frame.bottom + 16, 'time', 'faint'))
  if (origin !== undefined) parts.push(drawText(margin, frame.bottom + 34, `Times count from ${origin}.`, 'faint'))
  return parts
}

/**
 * A window as an SVG document that stands alone: a lane for each client, time to the right (its order is true, its lengths are not), bars that open to the
 * right where the outcome is unknown, a line where no order gets any further, and why. Light or dark, as the reader prefers. All text is escaped.
 */
export const drawSvg = (window: Window<unknown, unknown>): string => {
  const plan = layout(window)
  const { title, notes } = captionsOf(window)
  const labels = Math.max(...plan.lanes.map(({ label }) => Array.from(label).length), 'time'.length) + 2
  const columns = Math.max(leastColumns, labels + plan.width + 4)
  const width = Math.ceil(2 * margin + columns * character)
  const head = [...wrap(title, columns), ...notes.flatMap((note) => wrap(note, columns))]
  const top = margin + head.length * line + 14
  const bottom = top + plan.lanes.length * lane + 4
  const frame = { left: round(margin + labels * character), top, bottom }
  const why = wrap(window.why, columns)
  const whyTop = bottom + 16 + line * (plan.origin === undefined ? 1.5 : 2.5)
  const height = Math.ceil(whyTop + (why.length - 1) * line + margin)
  const stuck = plan.bars.find((bar) => bar.stuck)
  const wall = xOf(frame, stuck === undefined ? plan.width : endOf(stuck))
  const body = [
    `<rect class="page" width="${width}" height="${height}"/>`,
    ...head.map((text, at) => drawText(margin, margin + 10 + at * line, text, at === 0 ? 'title' : 'faint')),
    ...drawGrid(frame, plan),
    `<line class="wall" x1="${wall}" y1="${top - 4}" x2="${wall}" y2="${bottom}"/>`,
    ...plan.bars.flatMap((bar) => drawBar(frame, bar)),
    ...why.map((text, at) => drawText(margin, whyTop + at * line, text, 'why')),
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escapeText(title)}</title>
<desc>${escapeText(window.why)}</desc>
<style>${styles}</style>
${body.join('\n')}
</svg>
`
}
