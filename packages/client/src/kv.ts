import { copyBytes, type MalformedBytes, type Random } from '@conclave/interface'
import {
  decodeCountReply,
  decodeGetReply,
  decodeInfoReply,
  decodeListReply,
  decodeWriteReply,
  encodeBound,
  encodeDelete,
  encodeKey,
  encodePut,
  encodeQuery,
  type Interval,
  type KvEntry,
  type KvEvent,
  type KvQuery,
  keyInterval,
  prefixInterval,
  type WriteReply,
} from '@conclave/machine-kv'
import type { CallOptions } from './call.ts'
import type { Cluster } from './cluster.ts'
import { Aborted, Refused } from './errors.ts'
import { checkedLevel, type ReadLevel } from './protocol.ts'
import type { Reads } from './reads.ts'
import type { ClientClock } from './time.ts'
import { Watcher } from './watch.ts'
import type { Writes } from './writes.ts'

/** The number of the store among a node's machines. */
export const kvMachineNumber = 1

export interface WriteOptions extends CallOptions {
  /** Write only if the key's `modRevision` is this; 0n: only if the key does not exist. */
  readonly ifRevision?: bigint | undefined
}
export interface ReadOptions extends CallOptions {
  /** Default `linearizable`. */
  readonly level?: ReadLevel
}

/** The write is done, durably, on a majority. */
export interface Written {
  readonly done: true
  /** The store's revision after it: the key's `modRevision`, if the write had an effect. */
  readonly revision: bigint
  /** The `modRevision` of what was there before; 0n: nothing was. */
  readonly previous: bigint
}
/** Nothing was written. */
export interface Mismatch {
  readonly done: false
  readonly refused: 'revision-mismatch'
  /** The key's `modRevision`; 0n: it does not exist. */
  readonly revision: bigint
}

/** Keys by prefix, or from `from` (inclusive) to `to` (exclusive), in byte order of UTF-8. Neither: all. */
export type Range =
  | { readonly prefix?: string; readonly from?: undefined; readonly to?: undefined }
  | { readonly prefix?: undefined; readonly from?: string; readonly to?: string }

export type ListOptions = ReadOptions &
  Range & {
    /** Entries of one page. Default and at most 65,536; a page also ends after about 1 MiB. */
    readonly limit?: number
    /** Entries come without values. */
    readonly keysOnly?: boolean
    /** The `next` of the page before. */
    readonly after?: Uint8Array
  }

export interface Page {
  /** The store's revision at which the page was read. */
  readonly revision: bigint
  readonly entries: readonly KvEntry[]
  /** There are more entries: pass it as `after`. */
  readonly next?: Uint8Array
}

export type WatchOptions = Range & {
  /** One key only. */
  readonly key?: string
  /** The first revision of interest. Default: what is written after this call. */
  readonly fromRevision?: bigint
  readonly keysOnly?: boolean
  /** `local`: from any node, maybe late. Default: from the leader. */
  readonly level?: 'linearizable' | 'local'
  /** Ends the watch with `Aborted`. */
  readonly signal?: AbortSignal
}

export interface KvInit {
  readonly writes: Writes
  readonly reads: Reads
  readonly cluster: Cluster
  readonly clock: ClientClock
  readonly random: Random
  /** Default time-out of a call in milliseconds. */
  readonly timeout: number
  readonly watchers: Set<Watcher>
  readonly wake: () => void
}

const text = new TextEncoder()
const plain = new TextDecoder()

/** The text of a value. */
export const textOf = (value: Uint8Array): string => plain.decode(value)

/** Without types nothing else keeps a number or a Uint16Array from being cut to bytes. */
const bytesOf = (value: string | Uint8Array): Uint8Array => {
  if (typeof value === 'string') return text.encode(value)
  if (value instanceof Uint8Array) return value
  throw new TypeError(`a value is a string or a Uint8Array, got ${value === null ? 'null' : typeof value}`)
}

const intervalOf = (range: Range): Interval =>
  range.prefix !== undefined
    ? prefixInterval(encodeBound(range.prefix))
    : { from: encodeBound(range.from ?? ''), to: encodeBound(range.to ?? '') }

const written = (reply: WriteReply): Written | Mismatch => {
  switch (reply.status) {
    case 'done':
      return { done: true, revision: reply.revision, previous: reply.previous }
    case 'mismatch':
      return { done: false, refused: 'revision-mismatch', revision: reply.current }
    case 'malformed':
    case 'unsupported':
      throw new Refused(reply.status === 'malformed' ? 'invalid' : 'unsupported', `the store answered: ${reply.status}`)
  }
}

/** The replicated store. Safe to use from anywhere in the program at once: the calls of one turn of the event loop travel together. */
export class Kv {
  readonly #init: KvInit

  constructor(init: KvInit) {
    this.#init = init
  }

  /**
   * Sets a key. Resolves once a majority holds it durably; applied once, however often it had to be sent.
   * @throws RangeError if key or value are out of bounds; Unavailable, Overloaded, Aborted, SessionExpired, ClientClosed.
   */
  put(
    key: string,
    value: string | Uint8Array,
    options?: WriteOptions & { readonly ifRevision?: undefined },
  ): Promise<Written>
  put(key: string, value: string | Uint8Array, options?: WriteOptions): Promise<Written | Mismatch>
  put(key: string, value: string | Uint8Array, options?: WriteOptions): Promise<Written | Mismatch> {
    return this.#write(() => encodePut(encodeKey(key), bytesOf(value), options?.ifRevision), options)
  }

