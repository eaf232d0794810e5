import { ClientClosed } from '../errors.ts'
import { type Duration, millisOf } from '../locks/durations.ts'
import { leaseOf, type Session } from '../locks/session.ts'
import { fileListStore } from './file-list-store.ts'
import { FollowedList } from './followed-list.ts'
import { checkedServiceName } from './instance.ts'
import type { InvalidInstance } from './instance-record.ts'
import { InstanceWatch } from './instance-watch.ts'
import { ListKeeper } from './list-keeper.ts'
import type { ListStore } from './list-store.ts'
import { checkedRegistryPath, defaultRegistryPath } from './registry.ts'
import { type SessionSource, useSessions } from './renewed-session.ts'
import { decodeList, encodeList, type ServiceList } from './service-list.ts'

export interface FollowOptions {
  /** The directory of the registry. Default `/ls/local/services`. */
  readonly path?: string
  /** Of its session: the list turns stale when no leader has answered for so long. 500 ms to a minute; default 12 s. */
  readonly ttl?: Duration
  /** When the cluster is back, instances that are not registered any more stay on the list for so long: they may have lost their sessions as well, and not be back yet. Default 10 s; 0: not at all. */
  readonly settle?: Duration
  /** The path of a file, or something else, that keeps the list: so that it is known, as a stale one, to a program that starts while the cluster is away. Default: it is kept nowhere. */
  readonly file?: string | ListStore
  /** Closes it. */
  readonly signal?: AbortSignal
  /** Told of each file among the instances that cannot be used: it is left out. */
  readonly onInvalid?: (invalid: InvalidInstance) => void
  /** Told of what failed: an attempt to reach the cluster, a session that was lost, a file that cannot be read or written. It goes on all the same. */
  readonly onTrouble?: (error: unknown) => void
}

/** The instances of a service, for as long as they are wanted. It holds the process open until it is closed. */
export interface ServiceFollower extends AsyncIterable<ServiceList, void>, AsyncDisposable {
  readonly service: string
  /** What is known now; undefined: nothing yet, neither from the cluster nor from the file. */
  readonly current: ServiceList | undefined
  /** Calls `listener` with every list from now on. @returns what stops it. */
  onChange(listener: (list: ServiceList) => void): () => void
  /** The present list, and then each that follows, until it is closed or the loop is left. A slow reader gets the last one only. */
  [Symbol.asyncIterator](): AsyncGenerator<ServiceList, void>
  /** Ends it, and all loops over it. It ends by itself when its client is closed. Safe to call twice. */
  close(): Promise<void>
}

/** Longest wait, in milliseconds, between two attempts to begin a session. */
const mostPause = 1000
const usualSettle = 10_000

/**
 * Follows the instances of a service over lost sessions and through times in which the cluster is away: then the last list stays, marked as stale, and is never taken for empty.
 * @param client a client, or a `lazyClient`, with which following can begin before any node is reached.
 * @throws RangeError, TypeError
 */
export const followService = (client: SessionSource, service: string, options: FollowOptions = {}): ServiceFollower =>
  new Follower(client, checkedServiceName(service), options)

class Follower implements ServiceFollower {
  readonly service: string
  readonly #path: string
  readonly #options: FollowOptions
  readonly #list: FollowedList
  readonly #keeper: ListKeeper | undefined
  readonly #listeners = new Set<(list: ServiceList) => void>()
  readonly #over = new AbortController()
  readonly #running: Promise<void>
  #closing: Promise<void> | undefined

