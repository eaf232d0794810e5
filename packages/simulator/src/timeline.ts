/** A run as text: a column of time, a column a node, one of clients, and the violation last. */
import { storyOf, type Violation } from './focus.ts'
import { clientsColumn, type Entry, entriesOf, keep, type Style, wideLine } from './timeline/entries.ts'
import type { Trace } from './trace.ts'
import { counted, cut, millis, plain, wrap } from './words.ts'

export interface TimelineOptions {
  /** At most so many events are told; those that concern the violation come first. Default 120. */
  readonly last?: number
  /** Only what happened within so many milliseconds of the violation (or, without one, of the end). Default: all. */
  readonly around?: number
  /** Columns of the text. Default 120; at least what lets every node have 14. */
  readonly width?: number
  /** SGR sequences for a terminal. Default false. */
  readonly colour?: boolean
}

const timeWidth = 9
const leastColumn = 14
/** A cell is wrapped into so many lines at most; the last one ends in an ellipsis if there was more. */
const mostCellLines = 3
/** Lines that the words of a violation may have. */
const mostParagraphs = 40
/** Fewer events left out at one place are only in the sum at the end. */
const leastGap = 10

const sgr: Readonly<Record<Style, string | undefined>> = {
  plain: undefined,
  strong: '1',
  dim: '2',
  fault: '33',
  violation: '31;1',
}

type Paint = (style: Style, text: string) => string

const painter =
  (colour: boolean): Paint =>
  (style, text) => {
    const code = sgr[style]
    return colour && code !== undefined && text.trim() !== '' ? `\u001b[${code}m${text}\u001b[0m` : text
  }

interface CellLine {
  readonly text: string
  readonly style: Style
}

/** What happens at one instant, side by side. */
interface Row {
  readonly at: number
  readonly cells: Map<string | symbol, CellLine[]>
}

const cellLines = (entry: Entry, width: number): CellLine[] => {
  const lines = wrap(entry.text, width - 1).map((line, at) => (at === 0 ? line : ` ${line}`))
  const shown = lines.slice(0, mostCellLines)
  const last = shown.length - 1
  return shown.map((line, index) => ({
    text: index === last && lines.length > shown.length ? `${cut(line, width - 1)}…` : line,
    style: entry.style,
  }))
}

class Sheet {
  readonly lines: string[] = []
  readonly #columns: readonly (string | symbol)[]
  readonly #width: number
  readonly #paint: Paint
  #row: Row | undefined

  constructor(columns: readonly (string | symbol)[], width: number, paint: Paint) {
    this.#columns = columns
    this.#width = Math.max(leastColumn, Math.floor((width - timeWidth) / columns.length) - 3)
    this.#paint = paint
  }

  /** Columns of text that the sheet takes. */
  get width(): number {
    return timeWidth + this.#columns.length * (this.#width + 3)
  }

