/**
 * What a run has made outside its own process: children, namespaces, mounts and a directory. It stands in a file from before each thing is made until
 * after it is gone, so that `--cleanup` finds what a run left behind that was killed itself.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isGone, type ProcessRecord, recordOf, signalProcess, stateOf } from '../../../apps/cli/src/local/process.ts'

interface Contents {
  readonly owner: ProcessRecord
  readonly directory: string
  readonly namespaces: readonly string[]
  readonly mounts: readonly string[]
  readonly children: readonly ProcessRecord[]
}

const place = join(tmpdir(), 'conclave-soak')
const say = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export class Ledger {
  readonly #file: string
  #contents: Contents

  private constructor(file: string, contents: Contents) {
    this.#file = file
    this.#contents = contents
  }

  static open(directory: string): Ledger {
    const owner = recordOf(process.pid)
    if (owner === undefined) throw new Error('this process does not find itself')
    mkdirSync(place, { recursive: true })
    const file = join(place, `${process.pid}.json`)
    const ledger = new Ledger(file, { owner, directory, namespaces: [], mounts: [], children: [] })
    ledger.#save({})
    return ledger
  }

  /** The ledger of this very process, if it has one. */
  static own(): Ledger | undefined {
    const file = join(place, `${process.pid}.json`)
    return existsSync(file) ? new Ledger(file, JSON.parse(readFileSync(file, 'utf8')) as Contents) : undefined
  }

  /** The ledgers of runs that ended without closing theirs. */
  static abandoned(): Ledger[] {
    mkdirSync(place, { recursive: true })
    const names = readdirSync(place).filter((name) => name.endsWith('.json'))
    return names.flatMap((name) => {
      const file = join(place, name)
      const contents = JSON.parse(readFileSync(file, 'utf8')) as Contents
      return stateOf(contents.owner) === 'dead' ? [new Ledger(file, contents)] : []
    })
  }

  get directory(): string {
    return this.#contents.directory
  }

  #save(change: Partial<Contents>): void {
    this.#contents = { ...this.#contents, ...change }
    // Whole at any moment: another run's `--cleanup` may read it.
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#contents))
    renameSync(`${this.#file}.new`, this.#file)
  }

  namespace(name: string): void {
    this.#save({ namespaces: [...this.#contents.namespaces, name] })
  }

  mount(path: string): void {
    this.#save({ mounts: [...this.#contents.mounts, path] })
  }

  /** Notes a child that has just been started. */
  child(pid: number): void {
    const record = recordOf(pid)
    const living = this.#contents.children.filter((other) => !isGone(other))
    this.#save({ children: record === undefined ? living : [...living, record] })
  }

  /**
   * Ends and removes everything. Goes on after a failure, and returns what could not be done.
   * @param keep leaves the directory, for a look at what went wrong.
   */
  async demolish(keep: boolean): Promise<string[]> {
    const problems: string[] = []
    const attempt = (what: string, run: () => void): void => {
      try {
        run()
      } catch (error) {
        problems.push(`${what}: ${say(error)}`)
      }
    }
    const { children, mounts, namespaces, directory } = this.#contents
    for (const child of children) attempt(`process ${child.pid}`, () => signalProcess(child, 'SIGKILL'))
    for (let left = 200; left > 0 && children.some((child) => !isGone(child)); left--) await sleep(25)
    for (const path of mounts) {
      const mounted = readFileSync('/proc/self/mounts', 'utf8').includes(` ${path} `)
      if (mounted) attempt(`mount ${path}`, () => execFileSync('umount', [path], { stdio: 'pipe' }))
    }
    const present = namespaces.length === 0 ? [] : readdirSync('/run/netns')
    for (const name of namespaces.filter((own) => present.includes(own))) {
      attempt(`namespace ${name}`, () => execFileSync('ip', ['netns', 'del', name], { stdio: 'pipe' }))
    }
    if (!keep && problems.length === 0) attempt(directory, () => rmSync(directory, { recursive: true, force: true }))
    if (problems.length === 0) rmSync(this.#file, { force: true })
    return problems
  }
}
