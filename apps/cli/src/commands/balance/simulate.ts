import { presetNames, strategyNames } from '@conclave/balance/names'
import { Flags } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'

export class BalanceSimulate extends ConclaveCommand {
  static override summary = 'Play the same requests with each load-balancing strategy, in virtual time.'
  static override description =
    `Servers with queues, balancers that share no state, requests with keys: each strategy gets the very same arrivals, sizes and bad luck. The same command gives the same figures on any machine.

Strategies: ${strategyNames.join(', ')}.
Presets: ${presetNames.join(', ')}; --json shows one as a workload, under "workload", to be changed and given as a FILE.

Latency: from arrival to end, of requests that ended well. Errors: of a server, of a full queue, or since nobody was picked. Imbalance: the load of the fullest server divided by the mean. Keys moved: the part of the keys that have another server after the servers changed, and the part that had to. docs/balancing.md says more.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --workload one-slow',
    '<%= config.bin %> <%= command.id %> --strategy p2c,ring-hash --workload churn --seed 7 --html report.html',
    '<%= config.bin %> <%= command.id %> --workload ./workload.json --json',
  ]
  static override flags = {
    strategy: Flags.string({
      description: 'strategies, separated by commas, or "all"',
      default: 'all',
      helpValue: 'LIST',
    }),
    workload: Flags.string({
      description: 'the name of a preset, or a file with a workload in JSON',
      default: 'uniform',
      helpValue: 'FILE|PRESET',
    }),
    seed: Flags.integer({ description: 'decides what is drawn', default: 1, min: 0, max: 1_000_000, helpValue: 'N' }),
    html: Flags.string({ description: 'write a page with plots into this file', helpValue: 'FILE' }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(BalanceSimulate)
    const { simulateBalancing } = await import('../../balance/session.ts')
    return simulateBalancing({ flags, version: this.config.version, say: (text) => this.log('%s', text) })
  }
}
