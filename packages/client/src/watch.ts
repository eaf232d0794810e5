import { type Cancel, copyBytes, type MalformedBytes, type Random } from '@conclave/interface'
import { decodeEvents, encodeWatch, type Interval, type KvEvent, type KvEvents } from '@conclave/machine-kv'
import type { Cluster } from './cluster.ts'
import type { Connection } from './connection.ts'
import { Aborted, Compacted, Refused } from './errors.ts'
import type { WatchEndReason } from './protocol.ts'
import { backoff, type ClientClock } from './time.ts'

/** Events that wait for a slow reader beyond these bytes pause the feed; it goes on, from the last revision, once half of them are read. */
const bufferBytes = 4 * 1024 * 1024

export interface WatcherInit {
  readonly cluster: Cluster
  readonly clock: ClientClock
  readonly random: Random
  readonly machine: number
  readonly interval: Interval
  readonly keysOnly: boolean
  /** `leader`: fed by the leader, and by the next one when it changes. `any`: by any node, maybe late. */
  readonly source: 'leader' | 'any'
  readonly signal: AbortSignal | undefined
  /** Told once, when the watch is over. */
  readonly ended: (watcher: Watcher) => void
}

const cost = (event: KvEvent): number => 64 + event.key.length + (event.type === 'put' ? event.value.length : 0)

type Waiter = { resolve(result: IteratorResult<KvEvent, undefined>): void; reject(error: unknown): void }

/** One watch: events in order, each once, across connections and leaders. */
export class Watcher implements AsyncIterableIterator<KvEvent, undefined> {
  readonly #init: WatcherInit
  /** The first revision that has not been received; undefined until it is known where to begin. */
  #next: bigint | undefined
  #events: KvEvent[] = []
  #head = 0
  #bytes = 0
  #waiters: Waiter[] = []
  #source: Connection | undefined
  #stop: (() => void) | undefined
  #retry: Cancel | undefined
  #failures = 0
  #over = false
  #error: Error | undefined
  readonly #aborted: () => void

  constructor(init: WatcherInit) {
    this.#init = init
    this.#aborted = () => this.fail(new Aborted(true, init.signal?.reason))
  }

  /** Listens to the signal, which may have fired already: only now, when the one who is told of the end knows this watcher. */
  listen(): void {
    const { signal } = this.#init
    if (signal?.aborted) this.#aborted()
    else signal?.addEventListener('abort', this.#aborted, { once: true })
  }

  /** Begins with this revision. */
  start(from: bigint): void {
    this.#next = from
    this.changed()
  }

  /** Moves to where the events should come from now. */
  changed(): void {
    if (this.#over || this.#next === undefined || this.#retry !== undefined) return
    const { cluster, source } = this.#init
    const wanted = source === 'leader' ? cluster.leaderConnection() : (this.#alive() ?? cluster.anyConnection())
    if (wanted === undefined || wanted === this.#source) return
    if (this.#bytes > bufferBytes / 2 && this.#source === undefined) return
    this.#detach()
    this.#attach(wanted, this.#next)
  }

  #alive(): Connection | undefined {
    return this.#source?.ready ? this.#source : undefined
  }

  #attach(connection: Connection, fromRevision: bigint): void {
    const { machine, interval, keysOnly } = this.#init
    this.#source = connection
    this.#stop = connection.watch(machine, encodeWatch({ ...interval, fromRevision, keysOnly }), {
      // Copied, so that an event that is kept does not keep the frame it came in.
      events: (bytes) => this.#received(copyBytes(bytes)),
      ended: (reason) => this.#cut(reason),
    })
  }

  #detach(): void {
    this.#stop?.()
    this.#stop = undefined
    this.#source = undefined
  }

  #received(bytes: Uint8Array): void {
    let told: KvEvents
    try {
      told = decodeEvents(bytes)
    } catch (error) {
      return this.fail(error as MalformedBytes)
    }
    if (told.type === 'compacted') return this.fail(new Compacted(told.oldest))
    this.#failures = 0
    for (const event of told.events) {
      if (this.#next !== undefined && event.revision < this.#next) continue
      const waiter = this.#waiters.shift()
      if (waiter !== undefined) waiter.resolve({ done: false, value: event })
      else {
        this.#events.push(event)
        this.#bytes += cost(event)
      }
    }
    if (this.#next === undefined || told.revision >= this.#next) this.#next = told.revision + 1n
    if (this.#bytes > bufferBytes) this.#detach()
  }

  #cut(reason: WatchEndReason | 'lost'): void {
    this.#stop = undefined
    this.#source = undefined
    if (reason === 'unsupported') return this.fail(new Refused('unsupported', 'the cluster does not serve this watch'))
    const { clock, random } = this.#init
    this.#retry ??= clock.after(reason === 'lost' ? 0 : backoff(this.#failures++, random.next()), () => {
      this.#retry = undefined
      this.changed()
    })
  }

  next(): Promise<IteratorResult<KvEvent, undefined>> {
    const event = this.#events[this.#head]
    if (event !== undefined) return Promise.resolve({ done: false, value: this.#take(event) })
    if (this.#error !== undefined) {
      const error = this.#error
      this.#error = undefined
      return Promise.reject(error)
    }
    if (this.#over) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
    })
  }

  #take(event: KvEvent): KvEvent {
    this.#head += 1
    this.#bytes -= cost(event)
    if (this.#head === this.#events.length || this.#head > 1024) {
      this.#events = this.#events.slice(this.#head)
      this.#head = 0
    }
    // A feed that was paused goes on.
    if (this.#source === undefined && this.#bytes <= bufferBytes / 2) this.changed()
    return event
  }

  /** Ends the watch. What was received and not read is dropped. */
  return(): Promise<IteratorResult<KvEvent, undefined>> {
    this.#events = []
    this.#head = 0
    this.#end()
    return Promise.resolve({ done: true, value: undefined })
  }

  /** Ends the watch with an error, told after the events that were received before. */
  fail(error: Error): void {
    if (this.#over) return
    const [first] = this.#waiters.splice(0, 1)
    if (first !== undefined) first.reject(error)
    else this.#error = error
    this.#end()
  }

  #end(): void {
    if (this.#over) return
    this.#over = true
    this.#detach()
    this.#retry?.()
    this.#init.signal?.removeEventListener('abort', this.#aborted)
    for (const waiter of this.#waiters.splice(0)) waiter.resolve({ done: true, value: undefined })
    this.#init.ended(this)
  }

  /** The client is closed, which is no error: the loop ends. */
  close(): void {
    this.#end()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }
}
