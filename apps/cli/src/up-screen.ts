import type { LocalCluster } from './local/cluster.ts'
import { engineTrouble, type NodeView, renderTable, rowsOf } from './view.ts'

type Paint = (style: string, text: string) => string

/** Columns that a table with peer ids takes. */
const wide = 122
const short = (view: NodeView): NodeView => ({ ...view, address: view.address.replace(/\/p2p\/.*/, '') })

/** What `conclave up` shows on a terminal: the table, the last events, and how to talk to the cluster. */
export const renderScreen = (
  local: LocalCluster,
  views: readonly NodeView[],
  rates: ReadonlyMap<string, number>,
  events: readonly string[],
  paint: Paint,
  columns: number,
): string[] => [
  `${paint('1', 'Conclave')} · ${local.nodes.length} nodes on ${local.engine} · data in ${local.directory}`,
  '',
  ...renderTable(rowsOf(columns < wide ? views.map(short) : views, rates), paint),
  ...[engineTrouble(views)].flatMap((trouble) => (trouble === undefined ? [] : ['', paint('31', trouble)])),
  '',
  ...events,
  ...(events.length > 0 ? [''] : []),
  paint('2', 'In another terminal:'),
  '  conclave kv put greeting hello    write, then: conclave kv get greeting',
  '  conclave node kill n1             and back: conclave node restart n1',
  paint('2', 'Ctrl-C ends the cluster and keeps its data.'),
]

/** Draws lines over the ones that it drew before. */
export class Screen {
  readonly #stream: NodeJS.WriteStream
  #drawn = 0

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
    stream.write('\u001b[?25l')
  }

  draw(lines: readonly string[]): void {
    const { columns = 80, rows = 24 } = this.#stream
    // A line that wraps, or more lines than the terminal has, would put the cursor where it is not expected.
    const shown = lines.slice(0, rows - 1).map((line) => cut(line, columns))
    const up = this.#drawn > 0 ? `\u001b[${this.#drawn}A\r` : ''
    this.#stream.write(`${up}${shown.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`)
    this.#drawn = shown.length
  }

  /** Gives the cursor back, below what was drawn. */
  end(): void {
    this.#stream.write('\u001b[?25h')
  }
}

/** The first `columns` visible characters of a line that may hold SGR sequences. */
export const cut = (line: string, columns: number): string => {
  let visible = 0
  let out = ''
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
  for (const [part] of line.matchAll(/\u001b\[[0-9;]*m|./gu)) {
    if (part.startsWith('\u001b')) out += part
    else if (visible < columns) {
      out += part
      visible += 1
    }
  }
  return out
}

/** What changed between two looks, in words. */
export const changes = (
  before: readonly NodeView[],
  after: readonly NodeView[],
  leader: string | undefined,
  lastLeader: string | undefined,
): string[] => {
  const events: string[] = []
  const last = new Map(before.map((view) => [view.name, view.state]))
  for (const { name, state } of after) {
    const was = last.get(name)
    if (was === undefined || was === state) continue
    if (state === 'dead') events.push(`${name} is dead`)
    else if (state === 'paused') events.push(`${name} is paused`)
    else events.push(was === 'paused' ? `${name} goes on` : `${name} is back`)
  }
  if (leader !== lastLeader) events.push(leader === undefined ? 'no leader' : `${leader} leads`)
  return events
}
