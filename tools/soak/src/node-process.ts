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
  /** Of the host; a member's name may be another. */
  readonly name: string
  readonly member: { readonly name: string; readonly id: string }
  /** What its commands begin with: the host that it runs on. */
  readonly within: readonly string[]
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
  #held = false
  #leaving = false
  /** Grows with each start. */
  incarnation = 0
  /** Who it is in the cluster; it may come back as somebody new. */
  member: { readonly name: string; readonly id: string }

  constructor(init: NodeInit) {
    this.name = init.name
    this.disk = init.disk
    this.member = init.member
    this.#init = init
    this.log = join(init.directory, `${init.name}.log`)
  }

  get #config(): string {
    return join(this.#init.directory, `${this.name}.json`)
  }

  /** From its next start on. */
  configure(config: object): void {
    writeFileSync(this.#config, JSON.stringify(config, undefined, 2))
  }

  get running(): boolean {
    return this.#child !== undefined
  }
  get paused(): boolean {
    return this.#paused
  }

  /** No effect while it runs or is held, or after `retire`. */
  start(): void {
    if (this.#child !== undefined || this.#retired || this.#held) return
    const { within, ledger } = this.#init
    const owner = recordOf(process.pid)
    const command = [...within, ...nodeCommand, cli, 'node', 'start', '--config', this.#config]
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
        if (!this.#expected && !this.#leaving) this.#surprise(how)
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

  /** Ends it, and lets nobody start it until `use` is through: its data are being changed. */
  async hold(use: () => Promise<void>): Promise<void> {
    this.#held = true
    try {
      await this.end('SIGKILL')
      await use()
    } finally {
      this.#held = false
      this.#leaving = false
    }
  }

  /** It may end by itself, until it has been held: it is being removed. */
  mayEnd(): void {
    this.#leaving = true
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
