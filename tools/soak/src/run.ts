/** One run, from the first namespace to the verdict. */
import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { seededRandom } from '@conclave/interface'
import { type Checked, check } from './check/index.ts'
import { checkLocks } from './check/locks.ts'
import type { Violation } from './check/violation.ts'
import { nodeCommand, startChild, Talker } from './child.ts'
import { Cluster, clusterName } from './cluster.ts'
import { fileSystemOf, loopObstacle } from './disks.ts'
import type { MembershipHands } from './fault.ts'
import { type Hold, micros, type Operation, readLines, type WatchedEvent } from './history.ts'
import { Ledger } from './ledger.ts'
import type { ClientsInit, FromClients, ObserverInit, ToClients } from './messages.ts'
import { type FaultRecord, Nemesis, type Round } from './nemesis.ts'
import { clientHosts, type Mode, Network, namespaceObstacle } from './network.ts'
import { Onlooker } from './onlooker.ts'
import { type Options, UsageError } from './options.ts'
import { countElections, longestUnavailability, Tally } from './tally.ts'

export interface Place {
  readonly mode: Mode
  readonly disks: 'loop' | 'plain'
  readonly fileSystem: string
  /** What could not be had here, and why. */
  readonly without: readonly string[]
}

export interface RunResult {
  readonly place: Place
  readonly rounds: readonly Round[]
  readonly operations: readonly Operation[]
  readonly holds: readonly Hold[]
  readonly events: number
  readonly violations: readonly Violation[]
  /** Undefined: the nodes did not come to rest, so that there was nothing to check. */
  readonly checked: Checked | undefined
  readonly seconds: number
  readonly elections: number
  readonly snapshots: { readonly snapshotsCaptured: number; readonly snapshotsInstalled: number }
  /** By kind, and by whether they were done. */
  readonly memberChanges: Readonly<Record<string, number>>
  readonly longestUnavailabilityMillis: number
  /** It was told to end before its time. */
  readonly early: boolean
  /** Where data and logs are, or were. */
  readonly directory: string
  /** What could not be removed. */
  readonly left: readonly string[]
}

export interface Progress {
  readonly seconds: number
  readonly faults: number
  readonly counts: Readonly<Record<string, number>>
  readonly leader: string | undefined
}

export interface RunInit {
  readonly options: Options
  /** Ends the nemesis; the checks follow. */
  readonly signal: AbortSignal
  onPlace(place: Place, directory: string): void
  onFault(fault: FaultRecord): void
  onProgress(progress: Progress): void
  onStage(text: string): void
}

const cache = fileURLToPath(new URL('../../../node_modules/.cache/soak', import.meta.url))

/** @throws UsageError if what was asked for cannot be had here; Error if the cluster cannot even be started. */
export const run = async (init: RunInit): Promise<RunResult> => {
  const { options } = init
  const place = await choosePlace(options)
  const directory = await mkdtemp(join(options.directory ?? cache, 'run-'))
  const ledger = Ledger.open(directory)
  init.onPlace(place, directory)
  const soak = new Soak(init, place, directory, ledger)
  let good = false
  try {
    const result = await soak.run()
    good = result.violations.length === 0
    await soak.retire()
    const left = await ledger.demolish(!good || options.keep)
    return { ...result, left }
  } catch (error) {
    await soak.retire()
    await ledger.demolish(true)
    throw error
  }
}

const choosePlace = async (options: Options): Promise<Place> => {
  const parent = options.directory ?? cache
  await mkdir(parent, { recursive: true })
  const fileSystem = fileSystemOf(parent)
  if (/^(tmpfs|ramfs)\b/.test(fileSystem)) throw new UsageError(`${parent} is in memory (${fileSystem}): give --dir`)
  const noNamespaces = namespaceObstacle()
  if (options.mode === 'netns' && noNamespaces !== undefined) throw new UsageError(noNamespaces)
  const noLoop = loopObstacle()
  if (options.disks === 'loop' && noLoop !== undefined) throw new UsageError(noLoop)
  const without = []
  if (options.mode === undefined && noNamespaces !== undefined) without.push(`partitions and loss: ${noNamespaces}`)
  if (options.disks === undefined && noLoop !== undefined) without.push(`full disks: ${noLoop}`)
  return {
    mode: options.mode ?? (noNamespaces === undefined ? 'netns' : 'loopback'),
    disks: options.disks ?? (noLoop === undefined ? 'loop' : 'plain'),
    fileSystem,
    without,
  }
}

