/** A simulation as a table of text. */
import type { SimulationResult, StrategyFigures } from '@conclave/balance/simulate'
import { figure, percent } from '../compare/rows.ts'
import { titled } from '../text-table.ts'

/** What was played, in one line. */
export const settingLine = ({ workload, requests, seed }: SimulationResult): string => {
  const servers = workload.servers.reduce((sum, { count }) => sum + count, 0)
  return [
    `${workload.name}: ${requests.toLocaleString('en-US')} requests in ${figure(workload.durationMillis / 1000)} s`,
    `${counted(servers, 'server')}`,
    `${counted(workload.balancers, 'balancer')}`,
    ...(workload.outlierEjection ? ['outliers are ejected'] : []),
    `seed ${seed}`,
  ].join(', ')
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

/** `9.22 % (9.22 %)`: what moved, and what had to. A dash for who knows no keys. */
export const movedText = ({ disruption }: StrategyFigures): string =>
  disruption === null ? '–' : `${percent(disruption.moved)} (${percent(disruption.needed)})`

export const errorsText = ({ errors }: StrategyFigures, requests: number): string =>
  errors === 0 ? '0' : `${errors.toLocaleString('en-US')} (${percent(errors / requests)})`

export const tableOf = (result: SimulationResult): string => {
  const rows = Object.entries(result.strategies).map(([name, figures]) => {
    const { latencyMillis } = figures
    const millis = [latencyMillis?.p50, latencyMillis?.p90, latencyMillis?.p99, latencyMillis?.p999]
    return [
      name,
      ...millis.map((value) => (value === undefined ? '–' : figure(value))),
      errorsText(figures, result.requests),
      figure(figures.imbalance),
      movedText(figures),
    ]
  })
  const head = ['strategy', 'p50 ms', 'p90', 'p99', 'p99.9', 'errors', 'imbalance', 'keys moved (had to)']
  return titled(settingLine(result), [head, ...rows])
    .slice(1)
    .join('\n')
}
