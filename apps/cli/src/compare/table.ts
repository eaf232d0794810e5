/** A comparison as tables of text. */
import { type Comparison, disturbancesOf, type EngineFigures, type FaultFigures, failovers } from '@conclave/simulator'
import { color } from '../base-command.ts'
import { titled } from '../text-table.ts'
import { figure, percent, sectionsOf, withUnit } from './rows.ts'

type Figures = readonly EngineFigures[]

const failoverCell = (figures: EngineFigures, name: string): string => {
  const { decidedMillis, runs = 0, missed = 0 } = figures.failovers[name] ?? {}
  if (decidedMillis === undefined) return '–'
  const lacking = missed === 0 ? '' : ` (${missed} of ${runs} never)`
  return `${figure(decidedMillis.median)} / ${figure(decidedMillis.p99)} ms${lacking}`
}

const faultCells = (found: FaultFigures | 'unsupported' | null | undefined): [string, string] => {
  if (found === 'unsupported') return ['not offered', '']
  if (found === null || found === undefined) return ['–', '']
  return [percent(found.served), `${figure(found.gapMillis.median)} ms`]
}

/** Empty if no kind of fault was asked for. */
const faultTable = ({ engines, given, request }: Comparison, figures: Figures): string[] => {
  const struck = disturbancesOf(request.faults)
  if (struck.length === 0) return []
  const within = `${figure(given.servedMillis)} ms`
  return titled(`Writes answered within ${within}, and the longest gap (median of ${given.faultSeeds})`, [
    ['', ...engines.flatMap((engine) => [engine, 'gap'])],
    ...struck.map(({ name }) => [`  ${name}`, ...figures.flatMap((one) => faultCells(one.faults[name]))]),
  ])
}

const sizeTable = (comparison: Comparison, nodes: number, figures: Figures): string[] => {
  const { engines, request } = comparison
  return [
    '',
    color('1', `${nodes} nodes`),
    ...sectionsOf(comparison).flatMap(({ title, rows }) =>
      titled(title, [
        ['', ...engines],
        ...rows.map((row) => [`  ${row.label}`, ...figures.map((one) => withUnit(row.of(one), row.unit))]),
      ]),
    ),
    ...titled(`A new leader decides after … (median / 99th percentile of ${request.seeds})`, [
      ['', ...engines],
      ...failovers.map((name) => [`  ${name}`, ...figures.map((one) => failoverCell(one, name))]),
    ]),
    ...faultTable(comparison, figures),
  ]
}

/** What everything was measured in, in one line. */
export const settingLine = ({ request, given }: Comparison): string =>
  [
    `one way ${request.latencyMillis} ms ± ${given.jitter * 100} %`,
    request.loss === 0 ? 'no loss' : `loss ${percent(request.loss)}`,
    `sync ${given.syncMillis} ms`,
    `values of ${request.valueBytes} bytes`,
    `heartbeat ${given.heartbeatMillis} ms`,
    `time-out ${given.electionMillis} to ${2 * given.electionMillis} ms`,
    `seeds from ${request.seed} on`,
  ].join(', ')

export const tableOf = (comparison: Comparison): string =>
  [
    settingLine(comparison),
    ...comparison.sizes.flatMap(({ nodes, figures }) =>
      sizeTable(
        comparison,
        nodes,
        comparison.engines.map((engine) => figures[engine]).filter((one) => one !== undefined),
      ),
    ),
  ].join('\n')
