/** What `conclave balance simulate` does. */
import { type SimulationResult, simulate } from '@conclave/balance/simulate'
import { tryPage, writePage } from '../compare/page/file.ts'
import { pageOf } from './page.ts'
import { parseStrategies, workloadOf } from './request.ts'
import { tableOf } from './table.ts'

export interface BalanceFlags {
  readonly strategy: string
  readonly workload: string
  readonly seed: number
  readonly html?: string | undefined
}

export interface BalanceInit {
  readonly flags: BalanceFlags
  /** Of the command line, for the page. */
  readonly version: string
  readonly say: (text: string) => void
}

/** What `--json` shows. */
export interface BalanceJson extends SimulationResult {
  /** What gives the same again. */
  readonly command: string
  readonly conclave: string
}

/** @throws CommandFailed (2) if a flag is not what it should be. */
export const simulateBalancing = ({ flags, version, say }: BalanceInit): BalanceJson => {
  const strategies = parseStrategies(flags.strategy)
  const workload = workloadOf(flags.workload)
  if (flags.html !== undefined) tryPage(flags.html)
  const result = simulate(workload, { seed: flags.seed, strategies })
  const command = commandFor(flags)
  say(`${tableOf(result)}\n\nagain: ${command}`)
  if (flags.html !== undefined) {
    writePage(flags.html, pageOf(result, { command, version }))
    say(`page:  ${flags.html}`)
  }
  return { ...result, command, conclave: version }
}

const commandFor = ({ strategy, workload, seed }: BalanceFlags): string =>
  `conclave balance simulate --strategy ${strategy} --workload ${workload} --seed ${seed}`
