import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import type { Ledger } from './ledger.ts'

/** Under the tests, children run the source as their parent does. */
export const fromSource = process.execArgv.some((argument) => argument.includes('@conclave/source'))
export const nodeCommand: readonly string[] = [
  process.execPath,
  ...(fromSource ? ['--conditions=@conclave/source'] : []),
]

/**
 * Starts a command, perhaps within another (`ip netns exec …`), in a process group of its own: Ctrl-C is for the soak alone, which then ends its children.
 * @param log the file that takes its output, appended.
 */
export const startChild = (command: readonly string[], log: string, ledger: Ledger, channel: boolean): ChildProcess => {
  const [program = '', ...args] = command
  const output = openSync(log, 'a')
  try {
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', output, output, ...(channel ? ['ipc' as const] : [])],
      env: { ...process.env, NO_COLOR: '1' },
    })
    if (child.pid !== undefined) ledger.child(child.pid)
    return child
  } finally {
    closeSync(output)
  }
}

/** A child of ours with a channel, whose messages are typed. */
export class Talker<To extends object, From extends { readonly type: string }> {
  readonly #child: ChildProcess
  readonly #name: string
  #leaving = false

  constructor(name: string, child: ChildProcess, failed: (problem: string) => void) {
    this.#child = child
    this.#name = name
    child.on('error', (error) => failed(`${name} could not be started: ${error.message}`))
    child.on('exit', (code, signal) => {
      if (!this.#leaving) failed(`${name} ended by itself (${signal ?? `exit code ${code}`})`)
    })
  }

  tell(message: To): void {
    if (this.#child.connected) this.#child.send(message)
  }

  on(listener: (message: From) => void): void {
    this.#child.on('message', listener)
  }

  /** The next message of a type, and with this `id`, if one is given. @throws Error when the child ends first, or the time is up. */
  next<Type extends From['type']>(
    type: Type,
    withinMillis: number,
    id?: number,
  ): Promise<Extract<From, { type: Type }>> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#child.off('message', take)
        this.#child.off('exit', gone)
      }
      const fail = (why: string): void => {
        end()
        reject(new Error(`${this.#name} did not tell "${type}": ${why}`))
      }
      const gone = (): void => fail('it ended')
      const take = (message: object): void => {
        if ((message as From).type !== type) return
        if (id !== undefined && (message as { readonly id?: number }).id !== id) return
        end()
        resolve(message as Extract<From, { type: Type }>)
      }
      const timer = setTimeout(() => fail(`${withinMillis} ms have passed`), withinMillis)
      this.#child.on('message', take)
      this.#child.on('exit', gone)
      if (this.#child.exitCode !== null) gone()
    })
  }

  /** From now on its end is no surprise. */
  leaving(): void {
    this.#leaving = true
  }
}
