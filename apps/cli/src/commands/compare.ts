import { engineNames } from '@conclave/node/engines'
import { Flags } from '@oclif/core'
import { ConclaveCommand } from '../base-command.ts'
import { engineSearch } from '../engines.ts'

export class Compare extends ConclaveCommand {
  static override summary = 'Measure engines side by side in the same simulated worlds.'
  static override description =
    `Every engine gets the same clients, networks, disks and faults, in virtual time, from the same seeds. The same command gives the same figures on any machine.

Message delays: how many messages follow each other until a write is decided, where nothing but messages takes time.
Per command: messages and bytes from node to node, heartbeats included, and syncs of all nodes together; with one client, where nothing is batched, and with all of them.
A new leader: from the loss of the old one to the first command that the new one decides. "crash leader": its links are reset; "unnoticed", "pause", "isolate": only a time-out tells.
Faults: a write is begun each 10 ms for 3 s, of which a fault that lasts takes 2 s. The part of them that is answered within 100 ms (or 25 one-way delays, if that is more), and the longest time without an answer.

Clients learn at once who leads, and their messages are never lost, so that figures are those of the engines. Computing takes no time here: \`npm run bench\` measures machines. Every figure is explained in docs/compare.md. Exit code 1 if an engine violates an invariant meanwhile; Ctrl-C ends with exit code 130 and no figures.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --engines raft,paxos',
    '<%= config.bin %> <%= command.id %> --nodes 3,5 --latency 5ms --loss 1% --html report.html',
    '<%= config.bin %> <%= command.id %> --engines raft --seeds 20 --json',
  ]
  static override flags = {
    engines: Flags.string({
      description: 'engines, separated by commas: built-in names, paths of engines (./my-engine), names of packages',
      default: engineNames.join(','),
      helpValue: 'LIST',
    }),
    nodes: Flags.string({
      description: 'sizes of clusters, 3 to 9, separated by commas',
      default: '3',
      helpValue: 'LIST',
    }),
    latency: Flags.string({
      description: 'mean one-way delay of a message, ± 20 %: 200us, 5ms; at most 50ms',
      default: '0.5ms',
      helpValue: 'TIME',
    }),
    loss: Flags.string({
      description: 'part of all messages from node to node that is lost, at most 30%',
      default: '0%',
      helpValue: 'PERCENT',
    }),
    clients: Flags.integer({ description: 'clients under load', default: 16, min: 1, max: 256, helpValue: 'N' }),
    'value-bytes': Flags.integer({
      description: 'size of each value',
      default: 256,
      min: 1,
      max: 65_536,
      helpValue: 'N',
    }),
    faults: Flags.string({
      description:
        'kinds of faults under which the service is measured, as `simulate --faults` has them; "all" or "none"',
      default: 'all',
      helpValue: 'LIST',
    }),
    seed: Flags.integer({ description: 'the first seed', default: 1, min: 0, helpValue: 'N' }),
    seeds: Flags.integer({
      description: 'fail-overs of each kind; every other fault strikes a twentieth as often',
      default: 100,
      min: 1,
      max: 10_000,
      helpValue: 'N',
    }),
    html: Flags.string({ description: 'write a page with plots into this file', helpValue: 'FILE' }),
    jobs: Flags.integer({
      description: 'threads (default: one a core); changes no result',
      min: 1,
      max: 256,
      helpValue: 'N',
    }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Compare)
    const { importEngine } = await import('@conclave/node/engines')
    const { compare } = await import('../compare/session.ts')
    const say = (text: string): void => this.log('%s', text)
    const placeOf = async (engine: string): Promise<string> =>
      (await importEngine(engine, engineSearch(this.config))).place
    const { exit, json } = await compare({ flags, version: this.config.version, say, placeOf })
    process.exitCode = exit
    return json
  }
}
