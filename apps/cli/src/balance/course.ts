/** How a strategy did in the course of time, as a small plot. */
import type { SliceFigures } from '@conclave/balance/simulate'
import { element, escaped } from '@conclave/simulator'
import { logarithmic } from '../compare/page/plots.ts'
import { colours } from '../compare/page/style.ts'
import { figure } from '../compare/rows.ts'

export interface Course {
  readonly name: string
  /** The strategy's number: decides the colour. */
  readonly at: number
  readonly series: readonly SliceFigures[]
  readonly durationMillis: number
  /** Milliseconds at the bottom and at the top. */
  readonly range: readonly [least: number, most: number]
}

const width = 300
const [left, right] = [62, width - 6]
const [top, bottom] = [8, 108]
/** Below it stand the errors, up to their own height. */
const errorsHeight = 14
const errorsBottom = bottom + 6 + errorsHeight
const height = errorsBottom + 16

const oneDecimal = (value: number): number => Math.round(value * 10) / 10

/** Powers of ten within the range. */
const ticks = ([least, most]: Course['range']): number[] => {
  const first = Math.ceil(Math.log10(least))
  const last = Math.floor(Math.log10(most))
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => 10 ** (first + at))
}

export const courseOf = (course: Course): string => {
  const { name, at, series, durationMillis, range } = course
  const scale = logarithmic(range[0], Math.max(range[1], range[0] * 1.001))
  const y = (value: number): number => oneDecimal(bottom - scale(value) * (bottom - top))
  const x = (millis: number): number => oneDecimal(left + (millis / durationMillis) * (right - left))
  const slice = durationMillis / series.length
  const curve = (which: 'p50' | 'p99', style: string): string => {
    let pen = false
    const d = series
      .map((one) => {
        const value = one[which]
        const step = value === null ? '' : `${pen ? 'L' : 'M'}${x(one.fromMillis + slice / 2)} ${y(value)}`
        pen = value !== null
        return step
      })
      .join('')
    return element('path', { class: `range ${style} l${at % colours}`, d })
  }
  const errors = series
    .filter((one) => one.errors > 0)
    .map((one) => {
      const high = Math.max(1, (one.errors / one.requests) * errorsHeight)
      return element('rect', {
        class: 'wrong-bar',
        x: x(one.fromMillis),
        y: oneDecimal(errorsBottom - high),
        width: Math.max(1, oneDecimal(x(slice) - left)),
        height: oneDecimal(high),
      })
    })
  const text = (style: string, tx: number, ty: number, words: string): string =>
    element('text', { class: style, x: tx, y: ty }, escaped(words))
  const most = Math.max(...series.map(({ p99 }) => p99 ?? 0))
  const wrong = series.reduce((sum, one) => sum + one.errors, 0)
  const label = `${name} in the course of time: 99th percentile up to ${figure(most)} ms, ${wrong} errors`
  return element('svg', { class: 'plot', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label }, [
    ...ticks(range).flatMap((value) => [
      element('line', { class: 'grid', x1: left, y1: y(value), x2: right, y2: y(value) }),
      text('tick end', left - 5, y(value) + 4, `${value >= 1 ? figure(value) : value} ms`),
    ]),
    element('line', { class: 'grid', x1: left, y1: errorsBottom, x2: right, y2: errorsBottom }),
    curve('p50', 'thin'),
    curve('p99', ''),
    ...errors,
    text('tick', left, height - 3, '0'),
    text('tick end', right, height - 3, `${figure(durationMillis / 1000)} s`),
  ])
}
