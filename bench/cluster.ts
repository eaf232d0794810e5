/** A cluster of three real node processes, default settings, and what the system knows of them. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const cliPath = join(import.meta.dirname, '../apps/cli/bin/run.js')

/** Runs a program of node's to its end. @returns what it printed. */
export const runNode = async (...args: readonly string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, args)).stdout

export interface NodeSeen {
  readonly name: string
  readonly address: string
  readonly pid?: number
  readonly status?: {
    readonly applied: number
    readonly counters: { readonly commands: number; readonly batches: number; readonly bytes: number }
    readonly journal: { readonly syncs: number }
  }
}

export interface Seen {
  readonly leader: string | null
  readonly nodes: readonly NodeSeen[]
}

export class BenchCluster {
  readonly engine: string
  readonly #directory: string

  private constructor(engine: string, directory: string) {
    this.engine = engine
    this.#directory = directory
  }

  /** Boots one below `parent`, and removes it when `use` is through. */
  static async with(engine: string, parent: string, use: (cluster: BenchCluster) => Promise<void>): Promise<void> {
    const directory = await mkdtemp(join(parent, 'run-'))
    const cluster = new BenchCluster(engine, directory)
    const interrupted = (): void => void cluster.#remove().finally(() => process.exit(130))
    process.once('SIGINT', interrupted)
    try {
      await cluster.#cli('up', '-d', '--engine', engine)
      await use(cluster)
    } finally {
      process.off('SIGINT', interrupted)
      await cluster.#remove()
    }
  }

  async #remove(): Promise<void> {
    await this.#cli('down', '--purge')
    await rm(this.#directory, { recursive: true, force: true })
  }

  #cli(...args: readonly string[]): Promise<string> {
    return runNode(cliPath, ...args, '--data', join(this.#directory, '.conclave'))
  }

  async see(): Promise<Seen> {
    return JSON.parse(await this.#cli('status', '--json')) as Seen
  }

  async restart(name: string): Promise<void> {
    await this.#cli('node', 'restart', name)
  }
}

export const endpointsOf = ({ nodes }: Seen): string[] => nodes.map(({ address }) => address)
export const pidsOf = ({ nodes }: Seen): number[] => nodes.flatMap(({ pid }) => pid ?? [])

/** CPU time that processes have used, in microseconds; a tick of /proc is 10 ms. */
export const cpuMicros = async (pids: readonly number[]): Promise<number> => {
  let ticks = 0
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks * 10_000
}

/** Resident memory of the largest of these processes, in MiB: now, and the most that it ever was. */
export const memoryMiB = async (pids: readonly number[]): Promise<{ readonly now: number; readonly peak: number }> => {
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/status`, 'utf8')))
  const largest = (field: string): number =>
    Math.round(Math.max(...texts.map((text) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1]))) / 1024)
  return { now: largest('VmRSS'), peak: largest('VmHWM') }
}
