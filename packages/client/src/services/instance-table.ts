import { FileProblem } from '../locks/errors.ts'
import type { File } from '../locks/file.ts'
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
  /** Absent: it cannot be used. */
  readonly found?: ServiceInstance
  /** Why not. */
  readonly reason?: string
}

const noVersion = { instance: 0n, contentGeneration: 0n }

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
    const known = this.#entries.get(name)
    try {
      const file = await session.read(`${directory}/${name}`, { level: 'linearizable' })
      if (file === undefined) return undefined
      const { instance, contentGeneration } = file
      if (known?.instance === instance && known.contentGeneration === contentGeneration) return known
      return this.#decoded(name, file)
    } catch (error) {
      // A directory, or a file that this client may not read: it has no version that could be told from the one before.
      if (!(error instanceof FileProblem)) throw error
      return known?.reason === error.message ? known : this.#invalid(name, error.message, noVersion)
    }
  }

  #decoded(name: string, { text, instance, contentGeneration }: File): Entry {
    try {
      return { instance, contentGeneration, found: decodeInstance(name, text).instance }
    } catch (error) {
      return this.#invalid(name, error instanceof Error ? error.message : String(error), {
        instance,
        contentGeneration,
      })
    }
  }

  #invalid(name: string, reason: string, version: typeof noVersion): Entry {
    this.#init.invalid(name, reason)
    return { ...version, reason }
  }
}
