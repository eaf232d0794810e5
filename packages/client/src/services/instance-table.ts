import { FileProblem } from '../locks/errors.ts'
import type { Session } from '../locks/session.ts'
import { eachOf } from './each-of.ts'
import type { ServiceInstance } from './instance.ts'
import { decodeInstance } from './instance-record.ts'

/** Files that are read at a time. */
const readsAtATime = 32

/** A file as it was read last. */
interface Entry {
  /** What it says is another only if one of these is. */
  readonly instance: bigint
  readonly contentGeneration: bigint
  /** Absent: it says nothing that can be used. */
  readonly found?: ServiceInstance
}

export interface InstanceTableInit {
  readonly session: Session
  readonly directory: string
  /** Told once of each version of a file that cannot be used. */
  readonly invalid: (id: string, reason: string) => void
}

/**
 * What the files in a directory say, read piece by piece. They are read past the session's cache: each version is needed once, and whoever writes one would have to wait until every reader has
 * dropped what it had.
 */
export class InstanceTable {
  readonly #init: InstanceTableInit
  readonly #entries = new Map<string, Entry>()

  constructor(init: InstanceTableInit) {
    this.#init = init
  }

  /** In the order of their ids. */
  instances(): readonly ServiceInstance[] {
    const found = [...this.#entries.values()].flatMap((entry) => entry.found ?? [])
    return found.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** Lists the directory, and reads what has another generation than before. @throws FileProblem `no-node`, `denied`; SessionLost. */
  async readAll(): Promise<void> {
    const { session, directory } = this.#init
    const stats = await session.list(directory)
    const names = new Map(stats.map((stat) => [stat.path.slice(stat.path.lastIndexOf('/') + 1), stat]))
    for (const name of [...this.#entries.keys()]) if (!names.has(name)) this.#entries.delete(name)
    const others = [...names].filter(([name, { instance, contentGeneration }]) => {
      const entry = this.#entries.get(name)
      return entry?.instance !== instance || entry.contentGeneration !== contentGeneration
    })
    await this.read(others.map(([name]) => name))
  }

  /** Reads these again. @returns whether the instances are others now. @throws SessionLost */
  async read(names: readonly string[]): Promise<boolean> {
    let changed = false
    await eachOf(names, readsAtATime, async (name) => {
      const before = this.#entries.get(name)?.found
      const entry = await this.#entryOf(name)
      if (entry === undefined) this.#entries.delete(name)
      else this.#entries.set(name, entry)
      changed ||= JSON.stringify(before) !== JSON.stringify(entry?.found)
    })
    return changed
  }

  /** Undefined: it is not there any more. */
  async #entryOf(name: string): Promise<Entry | undefined> {
    const { session, directory } = this.#init
    try {
      const file = await session.read(`${directory}/${name}`, { level: 'linearizable' })
      if (file === undefined) return undefined
      const { instance, contentGeneration } = file
      const known = this.#entries.get(name)
      if (known?.instance === instance && known.contentGeneration === contentGeneration) return known
      return { instance, contentGeneration, ...this.#decoded(name, file.text) }
    } catch (error) {
      // A directory, or a file that this client may not read.
      if (!(error instanceof FileProblem)) throw error
      this.#init.invalid(name, error.message)
      return { instance: 0n, contentGeneration: 0n }
    }
  }

  #decoded(name: string, text: string): Pick<Entry, 'found'> {
    try {
      return { found: decodeInstance(name, text).instance }
    } catch (error) {
      this.#init.invalid(name, error instanceof Error ? error.message : String(error))
      return {}
    }
  }
}
