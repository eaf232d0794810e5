import { dirname, resolve } from 'node:path'
import type { NodeConfig } from '@conclave/node'
import { Flags } from '@oclif/core'
import { ConclaveCommand, colorful } from '../../base-command.ts'
import { engineFlag, engineSearch } from '../../engines.ts'
import { CommandFailed, exitCodes } from '../../exit.ts'
import { watchProcess } from '../../local/process.ts'
import { endSignal, ownerFlag, parseOwner } from '../../signals.ts'

const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const
type LogLevel = (typeof levels)[number]

export class NodeStart extends ConclaveCommand {
  static override summary = 'Run one node of a cluster in this process, until SIGTERM or Ctrl-C.'
  static override description =
    'Takes a configuration file (YAML or JSON), or flags; flags win. Logs to standard output, as JSON lines unless that is a terminal.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --config node.yaml',
    '<%= config.bin %> <%= command.id %> --name a --listen /ip4/192.168.1.10/tcp/7400 --data /var/lib/conclave --member a=/ip4/192.168.1.10/tcp/7400/p2p/12D3… --member b=… --member c=…',
  ]
  static override flags = {
    config: Flags.string({ description: 'configuration file', helpValue: 'FILE' }),
    name: Flags.string({ description: 'the node', helpValue: 'NAME' }),
    cluster: Flags.string({ description: "the cluster's name (default: conclave)", helpValue: 'NAME' }),
    listen: Flags.string({
      description: 'where it listens; may be repeated',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'MULTIADDR',
    }),
    data: Flags.string({ description: 'data directory', helpValue: 'DIR' }),
    member: Flags.string({
      description: 'every member, this one included: what `conclave init` printed; with --join, some present members',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME=MULTIADDR/p2p/ID',
    }),
    join: Flags.boolean({
      description: 'join a cluster that is there: wait until `conclave member add` has added this node',
    }),
    engine: engineFlag('consensus engine, the same on all members (default: raft)'),
    profile: Flags.string({ description: 'timing', options: ['lan', 'wan'] }),
    'insecure-clients': Flags.boolean({
      description: 'serve clients beyond loopback: anyone who reaches the port may read and write',
    }),
    leases: Flags.boolean({ description: 'serve lease reads without a round to a quorum; the same on all members' }),
    log: Flags.string({ description: 'log level (default: info)', options: [...levels] }),
    ...ownerFlag,
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(NodeStart)
    const { loadConfig, loadEngine, startNode } = await import('@conclave/node')
    const given = flags.config === undefined ? undefined : await loadConfig(flags.config)
    const { log: fileLog, engine: fileEngine, ...file } = given ?? { log: undefined, engine: undefined }
    // A package that the file names is looked for from where the file is.
    const from = flags.engine === undefined && flags.config !== undefined ? dirname(resolve(flags.config)) : undefined
    const engine = await loadEngine(flags.engine ?? fileEngine ?? 'raft', engineSearch(this.config, from))
    const level = (flags.log ?? fileLog ?? 'info') as LogLevel
    const ended = endSignal()
    const { nodeLogger } = await import('../../node-logger.ts')
    const logger = nodeLogger(level, colorful(process.stdout))
    const node = await startNode({ ...file, ...configFrom(flags), engine, logger } as NodeConfig)
    logger.info({ name: node.name, id: node.id, pid: process.pid, addresses: node.addresses }, 'the node is up')
    const lost = new Promise<'owner'>((resolve) => {
      if (flags.owner !== undefined) watchProcess(parseOwner(flags.owner), () => resolve('owner'))
    })
    const fatal = new Promise<Error>((resolve) => node.on('fatal', resolve))
    const reason = await Promise.race([ended, lost, fatal])
    if (reason instanceof Error) logger.error({ error: reason.message }, 'the node failed for good')
    else logger.info({ reason }, 'the node closes')
    await node.close()
    if (reason instanceof Error) throw new CommandFailed(exitCodes.error, 'fatal', reason.message)
    // libp2p leaves a timer of a second; everything of ours is closed and written.
    this.exit(exitCodes.done)
  }
}

interface StartFlags {
  readonly name?: string | undefined
  readonly cluster?: string | undefined
  readonly listen?: string[] | undefined
  readonly data?: string | undefined
  readonly member?: string[] | undefined
  readonly profile?: string | undefined
  readonly 'insecure-clients'?: boolean
  readonly join?: boolean
  readonly leases?: boolean
}

/** What the flags say of a configuration; what they leave out is absent. The node's own schema judges it. */
const configFrom = (flags: StartFlags): Record<string, unknown> => {
  const given = {
    name: flags.name,
    cluster: flags.cluster,
    listen: flags.listen,
    data: flags.data,
    members: flags.member && membersFrom(flags.member),
    profile: flags.profile,
    insecureClients: flags['insecure-clients'] || undefined,
    join: flags.join || undefined,
    leases: flags.leases || undefined,
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

const membersFrom = (members: readonly string[]): Record<string, string[]> => {
  const byName: Record<string, string[]> = {}
  for (const member of members) {
    const at = member.indexOf('=')
    if (at < 1) {
      throw new CommandFailed(
        exitCodes.usage,
        'invalid-member',
        `--member ${member}: expected NAME=MULTIADDR/p2p/ID`,
        'Paste the line that `conclave init` printed on that host.',
      )
    }
    const name = member.slice(0, at)
    byName[name] = [...(byName[name] ?? []), member.slice(at + 1)]
  }
  return byName
}
