/**
 * A run as a space-time diagram, as SVG: a line for every node with time running down, and an arrow for every message.
 *
 * Source: Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", Communications of the ACM 21(7), 1978, figures 1 and 2.
 */
import { arrows } from './diagram/arrows.ts'
import { bandsOf } from './diagram/bands.ts'
import { type Frame, frameOf } from './diagram/frame.ts'
import { labels } from './diagram/labels.ts'
import { legend } from './diagram/legend.ts'
import { breakMarks, lifelines } from './diagram/lifelines.ts'
import { boxesOf, livesOf } from './diagram/lives.ts'
import { type Layout, layRows } from './diagram/rows.ts'
import { sceneOf } from './diagram/scene.ts'
import { styleSheet } from './diagram/style.ts'
import { element, escaped, line, rect, text, textWidth } from './diagram/svg.ts'
import { storyOf, type Violation } from './focus.ts'
import type { Trace } from './trace.ts'
import { counted, cut, plain, wrap } from './words.ts'

export interface DiagramOptions {
  /** Default: what was violated. */
  readonly title?: string
  /** At most so many events are drawn; those that concern the violation come first. Default 160. */
  readonly most?: number
  /** Only what happened within so many milliseconds of the violation (or, without one, of the end). Default: all. */
  readonly around?: number
  /** Pixels; more if there are many nodes, less if there are few. Default 1200. */
  readonly width?: number
}

const margin = 16
const lineHeight = 17

const hatch = element('defs', {}, [
  element(
    'pattern',
    { id: 'hatch', width: 6, height: 6, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
    line('line follower', 0, 0, 0, 6),
  ),
])

/** Of a sentence and what is drawn below it as text only the sentence, and of that no more than fits. */
const firstOf = (what: string): string => cut(plain(what.split('\n')[0] ?? ''), 600)

interface Part {
  readonly drawing: string
  readonly height: number
}

const heading = (title: string, sentence: string, frame: Frame): Part => {
  const lines = wrap(sentence, Math.floor((frame.width - 2 * margin) / textWidth('x', 12)))
  const drawing = [
    text('text title', margin, margin + 14, title),
    ...lines.map((words, at) => text('text violation', margin, margin + 36 + at * lineHeight, words)),
  ]
  return { drawing: drawing.join(''), height: margin + 24 + (sentence === '' ? 0 : lines.length * lineHeight + 6) }
}

const names = (frame: Frame, y: number): string[] =>
  Array.from(frame.lines, ([node, x]) => text('text node middle halo', x, y, plain(node)))

const sides = ({ clients, faults }: Frame, y: number): string[] => [
  clients.width > 0 ? text('text faint', clients.left, y, 'clients') : '',
  faults.width > 0 ? text('text faint', faults.left, y, 'faults') : '',
]

/** The end of the story: a red line through all lanes, a ring at every node that it names, and the sentence below. */
const violationPart = (violation: Violation, frame: Frame, layout: Layout): Part => {
  const y = layout.rowOf.get(violation)?.y ?? layout.bottom
  const right = frame.faults.left + frame.faults.width
  const room = Math.floor((right - frame.clients.left - 20) / textWidth('x', 11.5))
  const lines = wrap(`${plain(violation.invariant)} is violated: ${firstOf(violation.what)}`, room)
  const top = y + 14
  const height = lines.length * lineHeight + 12
  const rings = violation.nodes.map((node) => {
    const x = frame.lines.get(node)
    return x === undefined ? '' : element('circle', { class: 'alarm violated', cx: x, cy: y, r: 6.5 })
  })
  const drawing = [
    line('violated', frame.clients.left, y, right, y),
    ...rings,
    rect('alarm violated', frame.clients.left, top, right - frame.clients.left, height, 4),
    ...lines.map((words, at) =>
      text('text strong violation', frame.clients.left + 10, top + 19 + at * lineHeight, words),
    ),
  ]
  return { drawing: drawing.join(''), height: top + height - layout.bottom }
}

/**
 * Draws what led to the violation of a run, or all of a run without one. An SVG that stands alone, for light and dark surroundings.
 *
 * Its size is bounded: of more than `most` events it draws those that concern the violation. Heartbeats are not drawn; waits are cut out and
 * marked. Everything that comes from the trace is escaped.
 */
export const diagram = (trace: Trace, options: DiagramOptions = {}): string => {
  const { most = 160, around, width = 1200 } = options
  const story = storyOf(trace, around)
  const { violation } = story.focus
  const scene = sceneOf(story, Math.max(1, most))
  const drawn = scene.drawn.map(({ event }) => event)
  const nodes = nodesOf(trace)
  const frame = frameOf(nodes, drawn, width)
  const title = plain(options.title ?? (violation === undefined ? 'A run' : `Violated: ${violation.invariant}`))
  const sentence = violation === undefined ? '' : firstOf(violation.what)
  const head = heading(title, sentence, frame)
  const key = legend(margin, head.height, frame.width - margin)
  const top = head.height + key.height + 34
  const layout = layRows(scene.drawn, top + 16, frame.lines)
  const bands = bandsOf(story.before, story.events, frame, layout, top)
  const lives = livesOf(nodes, story.before, story.events)
  const end = violation === undefined ? { drawing: '', height: 0 } : violationPart(violation, frame, layout)
  const bottom = layout.bottom + end.height
  const omitted = `${counted(scene.left, 'event')} and ${counted(scene.heartbeats, 'heartbeat')} not drawn`
  const height = Math.ceil(bottom + 58)
  const content = [
    element('title', { id: 'title' }, escaped(title)),
    element('desc', { id: 'desc' }, escaped(`${sentence || title}. Nodes: ${nodes.join(', ')}. ${omitted}.`)),
    element('style', {}, styleSheet()),
    hatch,
    rect('paper', 0, 0, frame.width, height),
    head.drawing,
    key.drawing,
    ...bands.tints,
    ...lifelines(lives, frame, layout, top + 4),
    ...breakMarks(lives, frame, layout, top + 4),
    ...bands.bars,
    ...arrows(scene, frame, layout),
    end.drawing,
    ...names(frame, top - 4),
    ...sides(frame, top - 4),
    ...labels(layout, { frame, boxes: boxesOf([...story.before, ...story.events]), ...bands }),
    ...names(frame, bottom + 22),
    text('text faint', margin, bottom + 46, `Time runs down, in milliseconds. ${omitted}.`),
  ]
  return `${element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${frame.width} ${height}`,
      width: frame.width,
      height,
      role: 'img',
      'aria-labelledby': 'title desc',
    },
    content,
  )}\n`
}

/** Nodes of which nothing is ever heard, spares above all, get no line. */
const nodesOf = (trace: Trace): string[] => {
  const active = new Set<string>()
  for (const event of trace.events) {
    if ('node' in event && event.node !== undefined) active.add(event.node)
    else if ('from' in event) active.add(event.from)
  }
  return trace.nodes.filter((node) => active.has(node))
}