  constructor(client: SessionSource, service: string, options: FollowOptions) {
    const { path = defaultRegistryPath, settle = usualSettle, file, signal } = options
    this.service = service
    this.#path = checkedRegistryPath(path)
    this.#options = options
    this.#list = new FollowedList(service, millisOf(settle, 'settle'), (list) => this.#changed(list))
    const ttl = leaseOf(options.ttl)
    const store = typeof file === 'string' ? fileListStore(file) : file
    this.#keeper = store && new ListKeeper(store, (error) => this.#trouble(error))
    const aborted = (): void => void this.close()
    signal?.addEventListener('abort', aborted, { once: true })
    if (signal?.aborted === true) this.#over.abort()
    this.#running = this.#run(client, ttl, store).finally(() => {
      signal?.removeEventListener('abort', aborted)
      this.#list.stop()
      this.#over.abort()
    })
  }

  get current(): ServiceList | undefined {
    return this.#list.current
  }

  // ---- what it hears --------------------------------------------------------------------------------------------------------------------

  async #run(source: SessionSource, ttl: number, store: ListStore | undefined): Promise<void> {
    if (store !== undefined) await this.#load(store)
    try {
      await useSessions({
        source,
        ttl,
        signal: this.#over.signal,
        mostPause,
        use: (session, works) => this.#follow(session, works),
        failed: (error) => {
          this.#list.away(error instanceof Error ? error.message : String(error))
          this.#trouble(error)
        },
      })
    } catch (error) {
      if (!(error instanceof ClientClosed)) throw error
      this.#list.away(error.message)
    }
  }

  async #follow(session: Session, works: () => void): Promise<void> {
    const { service } = this
    const watch = new InstanceWatch({
      session,
      directory: `${this.#path}/${service}`,
      invalid: (id, reason) => this.#tell(this.#options.onInvalid, { service, id, reason }),
    })
    const { signal } = this.#over
    const close = (): void => watch.close()
    signal.addEventListener('abort', close, { once: true })
    const offs = [
      session.on('jeopardy', () => {
        this.#list.away('no leader has answered for as long as the lease lasts')
        watch.refresh()
      }),
      // What happened meanwhile is looked at before the list is called fresh.
      session.on('safe', () => watch.refresh()),
      () => signal.removeEventListener('abort', close),
      close,
    ]
    try {
      for (let instances = await watch.next(); instances !== undefined; instances = await watch.next()) {
        works()
        if (session.state === 'safe') this.#list.heard(instances)
      }
    } finally {
      for (const off of offs) off()
    }
  }

  async #load(store: ListStore): Promise<void> {
    try {
      const text = await store.load()
      if (text === undefined || this.#over.signal.aborted) return
      const { instances, at } = decodeList(text, this.#path, this.service)
      this.#list.kept(instances, at)
    } catch (error) {
      this.#trouble(error)
    }
  }

  // ---- what it tells --------------------------------------------------------------------------------------------------------------------

  /** On its own: what a listener throws must not hurt this. */
  #tell<Event>(listener: ((event: Event) => void) | undefined, event: Event): void {
    if (listener !== undefined) queueMicrotask(() => listener(event))
  }

  #trouble(error: unknown): void {
    this.#tell(this.#options.onTrouble, error)
  }

  #changed(list: ServiceList): void {
    for (const listener of this.#listeners) this.#tell(listener, list)
    this.#save(list)
  }

  #save({ service, instances, ...list }: ServiceList): void {
    const at = list.stale ? list.since : Date.now()
    this.#keeper?.save(encodeList({ path: this.#path, service, at, instances }))
  }

  onChange(listener: (list: ServiceList) => void): () => void {
    const own = (list: ServiceList): void => listener(list)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ServiceList, void> {
    const { signal } = this.#over
    let wake = (): void => {}
    const woken = (): void => wake()
    this.#listeners.add(woken)
    signal.addEventListener('abort', woken, { once: true })
    try {
      for (let told: ServiceList | undefined; !signal.aborted; ) {
        const { current } = this
        if (current !== undefined && current !== told) {
          told = current
          yield current
        } else
          await new Promise<void>((resolve) => {
            wake = resolve
          })
      }
    } finally {
      this.#listeners.delete(woken)
      signal.removeEventListener('abort', woken)
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#over.abort()
    // So that a program that begins with the file knows until when this was current.
    if (this.current?.stale === false) this.#save(this.current)
    await this.#running
    await this.#keeper?.settled()
    this.#listeners.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