  /** Removes a key; `previous` is 0n if it was not there. Otherwise as `put`. */
  delete(key: string, options?: WriteOptions & { readonly ifRevision?: undefined }): Promise<Written>
  delete(key: string, options?: WriteOptions): Promise<Written | Mismatch>
  delete(key: string, options?: WriteOptions): Promise<Written | Mismatch> {
    return this.#write(() => encodeDelete(encodeKey(key), options?.ifRevision), options)
  }

  #write(encode: () => Uint8Array, options: WriteOptions | undefined): Promise<Written | Mismatch> {
    const { writes } = this.#init
    return new Promise((resolve, reject) => {
      if (options?.signal?.aborted) return reject(new Aborted(true, options.signal.reason))
      const complete = (reply: Uint8Array): void => {
        try {
          resolve(written(decodeWriteReply(reply)))
        } catch (error) {
          reject(error)
        }
      }
      writes.call(kvMachineNumber, encode(), options, this.#deadline(options), complete, reject)
    })
  }

  #deadline(options: CallOptions | undefined): number {
    const timeout = options?.timeout ?? this.#init.timeout
    if (!(timeout >= 0)) throw new RangeError(`a time-out is a number of milliseconds, got ${timeout}`)
    return this.#init.clock.now() + timeout
  }

  #read<T>(query: () => KvQuery, decode: (reply: Uint8Array) => T, options: ReadOptions | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      if (options?.signal?.aborted) return reject(new Aborted(true, options.signal.reason))
      const complete = (reply: Uint8Array): void => {
        try {
          resolve(decode(reply))
        } catch (error) {
          reject(error as MalformedBytes)
        }
      }
      const level = checkedLevel(options?.level)
      const deadline = this.#deadline(options)
      const read = { level, machine: kvMachineNumber, query: encodeQuery(query()), deadline, complete, reject }
      this.#init.reads.call(read, options)
    })
  }

  /** The entry of a key; undefined if there is none. @throws as `put`, always definite. */
  get(key: string, options?: ReadOptions): Promise<KvEntry | undefined> {
    return this.#read(
      () => ({ type: 'get', key: encodeKey(key) }),
      (reply) => decodeGetReply(copyBytes(reply)).entry,
      options,
    )
  }

  /** One page of entries. @throws as `get`. */
  list(options: ListOptions = {}): Promise<Page> {
    const { limit = 65_536, keysOnly = false, after } = options
    return this.#read(
      () => {
        if (!Number.isSafeInteger(limit) || limit < 1) throw new RangeError(`a limit is at least 1, got ${limit}`)
        const interval = intervalOf(options)
        const from = after ?? interval.from
        return { type: 'list', from, to: interval.to, limit: Math.min(limit, 65_536), keysOnly }
      },
      decodeListReply,
      options,
    )
  }

  /** Every entry, page by page; each page is read at its own revision. `limit` is that of a page. @throws as `get`. */
  async *entries(options: ListOptions = {}): AsyncGenerator<KvEntry, void> {
    for (let after = options.after; ; ) {
      const page = await this.list(after === undefined ? options : { ...options, after })
      yield* page.entries
      if (page.next === undefined) return
      after = page.next
    }
  }

  /** How many keys there are, and the revision at which they were counted. @throws as `get`. */
  count(options: ReadOptions & Range = {}): Promise<{ readonly revision: bigint; readonly count: number }> {
    return this.#read(() => ({ type: 'count', ...intervalOf(options) }), decodeCountReply, options)
  }

  /** The store's revision. @throws as `get`. */
  revision(options?: ReadOptions): Promise<bigint> {
    return this.#read(
      () => ({ type: 'info' }),
      (reply) => decodeInfoReply(reply).revision,
      options,
    )
  }

  /**
   * Every write to a key, a prefix, an interval or all, in order, each once, across reconnects and leaders, until the loop is left, `signal` fires or the client is closed.
   * The iterator throws Compacted if the events that it would tell next are gone; Aborted; Refused.
   * @throws RangeError if a key is out of bounds.
   */
  watch(options: WatchOptions = {}): AsyncIterableIterator<KvEvent, undefined> & AsyncDisposable {
    const { cluster, clock, random, watchers, wake } = this.#init
    const { key, keysOnly = false, level = 'linearizable', signal, fromRevision } = options
    const watcher: Watcher = new Watcher({
      cluster,
      clock,
      random,
      machine: kvMachineNumber,
      interval: key === undefined ? intervalOf(options) : keyInterval(encodeKey(key)),
      keysOnly,
      source: level === 'local' ? 'any' : 'leader',
      signal,
      ended: () => watchers.delete(watcher),
    })
    watchers.add(watcher)
    watcher.listen()
    wake()
    if (fromRevision !== undefined) watcher.start(fromRevision < 1n ? 1n : fromRevision)
    else this.#startFromNow(watcher, level, signal)
    return watcher
  }

  #startFromNow(watcher: Watcher, level: ReadLevel, signal: AbortSignal | undefined): void {
    // However long that takes: a watch has no time-out.
    const options = { level, timeout: Number.POSITIVE_INFINITY, ...(signal === undefined ? {} : { signal }) }
    this.revision(options).then(
      (revision) => watcher.start(revision + 1n),
      (error) => watcher.fail(error instanceof Error ? error : new Error(String(error))),
    )
  }
}
