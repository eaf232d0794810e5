/** A simulation as one page that needs nothing else. */
import { isStrategyName, strategies } from '@conclave/balance'
import type { SimulationResult, StrategyFigures } from '@conclave/balance/simulate'
import { escaped } from '@conclave/simulator'
import { documentOf, paragraph, tag } from '../compare/page/parts.ts'
import { type Line, linear, logarithmic, plotOf } from '../compare/page/plots.ts'
import { figure } from '../compare/rows.ts'
import { courseOf } from './course.ts'
import { errorsText, movedText, settingLine } from './table.ts'

export interface PageAbout {
  /** What gives the same figures again. */
  readonly command: string
  readonly version: string
}

type Contenders = readonly { readonly name: string; readonly at: number; readonly figures: StrategyFigures }[]

interface Figure {
  readonly title: string
  readonly about: string
  /** Figures that differ more than tenfold. */
  readonly wide?: true
  readonly value: (figures: StrategyFigures) => number | undefined
  readonly words: (figures: StrategyFigures) => string
}

const millis = (value: number | undefined): string => (value === undefined ? '–' : `${figure(value)} ms`)

const percentiles = [
  ['p50', 'Latency, median', 'Half of the requests that ended well took no longer, waiting included.'],
  ['p90', 'Latency, 90th percentile', 'One request of ten took longer.'],
  ['p99', 'Latency, 99th percentile', 'One request of a hundred took longer.'],
  ['p999', 'Latency, 99.9th percentile', 'One request of a thousand took longer.'],
] as const

const figuresOf = ({ requests }: SimulationResult): readonly Figure[] => [
  ...percentiles.map(
    ([which, title, about]): Figure => ({
      title,
      about,
      wide: true,
      value: ({ latencyMillis }) => latencyMillis?.[which],
      words: ({ latencyMillis }) => millis(latencyMillis?.[which]),
    }),
  ),
  {
    title: 'Errors',
    about: 'Of a server, of a full queue, or since nobody was picked.',
    value: ({ errors }) => errors,
    words: (figures) => errorsText(figures, requests),
  },
  {
    title: 'Imbalance',
    about: 'The load of the fullest server divided by the mean of all, over the whole time. 1 is perfectly even.',
    value: ({ imbalance }) => imbalance,
    words: ({ imbalance }) => figure(imbalance),
  },
]

const disruption: Figure = {
  title: 'Keys moved',
  about:
    'The part of the keys that have another server after the servers changed, and in brackets the part that had to. Strategies that know no keys have none.',
  value: (figures) => figures.disruption?.moved,
  words: movedText,
}

/** Bars begin at the left edge, on a logarithmic scale if figures differ more than tenfold. */
const card = ({ title, about, wide, value, words }: Figure, contenders: Contenders): string => {
  const lines = contenders.map(
    ({ name, at, figures }): Line => ({ engine: name, at, value: value(figures), words: words(figures) }),
  )
  const values = lines.flatMap((line) => line.value ?? [])
  const [least, most] = [Math.min(...values), Math.max(0, ...values)]
  const stretched = wide === true && least > 0 && most > 10 * least
  const scale = stretched ? logarithmic(least / 2, most) : linear(most)
  const told = stretched ? `${about} Logarithmic scale.` : about
  return tag('div', 'card', [
    tag('h4', undefined, escaped(title)),
    plotOf({ title, scale, mark: 'bar', lines, namesWidth: 112, wordsWidth: 92 }),
    paragraph(told, 'about'),
  ])
}

const courses = (result: SimulationResult, contenders: Contenders): string => {
  const slow = contenders.flatMap(({ figures }) => figures.series.flatMap(({ p99 }) => p99 ?? []))
  const fast = contenders.flatMap(({ figures }) => figures.series.flatMap(({ p50 }) => p50 ?? []))
  const range = [Math.max(0.001, Math.min(...fast)), Math.max(...slow)] as const
  return tag(
    'div',
    'cards',
    contenders.map(({ name, at, figures }) =>
      tag('div', 'card', [
        tag('h4', undefined, escaped(name)),
        courseOf({ name, at, series: figures.series, durationMillis: result.workload.durationMillis, range }),
        paragraph(isStrategyName(name) ? `${strategies[name].summary} (${strategies[name].source})` : '', 'about'),
      ]),
    ),
  )
}

/** The same result gives the same page, byte for byte. */
export const pageOf = (result: SimulationResult, { command, version }: PageAbout): string => {
  const heading = `Load balancing: ${result.workload.name}`
  const contenders = Object.entries(result.strategies).map(([name, figures], at) => ({ name, at, figures }))
  const changes = contenders.some((one) => one.figures.disruption !== null)
  const shown = [...figuresOf(result), ...(changes ? [disruption] : [])]
  return documentOf(heading, [
    tag('h1', undefined, escaped(heading)),
    paragraph(
      'Strategies on the same trace: the same arrivals, keys, sizes of requests and bad luck for each, in virtual time. Shorter bars are better.',
    ),
    paragraph(`${settingLine(result)}.`, 'faint'),
    tag('h2', undefined, 'Over all'),
    tag(
      'div',
      'cards',
      shown.map((one) => card(one, contenders)),
    ),
    tag('h2', undefined, 'In the course of time'),
    paragraph(
      'The 99th percentile (strong) and the median (faint) of the requests that arrived in each sixtieth of the time and ended well, on one logarithmic scale for all; below, in red, the part that ended in an error. Where a server that is too slow has no room left, errors take the place of the slowest requests.',
      'faint',
    ),
    courses(result, contenders),
    tag('footer', undefined, [
      paragraph(
        'Picking takes no time in this world, and balancers know at once which servers there are. It counts what a strategy does to queues, not what it costs.',
      ),
      tag('p', undefined, ['The same figures again: ', tag('code', undefined, escaped(command))]),
      paragraph(`Conclave ${version}.`, 'faint'),
    ]),
  ])
}
