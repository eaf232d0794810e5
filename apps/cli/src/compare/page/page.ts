/** A comparison as one page that needs nothing else: no script, no font, no network. */
import {
  type Comparison,
  disturbances,
  disturbancesOf,
  type EngineFigures,
  element,
  escaped,
  failovers,
  type Spread,
} from '@conclave/simulator'
import { figure, percent, type Row, type Section, sectionsOf, withUnit } from '../rows.ts'
import { settingLine } from '../table.ts'
import { documentOf, paragraph, tag } from './parts.ts'
import { axisOf, type Line, linear, logarithmic, markOf, type Plot, plotOf } from './plots.ts'

export interface PageAbout {
  /** What gives the same figures again. */
  readonly command: string
  readonly version: string
}

/** The engines of a comparison with their figures in clusters of one size. */
type Contenders = readonly { readonly engine: string; readonly at: number; readonly figures: EngineFigures }[]

const legend = (engines: readonly string[]): string =>
  tag(
    'ul',
    'legend',
    engines.map((engine, at) =>
      tag('li', undefined, [
        element('svg', { viewBox: '0 0 14 14', 'aria-hidden': 'true' }, markOf(at, 7, 7)),
        escaped(engine),
      ]),
    ),
  )

const card = (row: Row, contenders: Contenders): string => {
  const lines = contenders.map(({ engine, at, figures }): Line => {
    const value = row.of(figures)
    const spread = row.spread?.(figures)
    return {
      engine,
      at,
      value,
      words: withUnit(value, row.unit),
      ...(spread !== undefined && { range: [spread.least, spread.p99] }),
    }
  })
  const most = Math.max(0, ...lines.flatMap(({ value = 0, range }) => [value, range?.[1] ?? 0]))
  return tag('div', 'card', [
    tag('h4', undefined, escaped(row.label)),
    plotOf({ title: row.label, scale: linear(most), mark: 'bar', lines }),
    paragraph(row.about, 'about'),
  ])
}

const section = ({ title, about, rows }: Section, contenders: Contenders): string =>
  [
    tag('h3', undefined, escaped(title)),
    paragraph(about, 'faint'),
    tag(
      'div',
      'cards',
      rows.filter(({ tableOnly }) => tableOnly !== true).map((row) => card(row, contenders)),
    ),
  ].join('')

const label = (name: string): string =>
  tag('div', undefined, [
    tag('h4', undefined, escaped(name)),
    paragraph(disturbances.find((one) => one.name === name)?.about ?? '', 'about'),
  ])

interface Axis extends Pick<Plot, 'title' | 'scale' | 'grid' | 'wordsWidth'> {
  readonly ticks: Parameters<typeof axisOf>[1]
}

/** Where there is no room for a head: what a plot shows, and where its lines stand. */
const caption = ({ title, ticks }: Axis): string =>
  paragraph(`${title}: ${ticks.map(([, words]) => words).join(' · ')}`, 'caption')

/** Two plots of the same lines. */
const row = (name: string, plots: readonly (readonly [axis: Axis, lines: readonly Line[]])[]): string =>
  tag('div', 'row', [
    label(name),
    ...plots.map(([axis, lines]) => {
      const title = `${name}, ${axis.title.toLowerCase()}`
      return tag('div', undefined, [caption(axis), plotOf({ ...axis, title, mark: 'dot', lines })])
    }),
  ])

const head = (axes: readonly Axis[]): string =>
  tag('div', 'row head', [
    tag('div', undefined, ' '),
    ...axes.map((axis) => tag('div', undefined, [escaped(axis.title), axisOf(axis, axis.ticks)])),
  ])

/** Steps of 100 ms or more, four of them or less. */
const failoverAxis = (title: string, longest: number): Axis => {
  const step = Math.max(100, Math.ceil(longest / 400) * 100)
  const end = Math.max(step, Math.ceil(longest / step) * step)
  const grid = Array.from({ length: end / step + 1 }, (_, at) => at * step)
  const ticks = grid.map((value) => [value, `${figure(value)}${value === end ? ' ms' : ''}`] as const)
  return { title, scale: linear(end), grid, wordsWidth: 92, ticks }
}

const failoverLine = (contender: Contenders[number], spread: Spread | undefined, missed: number): Line => {
  const { engine, at } = contender
  if (spread === undefined) return { engine, at, value: undefined, words: 'never' }
  const lacking = missed === 0 ? '' : `, ${missed} never`
  const words = `${figure(spread.median)} / ${figure(spread.p99)} ms${lacking}`
  return { engine, at, value: spread.median, range: [spread.least, spread.p99], words }
}

