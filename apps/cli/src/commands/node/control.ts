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

type Signalled = { readonly name: string; readonly pid: number | undefined; readonly state: string }

/** Sends a node one signal, and waits until it shows. */
abstract class SignalCommand extends ConclaveCommand {
  static override args = nodeArg
  static override flags = dataFlag

  protected async deliver(signal: Parameters<typeof send>[1], state: Parameters<typeof reach>[2]): Promise<Signalled> {
    const { args, flags } = await this.parse(SignalCommand)
    const local = requireCluster(flags.data)
    const found = processOf(local, requireNode(local, args.name))
    send(found, signal)
    await reach(local, found, state)
    return { name: args.name, pid: found.record?.pid, state }
  }
}

export class NodeKill extends SignalCommand {
  static override summary = 'SIGKILL a node of the local cluster: it has no time to close anything.'
  static override examples = ['<%= config.bin %> <%= command.id %> n1']

  async run(): Promise<unknown> {
    const killed = await this.deliver('SIGKILL', 'dead')
    this.log(`killed ${killed.name} (pid ${killed.pid}); bring it back with: conclave node restart ${killed.name}`)
    return killed
  }
}

export class NodePause extends SignalCommand {
  static override summary = 'SIGSTOP a node of the local cluster: it hangs, its connections stay.'
  static override examples = ['<%= config.bin %> <%= command.id %> n1']

  async run(): Promise<unknown> {
    const paused = await this.deliver('SIGSTOP', 'paused')
    this.log(`paused ${paused.name}; let it go on with: conclave node resume ${paused.name}`)
    return paused
  }
}

export class NodeResume extends SignalCommand {
  static override summary = 'SIGCONT a paused node of the local cluster.'
  static override examples = ['<%= config.bin %> <%= command.id %> n1']

  async run(): Promise<unknown> {
    const resumed = await this.deliver('SIGCONT', 'running')
    this.log(`resumed ${resumed.name}`)
    return resumed
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
