import type { NodeStatus } from '@conclave/client/protocol'
import type { ProcessState } from './local/process.ts'

/** One node as it is seen from here. */
export interface NodeView {
  readonly name: string
  readonly id: string
  readonly address: string
  /** Of a local process: what the system says. Of a remote node: whether it answers. */
  readonly state: ProcessState | 'unreachable'
  readonly pid?: number
  readonly status?: NodeStatus
}

/** The leader: the node that leads under the highest epoch. A deposed one may still believe that it leads. */
export const leaderOf = (views: readonly NodeView[]): NodeView | undefined => {
  let leader: NodeView | undefined
  let highest = -1n
  for (const view of views) {
    if (view.status?.leading !== true || view.state === 'paused') continue
    const epoch = BigInt(view.status.epoch)
    if (epoch <= highest) continue
    highest = epoch
    leader = view
  }
  return leader
}

/** The engines that the nodes run, as they and others say, and the names of those that run each. */
const enginesOf = (views: readonly NodeView[]): ReadonlyMap<string, readonly string[]> => {
  const others = views.flatMap(({ status }) => status?.otherEngines ?? [])
  const own = views.flatMap(({ name, status }) => (status === undefined ? [] : [{ name, engine: status.engine }]))
  // What a node says of itself counts more than what others remember of it.
  const engineOf = new Map([...others, ...own].map(({ name, engine }) => [name, engine]))
  const engines = new Map<string, string[]>()
  for (const [name, engine] of [...engineOf].sort(([left], [right]) =>
    left.localeCompare(right, 'en', { numeric: true }),
  ))
    engines.set(engine, [...(engines.get(engine) ?? []), name])
  return engines
}

/** What is wrong if the nodes run different engines, in words. */
export const engineTrouble = (views: readonly NodeView[]): string | undefined => {
  const engines = [...enginesOf(views)].map(([engine, names]) => `${names.join(', ')}: engine "${engine}"`)
  return engines.length < 2 ? undefined : `all members of a cluster must run the same engine. ${engines.join('; ')}`
}

/** Whether so few nodes run the same engine that none of them will ever lead, whatever those run that do not answer yet. */
export const isSplitByEngine = (views: readonly NodeView[]): boolean => {
  const engines = [...enginesOf(views).values()]
  const silent = views.length - engines.flat().length
  return engines.length > 1 && engines.every((names) => (names.length + silent) * 2 <= views.length)
}

export const roleOf = (view: NodeView, leader: NodeView | undefined): string => {
  if (view.status === undefined) return view.state === 'running' ? 'starting' : view.state
  return view.status.leading && view !== leader ? 'deposed' : view.status.role
}

/** What `status --json` says; in full with everything that a node says of itself. */
export const viewsJson = (views: readonly NodeView[], full = false): Record<string, unknown> => {
  const leader = leaderOf(views)
  return {
    leader: leader?.name ?? null,
    nodes: views.map((view) => ({
      name: view.name,
      id: view.id,
      address: view.address,
      state: view.state,
      ...(view.pid === undefined ? {} : { pid: view.pid }),
      role: roleOf(view, leader),
      ...(full && view.status !== undefined ? { status: view.status } : {}),
    })),
  }
}

export interface Row {
  readonly cells: readonly string[]
  readonly style?: 'leader' | 'trouble'
}

const columns = ['node', 'role', 'epoch', 'commit', 'applied', 'writes/s', 'address'] as const

const number = (value: unknown): string => (typeof value === 'number' ? String(value) : '-')

/** @param rates writes per second by node name. */
export const rowsOf = (views: readonly NodeView[], rates: ReadonlyMap<string, number> = new Map()): Row[] => {
  const leader = leaderOf(views)
  return views.map((view) => {
    const { status } = view
    const rate = rates.get(view.name)
    const cells = [
      view.name,
      roleOf(view, leader),
      status?.epoch ?? '-',
      number(status?.decided),
      number(status?.applied),
      rate === undefined || status === undefined ? '-' : String(Math.round(rate)),
      view.address,
    ]
    if (status === undefined) return { cells, style: 'trouble' }
    return view === leader ? { cells, style: 'leader' } : { cells }
  })
}

const styles = { leader: '32', trouble: '33' } as const
const numeric: ReadonlySet<string> = new Set(['epoch', 'commit', 'applied', 'writes/s'])

type Paint = (style: string, text: string) => string

/** Lines of the table of nodes. The address comes last and is shown whole. */
export const renderTable = (rows: readonly Row[], paint: Paint): string[] =>
  renderColumns(columns, numeric, rows, paint)

/** Lines of a table; numbers to the right. */
export const renderColumns = (
  titles: readonly string[],
  numbers: ReadonlySet<string>,
  rows: readonly Row[],
  paint: Paint,
): string[] => {
  const widths = titles.map((title, at) => Math.max(title.length, ...rows.map((row) => row.cells[at]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => {
        const width = widths[at] ?? 0
        return numbers.has(titles[at] ?? '') ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  return [
    paint('1', line(titles)),
    ...rows.map((row) => (row.style === undefined ? line(row.cells) : paint(styles[row.style], line(row.cells)))),
  ]
}

/** Writes per second of every node since the last call, from the count of commands that it has applied. */
export const rateMeter = (): ((views: readonly NodeView[], now: number) => Map<string, number>) => {
  const last = new Map<string, { readonly at: number; readonly commands: number }>()
  return (views, now) => {
    const rates = new Map<string, number>()
    for (const { name, status } of views) {
      const commands = status?.commands
      const before = last.get(name)
      if (typeof commands !== 'number') {
        last.delete(name)
        continue
      }
      // Fewer than before: the node was started anew.
      if (before !== undefined && now > before.at && commands >= before.commands) {
        rates.set(name, ((commands - before.commands) * 1000) / (now - before.at))
      }
      last.set(name, { at: now, commands })
    }
    return rates
  }
}
