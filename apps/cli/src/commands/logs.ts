import { Args, Flags } from '@oclif/core'
import { ConclaveCommand, color } from '../base-command.ts'
import { logPath, requireCluster, requireNode } from '../local/cluster.ts'
import { followAll, LogFollower } from '../local/follow.ts'
import { renderLogLine } from '../log-lines.ts'
import { dataFlag } from '../target.ts'

export class Logs extends ConclaveCommand {
  static override summary = 'Show what the nodes of the local cluster log.'
  static override examples = ['<%= config.bin %> <%= command.id %> n1', '<%= config.bin %> <%= command.id %> --follow']
  static override args = { node: Args.string({ ignoreStdin: true, description: 'one node; all if absent' }) }
  static override flags = {
    ...dataFlag,
    follow: Flags.boolean({ char: 'f', description: 'go on with what is logged from now on' }),
    bytes: Flags.integer({ description: 'bytes of each log to begin with', default: 16_384, min: 0, helpValue: 'N' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Logs)
    const local = requireCluster(flags.data)
    const names = args.node === undefined ? local.nodes.map((node) => node.name) : [requireNode(local, args.node).name]
    const followers = names.map((name) => {
      const from = flags.bytes === 0 ? undefined : -flags.bytes
      return new LogFollower(logPath(local, name), (line) => this.line(name, line), from)
    })
    for (const follower of followers) follower.poll()
    if (!flags.follow) return
    const stop = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
    await followAll(followers, stop.signal)
  }

  private line(name: string, line: string): void {
    if (line === '') return
    if (this.jsonEnabled()) process.stdout.write(`${line}\n`)
    else this.log(`${color('1', name)} ${renderLogLine(line, color).replaceAll('%', '%%')}`)
  }
}
