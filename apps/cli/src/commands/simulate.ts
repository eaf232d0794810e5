import { Flags } from '@oclif/core'
import { ConclaveCommand } from '../base-command.ts'
import { engineFlag, engineSearch } from '../engines.ts'

export class Simulate extends ConclaveCommand {
  static override summary = 'Run whole clusters in a simulated world where everything goes wrong, and check every step.'
  static override description =
    'A seed decides what happens: crashes, partitions, broken disks, pauses, membership changes. The same seed gives the same run. Exit code 1 if an invariant was violated; then the plan is shrunk, its timeline is printed, and the plan (for --replay) and a diagram are written. Ctrl-C ends with the summary so far and exit code 130.'
  static override usage = [
    '<%= command.id %> [--seed N] [--runs N | --duration TIME] [--engine ENGINE] [--nodes N] [--faults LIST] [--workload kv|locks] [--leases] [--jobs N] [--out DIR] [--json]',
    '<%= command.id %> --replay FILE [--engine ENGINE] [--out DIR] [--json]',
  ]
  static override examples = [
    '<%= config.bin %> <%= command.id %> --runs 1000 --seed 1',
    '<%= config.bin %> <%= command.id %> --engine paxos --runs 1000',
    '<%= config.bin %> <%= command.id %> --engine ./my-engine --runs 1000',
    '<%= config.bin %> <%= command.id %> --workload locks --runs 1000',
    '<%= config.bin %> <%= command.id %> --duration 10m --nodes 5 --faults crash,partition',
    '<%= config.bin %> <%= command.id %> --replay conclave-simulate-7.json',
  ]
  static override flags = {
    engine: engineFlag('consensus engine (default: raft)'),
    seed: Flags.integer({ description: 'the first seed (default: 1); alone: only this one', min: 0, helpValue: 'N' }),
    runs: Flags.integer({ description: 'how many seeds (default: 100)', min: 1, max: 100_000_000, helpValue: 'N' }),
    duration: Flags.string({
      description: 'begin runs until so much real time is over: 90s, 10m, 1.5h',
      helpValue: 'TIME',
      exclusive: ['runs'],
    }),
    nodes: Flags.integer({
      description: 'founders of every cluster (default: 3 to 5, by the seed)',
      min: 1,
      max: 9,
      helpValue: 'N',
    }),
    faults: Flags.string({
      description:
        'kinds of faults, separated by commas; "all" or "none". Kinds: crash, restart-storm, partition, isolate, one-way, reset, weather, pause, disk-stall, disk-full, disk-fails, disk-corruption, disk-lost, coup, add, remove, promote, transfer',
      default: 'all',
      helpValue: 'LIST',
    }),
    workload: Flags.option({
      description: 'what clients do: use the key-value store, or the lock service',
      options: ['kv', 'locks'] as const,
      default: 'kv',
      helpValue: 'kv|locks',
    })(),
    leases: Flags.boolean({ description: 'lease reads in every run (default: by the seed)' }),
    jobs: Flags.integer({
      description: 'threads (default: one a core); changes no result',
      min: 1,
      max: 256,
      helpValue: 'N',
    }),
    replay: Flags.string({
      description: 'run the plan of this file',
      helpValue: 'FILE',
      exclusive: ['seed', 'runs', 'duration', 'nodes', 'faults', 'workload', 'leases', 'jobs'],
    }),
    out: Flags.string({ description: 'where files of a failure are written', default: '.', helpValue: 'DIR' }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Simulate)
    const { importEngine } = await import('@conclave/node/engines')
    const { replay, simulate } = await import('../simulate/session.ts')
    const { place: engine } = await importEngine(flags.engine ?? 'raft', engineSearch(this.config))
    const say = (text: string): void => this.log('%s', text)
    const { exit, json } =
      flags.replay === undefined
        ? await simulate({ ...flags, engine }, say)
        : await replay({ file: flags.replay, engine, out: flags.out }, say)
    process.exitCode = exit
    return json
  }
}
