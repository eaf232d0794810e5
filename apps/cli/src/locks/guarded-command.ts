import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** The shell's codes for a command that a signal has ended. */
export const codeOfSignal = (signal: NodeJS.Signals): number => 128 + constants.signals[signal]

const guardScript = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './guard.ts' : './guard.js', import.meta.url),
)
/** Nothing runs before the guard knows of it: should conclave die in between, the shell reads the end of the pipe, and ends. */
const gate = 'read -r go <&3 || exit 125; exec 3<&-; exec "$@"'

/** Kills a command's process group should this process be killed, or be stopped for too long. See guard.ts. */
export class Guard {
  readonly #process: ChildProcess

  constructor() {
    this.#process = spawn(process.execPath, [guardScript], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
    // It is there for the worst case: without it, what this process does itself is left.
    this.#process.on('error', () => {})
    this.#process.stdin?.on('error', () => {})
    this.#process.unref()
  }

  #say(line: string): void {
    this.#process.stdin?.write(`${line}\n`)
  }

  watch(group: number): void {
    this.#say(`group ${group}`)
  }

  /** @param until by `performance.now()`. */
  lasts(until: number): void {
    this.#say(`until ${process.hrtime.bigint() + BigInt(Math.round((until - performance.now()) * 1e6))}`)
  }

  dismiss(): void {
    this.#process.stdin?.end('done\n')
  }
}

/** A command with all that it starts: a process group of its own, so that none of it is left when the lock is. */
export class GuardedCommand {
  /** With its exit code; 128 and the signal's number if one ended it; 126 or 127 if it cannot be run. */
  readonly ended: Promise<number>
  readonly #guard: Guard
  readonly #group: number | undefined

  /** @param until to which the lock lasts, by `performance.now()`; undefined: nothing runs out. */
  constructor(guard: Guard, command: readonly string[], environment: Readonly<Record<string, string>>, until?: number) {
    this.#guard = guard
    const child = spawn('/bin/sh', ['-c', gate, 'conclave', ...command], {
      detached: true,
      stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
      env: { ...process.env, ...environment },
    })
    this.#group = child.pid
    this.ended = new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (code, signal) => resolve(signal === null ? (code ?? 0) : codeOfSignal(signal)))
    })
    if (child.pid !== undefined) guard.watch(child.pid)
    if (until !== undefined) guard.lasts(until)
    const start = child.stdio[3] as Writable
    start.on('error', () => {})
    start.end('go\n')
  }

  lasts(until: number): void {
    this.#guard.lasts(until)
  }

  /** To the whole group. */
  signal(signal: NodeJS.Signals): void {
    if (this.#group === undefined) return
    try {
      process.kill(-this.#group, signal)
    } catch (error) {
      // Nothing is left of it.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}
