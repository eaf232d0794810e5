import { type FileHandle, open } from 'node:fs/promises'
import type { Client, KvEntry, Mismatch, ReadLevel, Written } from '@conclave/client'
import { micros, type Operation, type OperationKind, type Outcome } from './history.ts'
import { idOfValue, storedValue } from './values.ts'

/** A line-by-line file that is written behind the caller's back, in order. */
export class LineFile {
  readonly #file: FileHandle
  #pending: string[] = []
  #flushing: Promise<void> | undefined

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async create(path: string): Promise<LineFile> {
    return new LineFile(await open(path, 'w'))
  }

  write(line: object): void {
    this.#pending.push(JSON.stringify(line))
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined
    })
  }

  async #flush(): Promise<void> {
    while (this.#pending.length > 0) {
      const lines = this.#pending
      this.#pending = []
      await this.#file.appendFile(`${lines.join('\n')}\n`)
    }
  }

  async close(): Promise<void> {
    await this.#flushing
    await this.#flush()
    await this.#file.close()
  }
}

interface CallOptions {
  readonly timeout: number
  readonly signal?: AbortSignal
}

/** What a call's error says about its fate: the client's contract is `code` and `definite`. */
export const fateOf = (error: unknown): { readonly outcome: 'failed' | 'unknown'; readonly code: string } => {
  const { definite, code } = error as { readonly definite?: unknown; readonly code?: unknown }
  if (typeof definite !== 'boolean' || typeof code !== 'string') throw error
  return { outcome: definite ? 'failed' : 'unknown', code }
}

/** Makes calls through the public client for one worker, and writes each down with its times and its outcome. */
export class Recorder {
  readonly #worker: string
  readonly #client: Client
  readonly #write: (operation: Operation) => void
  #next = 1

  constructor(worker: string, client: Client, write: (operation: Operation) => void) {
    this.#worker = worker
    this.#client = client
    this.#write = write
  }

  async get(
    key: string,
    options: CallOptions & { readonly level: ReadLevel },
  ): Promise<{ readonly outcome: Outcome; readonly entry?: KvEntry }> {
    let entry: KvEntry | undefined
    const outcome = await this.#record({ kind: 'get', key, level: options.level }, async () => {
      entry = await this.#client.kv.get(key, options)
      if (entry === undefined) return { outcome: 'ok', revision: 0 }
      return { outcome: 'ok', revision: Number(entry.modRevision), seen: idOfValue(entry.value) }
    })
    return entry === undefined ? { outcome } : { outcome, entry }
  }

  put(key: string, options: CallOptions): Promise<Outcome> {
    const value = this.#newValue()
    return this.#record({ kind: 'put', key, value }, async () =>
      written(await this.#client.kv.put(key, storedValue(value), options)),
    )
  }

  cas(key: string, expected: KvEntry | undefined, options: CallOptions): Promise<Outcome> {
    const value = this.#newValue()
    const ifRevision = expected?.modRevision ?? 0n
    const before =
      expected === undefined ? { revision: 0 } : { revision: Number(ifRevision), value: idOfValue(expected.value) }
    return this.#record({ kind: 'cas', key, value, expected: before }, async () =>
      written(await this.#client.kv.put(key, storedValue(value), { ...options, ifRevision })),
    )
  }

  delete(key: string, options: CallOptions): Promise<Outcome> {
    return this.#record({ kind: 'delete', key }, async () => written(await this.#client.kv.delete(key, options)))
  }

  #newValue(): string {
    return `${this.#worker}.${this.#next++}`
  }

  async #record(
    call: { readonly kind: OperationKind; readonly key: string } & Pick<Operation, 'value' | 'expected' | 'level'>,
    make: () => Promise<Pick<Operation, 'outcome' | 'revision' | 'previous' | 'seen'>>,
  ): Promise<Outcome> {
    const invoked = micros()
    const about = { worker: this.#worker, ...call, invoked }
    try {
      const result = await make()
      this.#write({ ...about, returned: micros(), ...result })
      return result.outcome
    } catch (error) {
      const { outcome, code } = fateOf(error)
      this.#write({ ...about, returned: micros(), outcome, error: code })
      return outcome
    }
  }
}

const written = (result: Written | Mismatch): Pick<Operation, 'outcome' | 'revision' | 'previous'> =>
  result.done
    ? { outcome: 'ok', revision: Number(result.revision), previous: Number(result.previous) }
    : { outcome: 'mismatch', revision: Number(result.revision) }