class Soak {
  readonly #init: RunInit
  readonly #place: Place
  readonly #directory: string
  readonly #ledger: Ledger
  readonly #network: Network
  readonly #violations: Violation[] = []
  readonly #counts = new Map<string, Readonly<Record<string, number>>>()
  readonly #clients: Talker<ToClients, FromClients>[] = []
  #onlooker: Onlooker | undefined
  #cluster: Cluster | undefined
  #faults = 0
  /** Something is wrong already: no need to go on. */
  readonly #wrong = new AbortController()

  constructor(init: RunInit, place: Place, directory: string, ledger: Ledger) {
    this.#init = init
    this.#place = place
    this.#directory = directory
    this.#ledger = ledger
    const { nodes, seed } = init.options
    const names = Array.from({ length: nodes }, (_, at) => `n${at + 1}`)
    const random = seededRandom(seed)
    const failed = this.#failed
    this.#network = new Network({ mode: place.mode, nodes: names, random, ledger, directory, failed })
  }

  readonly #failed = (problem: string): void => this.#violation('process', problem)

  #violation(name: string, text: string): void {
    this.#violations.push({ check: name, text })
    this.#wrong.abort()
  }

  #file(name: string): string {
    return join(this.#directory, name)
  }

  async run(): Promise<Omit<RunResult, 'left'>> {
    const { options, signal, onStage } = this.#init
    onStage('starting the cluster')
    await this.#start()
    const began = performance.now()
    const progress = setInterval(() => this.#progress(began), 1000)
    try {
      const rounds = await this.#nemesis()
      const seconds = (performance.now() - began) / 1000
      onStage('healed; waiting for every node to hold the same')
      await Promise.all(this.#clients.map((clients) => this.#stop(clients)))
      const final = await this.#onlooker?.final()
      onStage('checking the history')
      const operations = await this.#operations()
      const holds = await this.#holds()
      if (options.lockers > 0) this.#violations.push(...checkLocks(holds))
      const events = await readLines<WatchedEvent>(this.#file('events.ndjson'))
      if (final !== undefined && final.nodes.length !== options.nodes)
        this.#violation('membership', `the cluster ended with ${final.nodes.map(({ name }) => name)}`)
      const checked = final === undefined ? undefined : check(operations, events, final)
      this.#violations.push(...(checked?.violations ?? []))
      const logs = this.#cluster?.nodes.map(({ log }) => log) ?? []
      return {
        place: this.#place,
        rounds,
        operations,
        holds,
        events: events.length,
        violations: this.#violations,
        checked,
        seconds,
        elections: await countElections(logs),
        snapshots: (this.#onlooker?.tally ?? new Tally()).snapshots,
        memberChanges: this.#onlooker?.administered ?? {},
        longestUnavailabilityMillis: longestUnavailability(operations),
        early: signal.aborted && seconds < options.minutes * 60,
        directory: this.#directory,
      }
    } finally {
      clearInterval(progress)
    }
  }

  #progress(began: number): void {
    const counts: Record<string, number> = {}
    for (const own of this.#counts.values())
      for (const [name, count] of Object.entries(own)) counts[name] = (counts[name] ?? 0) + count
    const seconds = (performance.now() - began) / 1000
    this.#init.onProgress({ seconds, faults: this.#faults, counts, leader: this.#onlooker?.tally.leader })
  }

  async #start(): Promise<void> {
    const { options } = this.#init
    const { nodes, workers, lockers, seed } = options
    await this.#network.build()
    const names = Array.from({ length: nodes }, (_, at) => `n${at + 1}`)
    const cluster = await Cluster.make({
      engine: options.engine,
      names,
      network: this.#network,
      disks: this.#place.disks,
      leases: options.leases,
      directory: this.#directory,
      ledger: this.#ledger,
      failed: this.#failed,
    })
    this.#cluster = cluster
    for (const node of cluster.nodes) node.start()
    const endpoints = cluster.nodes.map((node) => cluster.endpointOf(node))
    const files = { file: this.#file('observer.ndjson'), events: this.#file('events.ndjson') }
    const observer = this.#child('observer', 'observer.ts', this.#network.observer, {
      endpoints,
      cluster: clusterName,
      ...files,
    } satisfies ObserverInit)
    const onlooker = new Onlooker(observer, options.boundMillis, (name, text) => this.#violation(name, text))
    this.#onlooker = onlooker
    await onlooker.ready()
    if ((await onlooker.probe()) === undefined) throw new Error(`the cluster did not come up; see ${this.#directory}`)
    const began = micros()
    const share = (all: number, at: number): number => Math.max(0, Math.ceil((all - at) / clientHosts.length))
    const each = clientHosts.map((_, at) => share(workers, at)).filter((count) => count > 0)
    for (const [at, count] of each.entries()) {
      const name = `c${at + 1}`
      const files = { file: this.#file(`${name}.ndjson`), holds: this.#file(`${name}-locks.ndjson`) }
      const shape = {
        clients: Math.min(2, count),
        workers: count,
        lockers: share(lockers, at),
        keys: 6,
        generationMillis: 6000,
        leases: options.leases,
      }
      this.#startClients({
        name,
        endpoints,
        cluster: clusterName,
        ...shape,
        seed: seed + 1000 * (at + 1),
        began,
        ...files,
      })
    }
    await Promise.all(this.#clients.map((clients) => clients.next('progress', 30_000)))
  }

  #child(name: string, script: string, within: readonly string[], init: object) {
    const command = [...within, ...nodeCommand, join(import.meta.dirname, script), JSON.stringify(init)]
    return startChild(command, this.#file(`${name}.log`), this.#ledger, true)
  }

  #startClients(init: ClientsInit): void {
    const child = this.#child(
      init.name,
      'clients.ts',
      this.#network.within(clientHosts[this.#clients.length] ?? ''),
      init,
    )
    const clients = new Talker<ToClients, FromClients>(`the clients ${init.name}`, child, this.#failed)
    this.#clients.push(clients)
    clients.on((message) => {
      if (message.type === 'progress') this.#counts.set(init.name, message.counts)
    })
  }

  async #nemesis(): Promise<readonly Round[]> {
    const members = await this.#hands()
    const { options, signal, onFault } = this.#init
    const nodes = this.#cluster?.nodes ?? []
    const leader = () => nodes.find(({ member }) => member.name === this.#onlooker?.tally.leader)
    return new Nemesis({
      arena: { nodes, network: this.#network, leader, ...(members === undefined ? {} : { members }) },
      seed: options.seed,
      kinds: options.faults,
      forMillis: options.minutes * 60_000,
      signal: AbortSignal.any([signal, this.#wrong.signal]),
      probe: () => this.#recovered(),
      onFault: (fault) => {
        this.#faults += 1
        onFault(fault)
      },
    }).run()
  }

  /** For faults that change the members; undefined if this cluster cannot. */
  async #hands(): Promise<MembershipHands | undefined> {
    const [onlooker, cluster] = [this.#onlooker, this.#cluster]
    if (onlooker === undefined || cluster === undefined) return undefined
    if ((await onlooker.administer({ type: 'members' })).members === undefined) return undefined
    return {
      administer: (action) => onlooker.administer(action),
      rebirth: (node) => cluster.rebirth(node),
      endpointOf: (node) => cluster.endpointOf(node),
      replacing: new Set(),
      failed: (text) => this.#violation('membership', text),
    }
  }

  async #recovered(): Promise<number | undefined> {
    const millis = await this.#onlooker?.probe()
    if (millis === undefined) {
      const bound = this.#init.options.boundMillis / 1000
      this.#violation('recovery', `everything is healed, yet no write was acknowledged within ${bound} s`)
    }
    return millis
  }

  async #stop(clients: Talker<ToClients, FromClients>): Promise<void> {
    clients.leaving()
    const done = clients.next('done', 30_000)
    clients.tell({ type: 'stop' })
    await done.catch((error: unknown) => this.#failed(String(error)))
  }

  async #operations(): Promise<Operation[]> {
    const names = ['observer', ...this.#clients.map((_, at) => `c${at + 1}`)]
    const parts = await Promise.all(names.map((name) => readLines<Operation>(this.#file(`${name}.ndjson`))))
    return parts.flat().sort((a, b) => a.invoked - b.invoked)
  }

  async #holds(): Promise<Hold[]> {
    const files = this.#clients.map((_, at) => this.#file(`c${at + 1}-locks.ndjson`))
    return (await Promise.all(files.map((file) => readLines<Hold>(file)))).flat()
  }

  /** Ends every process; what they have written stays. */
  async retire(): Promise<void> {
    this.#network.leaving()
    this.#onlooker?.leaving()
    for (const clients of this.#clients) clients.leaving()
    await Promise.all(this.#cluster?.nodes.map((node) => node.retire()) ?? [])
    await sleep(0)
  }
}
