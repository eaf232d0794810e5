/** Small plots as SVG: a line for each engine, its name to the left, its figure to the right. */
import { element, escaped } from '@conclave/simulator'
import { colours } from './style.ts'

/** One engine in a plot. Values in the plot's own unit. */
export interface Line {
  readonly engine: string
  /** The engine's number in the comparison: decides colour and shape. */
  readonly at: number
  readonly value: number | undefined
  /** From here to there single figures lie. */
  readonly range?: readonly [least: number, most: number]
  /** The figure in words. */
  readonly words: string
}

export interface Plot {
  /** What it shows, for those who cannot see it. */
  readonly title: string
  /** Where a value stands, from 0 to 1. */
  readonly scale: (value: number) => number
  /** Values with a line of the grid. */
  readonly grid?: readonly number[]
  /** Bars begin at the left edge; dots stand alone. */
  readonly mark: 'bar' | 'dot'
  readonly lines: readonly Line[]
  /** Room for the names, in pixels; names that do not fit are cut. */
  readonly namesWidth?: number
  /** Room for the figures, in pixels. */
  readonly wordsWidth?: number
}

const width = 300
const lineHeight = 20
const usualNamesWidth = 56
const gap = 8
/** Pixels of a letter, about. */
const letterWidth = 6

const shapes: readonly ((x: number, y: number, style: string) => string)[] = [
  (cx, cy, style) => element('circle', { class: style, cx, cy, r: 4.5 }),
  (x, y, style) => element('rect', { class: style, x: x - 4, y: y - 4, width: 8, height: 8 }),
  (x, y, style) => element('path', { class: style, d: `M${x} ${y - 5}L${x + 5} ${y + 4}L${x - 5} ${y + 4}Z` }),
  (x, y, style) =>
    element('path', { class: style, d: `M${x} ${y - 5.5}L${x + 5.5} ${y}L${x} ${y + 5.5}L${x - 5.5} ${y}Z` }),
]

const oneDecimal = (value: number): number => Math.round(value * 10) / 10

/** The mark of an engine: shape and colour. */
export const markOf = (at: number, x: number, y: number): string =>
  shapes[at % shapes.length]?.(oneDecimal(x), oneDecimal(y), `e${at % colours}`) ?? ''

/** Names that are cut stand in full in the legend. */
const shortened = (name: string, room: number): string => {
  const longest = Math.floor(room / letterWidth)
  return name.length <= longest ? name : `${name.slice(0, longest - 1)}…`
}

const text = (style: string, x: number, y: number, words: string): string =>
  element('text', { class: style, x, y }, escaped(words))

const drawn = ({ scale, mark }: Plot, line: Line, y: number, left: number, room: number): string => {
  if (line.value === undefined) return ''
  const x = (value: number): number => left + Math.max(0, Math.min(1, scale(value))) * room
  const colour = line.at % colours
  const range =
    line.range === undefined
      ? ''
      : element('path', { class: `range thin l${colour}`, d: rangePath(x(line.range[0]), x(line.range[1]), y) })
  if (mark === 'dot') return range + markOf(line.at, x(line.value), y)
  const bar = element('rect', {
    class: `e${colour}`,
    x: left,
    y: y - 6,
    width: Math.max(1, x(line.value) - left),
    height: 12,
  })
  return bar + range
}

/** A line with a tick at its far end. */
const rangePath = (from: number, to: number, y: number): string =>
  `M${oneDecimal(from)} ${y}H${oneDecimal(to)}M${oneDecimal(to)} ${y - 4}V${y + 4}`

export const plotOf = (plot: Plot): string => {
  const { lines, grid = [], scale, namesWidth = usualNamesWidth, wordsWidth = 66 } = plot
  const height = lines.length * lineHeight
  const [left, right] = [namesWidth, width - wordsWidth - gap]
  const room = right - left
  const gridLines = grid.map((value) => {
    const x = left + scale(value) * room
    return element('line', { class: 'grid', x1: x, y1: 0, x2: x, y2: height })
  })
  const rows = lines.map((line, at) => {
    const y = at * lineHeight + lineHeight / 2
    return [
      text('name', 0, y + 4, shortened(line.engine, namesWidth)),
      drawn(plot, line, y, left, room),
      text('end', width, y + 4, line.words),
    ].join('')
  })
  const label = `${plot.title}: ${lines.map(({ engine, words }) => `${engine} ${words}`).join(', ')}`
  return element('svg', { class: 'plot', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label }, [
    ...gridLines,
    ...rows,
  ])
}

/** The words of a grid, above plots that share it. */
export const axisOf = (
  { scale, wordsWidth = 66 }: Pick<Plot, 'scale' | 'wordsWidth'>,
  ticks: readonly (readonly [value: number, words: string])[],
): string => {
  const [left, right] = [usualNamesWidth, width - wordsWidth - gap]
  const words = ticks.map(([value, tick]) => text('tick middle', left + scale(value) * (right - left), 12, tick))
  return element('svg', { class: 'plot', viewBox: `0 0 ${width} 16`, 'aria-hidden': 'true' }, words)
}

export const linear =
  (most: number) =>
  (value: number): number =>
    most === 0 ? 0 : value / most

/** Each step as wide as the one before is high: for figures that differ tenfold. @param least not 0. */
export const logarithmic =
  (least: number, most: number) =>
  (value: number): number =>
    Math.log(Math.max(least, value) / least) / Math.log(most / least)
