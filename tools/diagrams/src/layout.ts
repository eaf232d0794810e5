import type { NodeId } from '@conclave/interface'
import { flightMillis, type Moment } from './rehearsal.ts'

export interface Picture {
  readonly title: string
  /** From left to right. */
  readonly columns: readonly NodeId[]
  readonly moments: readonly Moment[]
}

export const clientX = 50
export const top = 46
export const firstX = 200
const columnWidth = 280
/** For what is written beside the last column. */
const margin = 190
const least = 15
const most = 44
const pixelsPerMilli = 4.4
const longGapMillis = 40

const timesOf = (moment: Moment): readonly number[] => {
  if (moment.type === 'message') return [moment.at, moment.at + flightMillis]
  return moment.type === 'written' ? [moment.from, moment.at] : [moment.at]
}

/** Where nodes and times are. Time runs down; long times in which nothing is shown take little room. */
export class Layout {
  readonly picture: Picture
  readonly width: number
  readonly bottom: number
  readonly gaps: readonly { readonly y: number; readonly millis: number }[]
  readonly #ys = new Map<number, number>()

  constructor(picture: Picture) {
    this.picture = picture
    this.width = firstX + (picture.columns.length - 1) * columnWidth + margin
    const times = [...new Set(picture.moments.flatMap(timesOf))].sort((a, b) => a - b)
    const gaps: { y: number; millis: number }[] = []
    let y = top + 14
    for (const [index, at] of times.entries()) {
      const millis = at - (times[index - 1] ?? at)
      const step = index === 0 ? 0 : Math.min(most, Math.max(least, millis * pixelsPerMilli))
      if (millis > longGapMillis) gaps.push({ y: y + step / 2, millis })
      y += step
      this.#ys.set(at, y)
    }
    this.bottom = Math.ceil(y) + 20
    this.gaps = gaps
  }

  x(node: NodeId): number {
    return firstX + this.picture.columns.indexOf(node) * columnWidth
  }

  y(at: number): number {
    return this.#ys.get(at) ?? this.bottom
  }
}