const failoverSection = ({ request }: Comparison, contenders: Contenders): string => {
  const spreads = contenders.flatMap(({ figures }) => failovers.map((name) => figures.failovers[name]?.decidedMillis))
  const longest = Math.max(0, ...spreads.map((spread) => spread?.p99 ?? 0))
  const axes = [failoverAxis('Elected', longest), failoverAxis('First command decided', longest)] as const
  const rowOf = (name: string): string => {
    const lines = (which: 'electedMillis' | 'decidedMillis'): Line[] =>
      contenders.map((contender) => {
        const found = contender.figures.failovers[name]
        return failoverLine(contender, found?.[which], which === 'decidedMillis' ? (found?.missed ?? 0) : 0)
      })
    return row(name, [
      [axes[0], lines('electedMillis')],
      [axes[1], lines('decidedMillis')],
    ])
  }
  return [
    tag('h3', undefined, 'A new leader'),
    paragraph(
      `From the loss of the leader until another is elected, and until it has decided its first command. The mark is the median of ${request.seeds} fail-overs, the line goes from the shortest to the 99th percentile; in figures: median / 99th percentile.`,
      'faint',
    ),
    tag('div', 'rows', [head(axes), ...failovers.map(rowOf)]),
  ].join('')
}

const servedAxis: Axis = {
  title: 'Served',
  scale: linear(1),
  grid: [0, 0.5, 1],
  ticks: [
    [0, '0'],
    [0.5, '50'],
    [1, '100 %'],
  ],
}

const gapAxis: Axis = {
  title: 'Longest gap',
  scale: logarithmic(10, 3_000),
  grid: [10, 100, 1_000],
  ticks: [
    [10, '10'],
    [100, '100'],
    [1_000, '1,000 ms'],
  ],
}

const servedLine = ({ engine, at, figures }: Contenders[number], name: string): Line => {
  const found = figures.faults[name]
  if (found === 'unsupported') return { engine, at, value: undefined, words: 'not offered' }
  if (found === null || found === undefined) return { engine, at, value: undefined, words: 'never served' }
  const { served, servedLeast } = found
  return { engine, at, value: served, range: [servedLeast, served], words: percent(served) }
}

const gapLine = ({ engine, at, figures }: Contenders[number], name: string): Line => {
  const found = figures.faults[name]
  if (found === 'unsupported' || found === null || found === undefined)
    return { engine, at, value: undefined, words: '–' }
  const { least, median, most } = found.gapMillis
  return { engine, at, value: median, range: [least, most], words: `${figure(median)} ms` }
}

const faultSection = ({ given, request }: Comparison, contenders: Contenders): string =>
  [
    tag('h3', undefined, 'Service under faults'),
    paragraph(
      `A write is begun each 10 ms for 3 s; a fault that lasts is over after 2 s. Served: the part of all writes that was answered within ${figure(given.servedMillis)} ms, and a line down to the worst run. Longest gap: the longest time without an answer, the median of all runs (${given.faultSeeds}) and a line over them, on a logarithmic scale. An undisturbed cluster serves 100 % with gaps of about 10 ms.`,
      'faint',
    ),
    tag('div', 'rows', [
      head([servedAxis, gapAxis]),
      ...disturbancesOf(request.faults).map(({ name }) =>
        row(name, [
          [servedAxis, contenders.map((one) => servedLine(one, name))],
          [gapAxis, contenders.map((one) => gapLine(one, name))],
        ]),
      ),
    ]),
  ].join('')

const size = (comparison: Comparison, nodes: number): string => {
  const figures = comparison.sizes.find((one) => one.nodes === nodes)?.figures ?? {}
  const contenders = comparison.engines.flatMap((engine, at) => {
    const own = figures[engine]
    return own === undefined ? [] : [{ engine, at, figures: own }]
  })
  return [
    tag('h2', undefined, `${nodes} nodes`),
    legend(comparison.engines),
    ...sectionsOf(comparison).map((one) => section(one, contenders)),
    failoverSection(comparison, contenders),
    disturbancesOf(comparison.request.faults).length === 0 ? '' : faultSection(comparison, contenders),
  ].join('')
}

const violations = (comparison: Comparison): string[] =>
  comparison.violations.map(({ engine, invariant, nodes, seed, scenario, what }) =>
    paragraph(
      `${engine} is wrong: ${invariant}, with ${nodes} nodes, seed ${seed}, ${scenario}: ${what}. Its figures leave this run out.`,
      'wrong',
    ),
  )

const words = new Intl.ListFormat('en', { type: 'conjunction' })

/** The same comparison gives the same page, byte for byte. */
export const pageOf = (comparison: Comparison, { command, version }: PageAbout): string => {
  const heading = `${words.format(comparison.engines)} side by side`
  const body = [
    tag('h1', undefined, escaped(heading)),
    paragraph(
      'Consensus engines in the same simulated worlds: the same clients, networks, disks and faults, in virtual time, from the same seeds. Shorter bars are better but for commands per second and per entry.',
    ),
    paragraph(`${settingLine(comparison)}.`, 'faint'),
    ...violations(comparison),
    ...comparison.sizes.map(({ nodes }) => size(comparison, nodes)),
    tag('footer', undefined, [
      paragraph(
        'Clients learn at once who leads, and their messages are never lost, so that figures are those of the engines. Computing takes no time in these worlds: they count what a protocol sends, syncs and waits for, not what a machine does.',
      ),
      tag('p', undefined, ['The same figures again: ', tag('code', undefined, escaped(command))]),
      paragraph(`Conclave ${version}.`, 'faint'),
    ]),
  ]
  return documentOf(heading, body)
}
