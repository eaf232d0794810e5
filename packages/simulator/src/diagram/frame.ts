/** The columns of a diagram: time, clients, a lane for every node, faults. All in pixels. */
import type { TraceEvent } from '../trace.ts'
import { clientsLane, everyLane, faultsLane, type Lane, laneOf } from './rows.ts'
import { textWidth } from './svg.ts'
import { wordsOf } from './words-of-event.ts'

export interface Frame {
  readonly width: number
  /** Right edge of the times. */
  readonly time: number
  /** Left edges and widths of text beside the bars of clients and of faults; a width of 0: there is none. */
  readonly clients: { readonly left: number; readonly width: number }
  readonly faults: { readonly left: number; readonly width: number }
  /** By node: where its line stands; the same width for each. */
  readonly lines: ReadonlyMap<string, number>
  readonly lane: number
}

const margin = 16
const timeWidth = 62
const leastSide = 76
const leastLane = 112
const mostLane = 236
/** Of a lane, left of its line. */
export const beforeLine = 22

/** What the words at one side need, and the bars before them; 0 if there are none. */
const sideWidth = (events: readonly TraceEvent[], lane: Lane, most: number): number => {
  const words = events.filter((event) => laneOf(event) === lane).map((event) => wordsOf(event)?.words ?? '')
  if (words.length === 0) return 0
  return Math.ceil(Math.min(most, Math.max(leastSide, ...words.map((one) => textWidth(one) + 34))))
}

/** @param width wished for; lanes of many nodes make it more. */
export const frameOf = (nodes: readonly string[], events: readonly TraceEvent[], width: number): Frame => {
  const clientsWidth = sideWidth(events, clientsLane, width * 0.16)
  const faultsWidth = sideWidth(events, faultsLane, width * 0.2)
  const room = width - 2 * margin - timeWidth - clientsWidth - faultsWidth
  const lane = Math.min(mostLane, Math.max(leastLane, Math.floor(room / Math.max(1, nodes.length))))
  const time = margin + timeWidth - 8
  const clientsLeft = margin + timeWidth
  const nodesLeft = clientsLeft + clientsWidth
  const faultsLeft = nodesLeft + lane * nodes.length
  return {
    width: faultsLeft + faultsWidth + margin,
    time,
    clients: { left: clientsLeft, width: clientsWidth },
    faults: { left: faultsLeft, width: faultsWidth },
    lines: new Map(nodes.map((node, at) => [node, nodesLeft + at * lane + beforeLine])),
    lane,
  }
}

/** Where the words of a lane begin, and how wide they may be. */
export const wordsIn = (frame: Frame, lane: Lane): { readonly x: number; readonly room: number } => {
  if (lane === clientsLane) return { x: frame.clients.left, room: frame.clients.width - 12 }
  if (lane === faultsLane) return { x: frame.faults.left, room: frame.faults.width }
  if (lane === everyLane) return { x: frame.clients.left, room: frame.width - frame.clients.left - margin }
  return { x: (frame.lines.get(lane) ?? 0) + 9, room: frame.lane - beforeLine + 4 }
}