  head(): void {
    const titles = this.#columns.map((column) => (typeof column === 'string' ? plain(column) : 'clients'))
    this.lines.push(this.#line('ms', new Map(this.#columns.map((column, at) => [column, titles[at] ?? ''])), 'strong'))
    this.lines.push(`${'─'.repeat(timeWidth)}${`─┼${'─'.repeat(this.#width + 1)}`.repeat(this.#columns.length)}`)
  }

  add(entry: Entry): void {
    if (entry.column === wideLine) {
      this.flush()
      const [first = '', ...others] = wrap(entry.text, Math.max(20, this.width - timeWidth - 8))
      const rule = '─'.repeat(Math.max(0, this.width - timeWidth - first.length - 5))
      const line = entry.style === 'fault' ? `├─ ${first} ${rule}` : `├  ${first}`
      this.lines.push(`${millis(entry.at).padStart(timeWidth)} ${this.#paint(entry.style, line.trimEnd())}`)
      for (const more of others) this.lines.push(`${' '.repeat(timeWidth)} ${this.#paint(entry.style, `│  ${more}`)}`)
      return
    }
    if (this.#row?.at !== entry.at) this.flush()
    this.#row ??= { at: entry.at, cells: new Map() }
    const cell = this.#row.cells.get(entry.column) ?? []
    cell.push(...cellLines(entry, this.#width))
    this.#row.cells.set(entry.column, cell)
  }

  gap(skipped: number): void {
    this.flush()
    this.lines.push(this.#paint('dim', `${'…'.padStart(timeWidth)} ${counted(skipped, 'event')} left out`))
  }

  flush(): void {
    const row = this.#row
    if (row === undefined) return
    this.#row = undefined
    const height = Math.max(...Array.from(row.cells.values(), (cell) => cell.length))
    for (let at = 0; at < height; at++) {
      const texts = new Map<string | symbol, string>()
      const styles = new Map<string | symbol, Style>()
      for (const [column, cell] of row.cells) {
        texts.set(column, cell[at]?.text ?? '')
        styles.set(column, cell[at]?.style ?? 'plain')
      }
      this.lines.push(this.#line(at === 0 ? millis(row.at) : '', texts, styles))
    }
  }

  #line(
    time: string,
    texts: ReadonlyMap<string | symbol, string>,
    styles: Style | ReadonlyMap<string | symbol, Style>,
  ): string {
    const cells = this.#columns.map((column) => {
      const text = cut(texts.get(column) ?? '', this.#width).padEnd(this.#width)
      return ` │ ${this.#paint(typeof styles === 'string' ? styles : (styles.get(column) ?? 'plain'), text)}`
    })
    return `${time.padStart(timeWidth)}${cells.join('')}`.trimEnd()
  }
}

const violationLines = (violation: Violation, width: number, paint: Paint): string[] => {
  const nodes = violation.nodes.length > 0 ? ` (${[...new Set(violation.nodes.map(plain))].join(', ')})` : ''
  const paragraphs = `${violation.what}${nodes}`.split('\n').slice(0, mostParagraphs)
  return [
    '',
    paint('violation', `violated at ${millis(violation.at)} ms: ${plain(violation.invariant)}`),
    ...paragraphs.flatMap((line) => wrap(plain(line), width - 2)).map((line) => paint('violation', `  ${line}`)),
  ]
}

/**
 * A readable timeline of a run, lines ended by a newline: what each node does in its own column, faults as lines of their own with begin and
 * end, calls of clients, and the violation last. What happened after the violation is not told. Messages stand where they arrive (lost ones
 * where they were sent); heartbeats are counted, not shown.
 *
 * Its length is bounded: of more than `last` events it keeps those that concern the violation, its nodes and the positions that it names, and
 * says how many it left out.
 */
export const timeline = (trace: Trace, options: TimelineOptions = {}): string => {
  const { last = 120, around, width = 120, colour = false } = options
  const paint = painter(colour)
  const { focus, events } = storyOf(trace, around)
  const entries = entriesOf(events, focus)
  const kept = keep(entries, Math.max(1, last))
  const withClients = kept.some(({ entry }) => entry.column === clientsColumn)
  const sheet = new Sheet([...columnsOf(trace, kept), ...(withClients ? [clientsColumn] : [])], width, paint)
  sheet.head()
  for (const { entry, skipped } of kept) {
    if (skipped >= leastGap) sheet.gap(skipped)
    sheet.add(entry)
  }
  sheet.flush()
  const { lines } = sheet
  const left = entries.length - kept.length
  if (left > 0) lines.push(paint('dim', `${counted(left, 'event')} of ${entries.length} left out`))
  const { violation } = focus
  if (violation !== undefined) lines.push(...violationLines(violation, sheet.width, paint))
  return `${lines.join('\n')}\n`
}

/** Nodes that never did anything, spares above all, get no column. */
const columnsOf = (trace: Trace, kept: readonly { readonly entry: Entry }[]): string[] => {
  const active = new Set(kept.map(({ entry }) => entry.column))
  const nodes = trace.nodes.filter((node) => active.has(node))
  return nodes.length > 0 ? nodes : [...trace.nodes].slice(0, 1)
}
