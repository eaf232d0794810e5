import type { ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { recordOf } from '../../../apps/cli/src/local/process.ts'
import { fromSource, nodeCommand, startChild } from './child.ts'
import type { Disk } from './disks.ts'
import type { Ledger } from './ledger.ts'

const cli = fileURLToPath(new URL(`../../../apps/cli/bin/${fromSource ? 'dev.ts' : 'run.js'}`, import.meta.url))

export interface NodeInit {
  readonly name: string
  /** What its commands begin with: the host that it runs on. */
  readonly within: readonly string[]
  readonly config: object
  readonly directory: string
  readonly disk: Disk
  readonly ledger: Ledger
  /** It ended although nobody ended it. */
  readonly surprise: (problem: string) => void
}

/** One node: `conclave node start` in a process of its own, again and again over the same data. */
export class NodeProcess {
  readonly name: string
  readonly disk: Disk
  readonly log: string
  readonly #init: NodeInit
  #child: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #expected = false
  #retired = false
  #paused = false
  /** Grows with each start. */
  incarnation = 0

  constructor(init: NodeInit) {
    this.name = init.name
    this.disk = init.disk
    this.#init = init
    this.log = join(init.directory, `${init.name}.log`)
    writeFileSync(join(init.directory, `${init.name}.json`), JSON.stringify(init.config, undefined, 2))
  }

  get running(): boolean {
    return this.#child !== undefined
  }
  get paused(): boolean {
    return this.#paused
  }

  /** No effect while it runs, or after `retire`. */
  start(): void {
    if (this.#child !== undefined || this.#retired) return
    const { within, directory, ledger, name } = this.#init
    const owner = recordOf(process.pid)
    const command = [...within, ...nodeCommand, cli, 'node', 'start', '--config', join(directory, `${name}.json`)]
    if (owner !== undefined) command.push('--owner', `${owner.pid}/${owner.started}`)
    const child = startChild(command, this.log, ledger, false)
    this.#child = child
    this.#expected = false
    this.#paused = false
    this.incarnation += 1
    this.#ended = new Promise((resolve) => {
      const gone = (how: string): void => {
        resolve()
        if (this.#child !== child) return
        this.#child = undefined
        if (!this.#expected) this.#surprise(how)
      }
      child.on('error', (error) => gone(error.message))
      child.on('exit', (code, signal) => gone(signal ?? `exit code ${code}`))
    })
  }

  #surprise(how: string): void {
    // Without room for a journal segment a node may refuse to start, as any supervisor knows: it is started again.
    if (this.disk.full) setTimeout(() => this.start(), 1000).unref()
    else this.#init.surprise(`${this.name} ended by itself (${how}); its log: ${this.log}`)
  }

  /** Resolves when it is gone. No effect if it does not run. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.#expected = true
    if (this.#child === undefined) return
    this.#child.kill(signal)
    if (signal === 'SIGTERM') this.resume()
    await this.#ended
  }

  /** Ends it, for good. */
  retire(): Promise<void> {
    this.#retired = true
    return this.end('SIGKILL')
  }

  pause(): boolean {
    if (this.#child?.kill('SIGSTOP') !== true) return false
    this.#paused = true
    return true
  }

  resume(): void {
    if (this.#paused) this.#child?.kill('SIGCONT')
    this.#paused = false
  }
}
