import { isAbsolute, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Flags } from '@oclif/core'
import { ConclaveCommand, color } from '../base-command.ts'
import { engineFlag, engineSearch } from '../engines.ts'
import { CommandFailed, exitCodes } from '../exit.ts'
import {
  addressOf,
  defaultDirectory,
  type LocalCluster,
  logPath,
  nearestCluster,
  readCluster,
  upPath,
} from '../local/cluster.ts'
import { createCluster } from '../local/create.ts'
import { followAll, LogFollower } from '../local/follow.ts'
import { type ProcessRecord, removeRecord } from '../local/process.ts'
import { processesOf, recordSupervisor, startDead, stopAll, supervisorOf, withLock } from '../local/supervise.ts'
import { renderLogLine } from '../log-lines.ts'
import type { Observer } from '../observe.ts'
import { endSignal } from '../signals.ts'
import { changes, renderScreen, Screen } from '../up-screen.ts'
import { engineTrouble, isSplitByEngine, leaderOf, type NodeView, rateMeter, viewsJson } from '../view.ts'

/** How long `up -d` waits for a leader. */
const leaderMillis = 30_000

export class Up extends ConclaveCommand {
  static override summary = 'Boot a local cluster, one process a node, and show it.'
  static override description =
    'Ports and identities are chosen once and kept; again: starts what is dead, on the same data. Without -d the nodes end with this command.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> -n 5 -d',
    '<%= config.bin %> <%= command.id %> --engine paxos',
    '<%= config.bin %> <%= command.id %> --engine ./my-engine',
  ]
  static override flags = {
    nodes: Flags.integer({ char: 'n', description: 'how many (default: 3, or as many as there are)', min: 1, max: 9 }),
    detach: Flags.boolean({ char: 'd', description: 'return once a leader serves; end with `conclave down`' }),
    engine: engineFlag('consensus engine of a new cluster (default: raft)'),
    data: Flags.string({ description: `directory of the cluster (default: ${defaultDirectory})`, helpValue: 'DIR' }),
    'snapshot-bytes': Flags.string({
      description: 'bytes of log between snapshots; only for a new cluster',
      helpValue: 'SIZE',
    }),
    'tail-bytes': Flags.string({
      description: 'bytes of log kept for slower nodes; only for a new cluster',
      helpValue: 'SIZE',
    }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Up)
    const directory = resolve(flags.data ?? defaultDirectory)
    const engine = flags.engine === undefined ? undefined : await this.engineAt(flags.engine)
    const local = readCluster(directory) ?? (await this.create(directory, { ...flags, engine }))
    if (flags.nodes !== undefined && flags.nodes !== local.nodes.length) {
      throw new CommandFailed(
        exitCodes.error,
        'other-size',
        `the cluster in ${directory} has ${local.nodes.length} nodes, not ${flags.nodes}`,
        'Leave out -n, name another directory with --data, or remove it with: conclave down --purge',
      )
    }
    if (engine !== undefined && engine !== local.engine) {
      throw new CommandFailed(
        exitCodes.error,
        'other-engine',
        `the cluster in ${directory} runs on ${local.engine}, not on ${engine}`,
        'Leave out --engine, name another directory with --data, or remove it with: conclave down --purge',
      )
    }
    const supervisor = supervisorOf(directory)
    if (supervisor !== undefined && !flags.detach) {
      throw new CommandFailed(
        exitCodes.error,
        'already-up',
        `conclave up (pid ${supervisor.pid}) already runs this cluster`,
        'See it with `conclave status`, end it with `conclave down`.',
      )
    }
    return flags.detach ? this.detached(local, supervisor) : this.foreground(local)
  }

  /** What names the engine to node processes, which run elsewhere. It is loaded here, so that one that cannot be is refused before anything is made. */
  private async engineAt(name: string): Promise<string> {
    const { importEngine } = await import('@conclave/node/engines')
    return (await importEngine(name, engineSearch(this.config))).place
  }

  private create(
    directory: string,
    flags: {
      nodes?: number | undefined
      engine?: string | undefined
      'snapshot-bytes'?: string | undefined
      'tail-bytes'?: string | undefined
    },
  ): Promise<LocalCluster> {
    const { 'snapshot-bytes': snapshotBytes, 'tail-bytes': tailBytes } = flags
    return createCluster({
      directory,
      nodes: flags.nodes ?? 3,
      engine: flags.engine ?? 'raft',
      cluster: 'conclave',
      ...(snapshotBytes === undefined ? {} : { snapshotBytes }),
      ...(tailBytes === undefined ? {} : { tailBytes }),
    })
  }

  private async observer(local: LocalCluster): Promise<Observer> {
    const { observe } = await import('../observe.ts')
    return observe({ endpoints: local.nodes.map(addressOf), local })
  }

  private async detached(local: LocalCluster, supervisor: ProcessRecord | undefined): Promise<unknown> {
    const started = await withLock(local.directory, () => startDead(local, supervisor))
    await using observer = await this.observer(local)
    const views = await this.untilLeader(local, observer)
    const leader = leaderOf(views)?.name
    this.log(
      started.length === 0 ? 'the cluster was up already' : `started ${started.map((node) => node.name).join(', ')}`,
    )
    const trouble = engineTrouble(views)
    if (trouble !== undefined) this.log(color('31', trouble))
    for (const { name, address } of views) this.log(`  ${name}${name === leader ? ' leads ' : '       '} ${address}`)
    const data =
      isAbsolute(local.directory) && nearestCluster(process.cwd()) === local.directory
        ? ''
        : ` --data ${local.directory}`
    this.log(
      `\nNext:\n  conclave kv put${data} greeting hello\n  conclave kv get${data} greeting\n  conclave status${data}\n  conclave down${data}`,
    )
    return { directory: local.directory, started: started.map((node) => node.name), ...viewsJson(views) }
  }

  /** @throws CommandFailed (4) if no node leads in time; (1) at once if a node that should run has ended. */
  private async untilLeader(local: LocalCluster, observer: Observer): Promise<NodeView[]> {
    const deadline = Date.now() + leaderMillis
    for (;;) {
      const views = await observer.look()
      if (leaderOf(views) !== undefined) return views
      if (isSplitByEngine(views))
        throw new CommandFailed(
          exitCodes.error,
          'other-engine',
          `no node will ever lead: ${engineTrouble(views)}`,
          'See `engine` in the configuration of each node, and: conclave logs',
        )
      const dead = views.filter((view) => view.state === 'dead').map((view) => view.name)
      if (dead.length * 2 >= views.length) throw ended(local, dead)
      if (Date.now() > deadline) {
        throw new CommandFailed(
          exitCodes.unavailable,
          'no-leader',
          `no node leads after ${leaderMillis / 1000} s`,
          'See why with: conclave logs',
        )
      }
      await sleep(100)
    }
  }

  private async foreground(local: LocalCluster): Promise<unknown> {
    const signal = endSignal()
    if (processesOf(local).every(({ state }) => state !== 'dead')) {
      this.log('the cluster is up already; showing it (Ctrl-C leaves it running)')
      await this.show(local, signal)
      this.log('the cluster still runs; end it with: conclave down')
      return undefined
    }
    const own = recordSupervisor(local.directory)
    try {
      await withLock(local.directory, () => startDead(local, own))
      await this.show(local, signal)
    } finally {
      await withLock(local.directory, () => stopAll(local, own))
      removeRecord(upPath(local.directory))
    }
    this.log(`the cluster is down; its data is kept in ${local.directory}`)
    return undefined
  }

  private async show(local: LocalCluster, signal: Promise<unknown>): Promise<void> {
    const stop = new AbortController()
    const table = process.stdout.isTTY && !this.jsonEnabled()
    const shown = table ? this.table(local, stop.signal) : this.lines(local, stop.signal)
    await Promise.race([signal, shown])
    stop.abort()
    await shown
  }

  private async table(local: LocalCluster, signal: AbortSignal): Promise<void> {
    await using observer = await this.observer(local)
    const screen = new Screen(process.stdout)
    const meter = rateMeter()
    const events: string[] = []
    let before: readonly NodeView[] = []
    try {
      while (!signal.aborted) {
        const views = await observer.look()
        for (const event of changes(before, views, leaderOf(views)?.name, leaderOf(before)?.name)) {
          events.push(`${color('2', new Date().toTimeString().slice(0, 8))} ${event}`)
        }
        events.splice(0, events.length - 6)
        before = views
        screen.draw(renderScreen(local, views, meter(views, performance.now()), events, color, process.stdout.columns))
        await sleep(500, undefined, { signal }).catch(() => {})
      }
    } finally {
      screen.end()
    }
  }

  /** Log lines of all nodes, and one line when a leader serves. */
  private async lines(local: LocalCluster, signal: AbortSignal): Promise<void> {
    const followers = local.nodes.map(
      (node) => new LogFollower(logPath(local, node.name), (line) => this.logLine(node.name, line), undefined),
    )
    const following = followAll(followers, signal)
    await using observer = await this.observer(local)
    let leader: string | undefined
    while (!signal.aborted) {
      const views = await observer.look()
      const now = leaderOf(views)?.name
      if (now !== undefined && now !== leader) {
        leader = now
        if (this.jsonEnabled()) process.stdout.write(`${JSON.stringify(viewsJson(views))}\n`)
        else this.log(`${now} leads; talk to it with: conclave kv put --data ${join(local.directory)} greeting hello`)
      }
      await sleep(1000, undefined, { signal }).catch(() => {})
    }
    await following
  }

  private logLine(name: string, line: string): void {
    if (line === '' || process.stdout.isTTY) return
    if (this.jsonEnabled()) process.stdout.write(`${line}\n`)
    else process.stdout.write(`${name} ${renderLogLine(line, color)}\n`)
  }
}

const ended = (local: LocalCluster, dead: readonly string[]): CommandFailed => {
  const last: string[] = []
  const [name = ''] = dead
  new LogFollower(
    logPath(local, name),
    (line) => line !== '' && last.push(renderLogLine(line, (_, text) => text)),
    -4096,
  ).poll()
  return new CommandFailed(
    exitCodes.error,
    'node-ended',
    `${dead.join(', ')} ended right after the start`,
    `The last lines of its log:\n${last.slice(-5).join('\n')}`,
  )
}
