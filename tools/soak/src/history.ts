/**
 * What the clients write down: one operation a line, as JSON. Times are microseconds of the machine's monotonic clock, which all its processes share,
 * so that the operations of several processes can be compared.
 */
import { readFile } from 'node:fs/promises'

export type OperationKind = 'get' | 'put' | 'cas' | 'delete'

/**
 * How a call ended. `failed`: the client said that it did not and will not happen. `unknown`: it may have, or may yet.
 * A compare-and-swap that found another revision is a `mismatch`, which is an answer.
 */
export type Outcome = 'ok' | 'mismatch' | 'failed' | 'unknown'

export interface Operation {
  /** One worker; its operations follow one another. */
  readonly worker: string
  readonly key: string
  readonly kind: OperationKind
  /** What a put or compare-and-swap writes: unique in the whole run. */
  readonly value?: string
  /** What a compare-and-swap expects: the revision, and the value that was read with it; revision 0 without a value: no such key. */
  readonly expected?: { readonly revision: number; readonly value?: string }
  /** Of a get. */
  readonly level?: string
  readonly invoked: number
  readonly returned: number
  readonly outcome: Outcome
  /** Of a write that was done: its revision. Of a mismatch: the revision found. Of a get: that of the entry, 0 for none. */
  readonly revision?: number
  /** Of a write that was done: the revision of what was there before. */
  readonly previous?: number
  /** Of a get: the value; absent for none. */
  readonly seen?: string
  /** The client's error code. */
  readonly error?: string
}

/** One write as the watch told it. */
export interface WatchedEvent {
  readonly revision: number
  readonly key: string
  readonly type: 'put' | 'delete'
  readonly value?: string
}

/** That a lock was held by its holder's own account, from a time at which it asked whether it is to another. */
export interface Hold {
  readonly worker: string
  readonly path: string
  readonly mode: 'exclusive' | 'shared'
  /** The fencing token. */
  readonly token: string
  readonly from: number
  readonly until: number
  /** It was not given back but lost. */
  readonly lost: boolean
}

/** Now, in microseconds of the monotonic clock that all processes of the machine share. */
export const micros = (): number => Number(process.hrtime.bigint() / 1000n)

/** Lines of JSON; a last line that was cut off in the middle is left out. */
export const readLines = async <T>(path: string): Promise<T[]> => {
  const text = await readFile(path, 'utf8')
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}
