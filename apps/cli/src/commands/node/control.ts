/** `conclave node kill|pause|resume|restart NAME`: so that a person can play with failure on a local cluster. */
import { Args } from '@oclif/core'
import { ConclaveCommand } from '../../base-command.ts'
import { CommandFailed, exitCodes } from '../../exit.ts'
import { type LocalCluster, requireCluster, requireNode } from '../../local/cluster.ts'
import { endProcess, type ProcessState, signalProcess, waitUntil } from '../../local/process.ts'
import { type LocalProcess, processOf, startProcess, supervisorOf, withLock } from '../../local/supervise.ts'
import { dataFlag } from '../../target.ts'

const nodeArg = { name: Args.string({ ignoreStdin: true, description: 'the node, such as n1', required: true }) }

const notRunning = (name: string): never => {
  throw new CommandFailed(
    exitCodes.refused,
    'not-running',
    `${name} is not running`,
    `Start it with: conclave node restart ${name}`,
  )
}

const send = (found: LocalProcess, signal: NodeJS.Signals): void => {
  if (found.record === undefined || !signalProcess(found.record, signal)) notRunning(found.node.name)
}

const reach = async (local: LocalCluster, found: LocalProcess, state: ProcessState): Promise<void> => {
  await waitUntil(5_000, () => processOf(local, found.node).state === state)
}

export class NodeKill extends ConclaveCommand {
  static override summary = 'SIGKILL a node of the local cluster: it has no time to close anything.'
  static override examples = ['<%= config.bin %> <%= command.id %> n1']
  static override args = nodeArg
  static override flags = dataFlag

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(NodeKill)
    const local = requireCluster(flags.data)
    const found = processOf(local, requireNode(local, args.name))
    send(found, 'SIGKILL')
    await reach(local, found, 'dead')
    this.log(`killed ${args.name} (pid ${found.record?.pid}); bring it back with: conclave node restart ${args.name}`)
    return { name: args.name, pid: found.record?.pid, state: 'dead' }
  }
}

export class NodePause extends ConclaveCommand {
  static override summary = 'SIGSTOP a node of the local cluster: it hangs, its connections stay.'
  static override examples = ['<%= config.bin %> <%= command.id %> n1']
  static override args = nodeArg
  static override flags = dataFlag

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(NodePause)
    const local = requireCluster(flags.data)
    const found = processOf(local, requireNode(local, args.name))
    send(found, 'SIGSTOP')
    await reach(local, found, 'paused')
    this.log(`paused ${args.name}; let it go on with: conclave node resume ${args.name}`)
    return { name: args.name, pid: found.record?.pid, state: 'paused' }
  }
}

export class NodeResume extends ConclaveCommand {
  static override summary = 'SIGCONT a paused node of the local cluster.'
  static override examples = ['<%= config.bin %> <%= command.id %> n1']
  static override args = nodeArg
  static override flags = dataFlag

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(NodeResume)
    const local = requireCluster(flags.data)
    const found = processOf(local, requireNode(local, args.name))
    send(found, 'SIGCONT')
    await reach(local, found, 'running')
    this.log(`resumed ${args.name}`)
    return { name: args.name, pid: found.record?.pid, state: 'running' }
  }
}

export class NodeRestart extends ConclaveCommand {
  static override summary = 'Start a node of the local cluster anew; one that runs is closed first.'
  static override examples = ['<%= config.bin %> <%= command.id %> n1']
  static override args = nodeArg
  static override flags = dataFlag

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(NodeRestart)
    const local = requireCluster(flags.data)
    const node = requireNode(local, args.name)
    const { pid } = await withLock(local.directory, async () => {
      const { record } = processOf(local, node)
      if (record !== undefined) await endProcess(record, 5_000)
      // Under a foreground `up` it belongs to that one, and ends with it.
      return startProcess(local, node, supervisorOf(local.directory))
    })
    this.log(`started ${args.name} (pid ${pid}); see it with: conclave status`)
    return { name: args.name, pid, state: 'running' }
  }
}
