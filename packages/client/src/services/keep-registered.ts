import { unlessAborted } from '../abortable.ts'
import { ClientClosed } from '../errors.ts'
import type { Duration } from '../locks/durations.ts'
import { FileProblem } from '../locks/errors.ts'
import type { Handle } from '../locks/handle.ts'
import { leaseOf, type Session } from '../locks/session.ts'
import {
  checkedInstance,
  checkedServiceName,
  type InstanceChange,
  type InstanceInit,
  type ServiceInstance,
} from './instance.ts'
import { decodeInstance, encodeInstance } from './instance-record.ts'
import { checkedRegistryPath, defaultRegistryPath } from './registry.ts'
import { type SessionSource, useSessions } from './renewed-session.ts'

export type RegistrationState =
  /** It is being registered, for the first time or anew. `problem`: why the last attempt failed. */
  | { readonly type: 'registering'; readonly problem?: unknown }
  /** Somebody else's instance has the id. It is registered as soon as that one is gone. */
  | { readonly type: 'waiting' }
  /** `problem`: why the cluster refused what it was told last; the lists show what was said before. */
  | { readonly type: 'registered'; readonly problem?: unknown }
  /** No leader has answered for as long as the lease lasts: it may be gone from the lists, or not. */
  | { readonly type: 'jeopardy' }
  /** Somebody deregistered it. It stays so: register it anew if that was a mistake. */
  | { readonly type: 'deregistered' }
  | { readonly type: 'closed' }

export interface KeepOptions {
  /** The directory of the registry. Default `/ls/local/services`. */
  readonly path?: string
  /** The instance goes from the lists when this client is gone for so long. 500 ms to a minute; default 10 s. */
  readonly ttl?: Duration
  /** Somebody else's instance of the same id is deregistered, instead of waited for. Default false. */
  readonly replace?: boolean
  /** Closes it: deregisters. */
  readonly signal?: AbortSignal
  /** Told of every change of state. */
  readonly onState?: (state: RegistrationState) => void
}

/** An instance that stays registered until it is closed, or somebody deregisters it. */
export interface KeptRegistration extends AsyncDisposable {
  readonly service: string
  /** As it should be in the lists. */
  readonly instance: ServiceInstance
  readonly state: RegistrationState
  /** Says what is different now, such as its health. It is written as soon as it can be, and of several the last one. @throws RangeError, TypeError */
  update(change: InstanceChange): void
  /** Resolves when it is registered, with all that `update` was told: at once if it is. False: it is over before. */
  registered(): Promise<boolean>
  /** Resolves when it is over. */
  readonly ended: Promise<'deregistered' | 'closed'>
  /** Deregisters. Safe to call twice. If the cluster is away, the instance goes with its lease. */
  close(): Promise<void>
}

const usualTtl = 10_000
/** `close` waits so long, in milliseconds, for the cluster to take the instance off its lists. */
const farewell = 2000

/**
 * Keeps an instance registered over lost sessions and through times in which the cluster is away: when its session is lost it begins another, and registers again. Should the file of the lost
 * session still be there, it is taken over as it is, so that the instance does not go from the lists in between; one that somebody else made is waited for, or replaced.
 * @param client a client, or a `lazyClient`, with which this can begin before any node is reached. @throws RangeError, TypeError
 */
export const keepRegistered = (
  client: SessionSource,
  service: string,
  instance: InstanceInit,
  options: KeepOptions = {},
): KeptRegistration => new Keeper(client, checkedServiceName(service), checkedInstance(instance), options)

class Keeper implements KeptRegistration {
  readonly service: string
  readonly ended: Promise<'deregistered' | 'closed'>
  readonly #file: string
  readonly #directory: string
  readonly #options: KeepOptions
  /** Tells its own file from that of somebody else. */
  readonly #owner = crypto.randomUUID()
  readonly #closing = new AbortController()
  #instance: ServiceInstance
  /** What the file says, as far as this one wrote it. */
  #written: ServiceInstance | undefined
  #state: RegistrationState = { type: 'registering' }
  #waiting: ((registered: boolean) => void)[] = []
  #wake = (): void => {}

  constructor(client: SessionSource, service: string, instance: ServiceInstance, options: KeepOptions) {
    const { path = defaultRegistryPath, ttl = usualTtl, signal } = options
    this.service = service
    this.#instance = instance
    this.#directory = `${checkedRegistryPath(path)}/${service}`
    this.#file = `${this.#directory}/${instance.id}`
    this.#options = options
    const lease = leaseOf(ttl)
    const aborted = (): void => this.#closing.abort()
    signal?.addEventListener('abort', aborted, { once: true })
    if (signal?.aborted === true) aborted()
    this.#closing.signal.addEventListener('abort', () => this.#wake(), { once: true })
    this.ended = this.#run(client, lease).finally(() => signal?.removeEventListener('abort', aborted))
  }

  get instance(): ServiceInstance {
    return this.#instance
  }
  get state(): RegistrationState {
    return this.#state
  }

  // ---- its life -------------------------------------------------------------------------------------------------------------------------

  async #run(source: SessionSource, ttl: number): Promise<'deregistered' | 'closed'> {
    let end: 'deregistered' | 'closed' = 'closed'
    try {
      await useSessions({
        source,
        ttl,
        signal: this.#closing.signal,
        // After a time in which the cluster was away every old session has a whole lease anew: this one is back before it is over.
        mostPause: Math.min(1000, ttl / 4),
        use: async (session, works) => {
          end = await this.#live(session, works)
        },
        failed: (problem) => this.#become({ type: 'registering', problem }),
      })
    } catch (error) {
      if (!(error instanceof ClientClosed)) throw error
    }
    this.#become({ type: end })
    return end
  }

  async #live(session: Session, works: () => void): Promise<'deregistered' | 'closed'> {
    const offs = [
      session.on('jeopardy', () => this.#turn('registered', 'jeopardy')),
      session.on('safe', () => this.#turn('jeopardy', 'registered')),
    ]
    try {
      const handle = await unlessAborted(this.#claim(session), this.#closing.signal)
      if (handle === undefined) return 'closed'
      works()
      if (this.#written === this.#instance) this.#become({ type: 'registered' })
      return await this.#hold(handle)
    } finally {
      for (const off of offs) off()
    }
  }

  /** Makes the file, or takes over the one that an earlier session of this same registration has left. */
  async #claim(session: Session): Promise<Handle> {
    for (;;) {
      const instance = this.#instance
      try {
        const handle = await session.open(this.#file, {
          access: { read: false },
          create: 'new',
          ephemeral: true,
          parents: true,
          contents: encodeInstance({ instance, owner: this.#owner }),
        })
        this.#written = instance
        return handle
      } catch (error) {
        if (!isProblem(error, 'exists')) throw error
      }
      const own = await this.#takeOver(session)
      if (own !== undefined) return own
      if (this.#options.replace === true) await this.#remove(session)
      else await this.#untilGone(session)
    }
  }

  /** Its own file, as long as it is that one. A second handle keeps an ephemeral file when the first goes with its session. */
  async #takeOver(session: Session): Promise<Handle | undefined> {
    const found = await session.read(this.#file, { level: 'linearizable' })
    if (found === undefined || !this.#isOwn(found.text)) return undefined
    try {
      const handle = await session.open(this.#file, { access: { read: false } })
      if (handle.instance === found.instance) {
        this.#written = undefined
        return handle
      }
      await handle.close()
    } catch (error) {
      if (!isProblem(error, 'no-node')) throw error
    }
    return undefined
  }

  #isOwn(text: string): boolean {
    try {
      return decodeInstance(this.#instance.id, text).owner === this.#owner
    } catch {
      return false
    }
  }

  async #remove(session: Session): Promise<void> {
    try {
      await session.remove(this.#file)
    } catch (error) {
      if (!isProblem(error, 'no-node')) throw error
    }
  }

  /** Waits without a handle on the file, which would keep it. */
  async #untilGone(session: Session): Promise<void> {
    await using directory = await session.open(this.#directory, { access: { write: false }, events: ['children'] })
    if ((await session.stat(this.#file)) === undefined) return
    this.#become({ type: 'waiting' })
    for await (const event of directory.events()) {
      const isOther = event.type === 'children' && (event.name !== this.#instance.id || event.change !== 'removed')
      // Whatever else it is, such as a fail-over: it is looked at anew.
      if (!isOther) return
    }
  }

  /** Writes what is new, until it is over. @throws SessionLost */
  async #hold(handle: Handle): Promise<'deregistered' | 'closed'> {
    const { signal } = this.#closing
    const news = this.#listen(handle)
    for (let refused: ServiceInstance | undefined; ; ) {
      if (signal.aborted) return this.#withdraw(handle)
      if (news.error !== undefined) throw news.error
      if (news.deleted) return 'deregistered'
      const instance = this.#instance
      if (this.#written === instance || refused === instance) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        continue
      }
      try {
        await unlessAborted(handle.write(encodeInstance({ instance, owner: this.#owner })), signal)
        this.#written = instance
        this.#become({ type: 'registered' })
      } catch (error) {
        if (!(error instanceof FileProblem)) throw error
        if (error.code === 'no-handle') return 'deregistered'
        refused = instance
        this.#become({ type: 'registered', problem: error })
      }
    }
  }

  /** What comes of its file. Only a deletion by hand makes an event: what goes with its session does not. */
  #listen(handle: Handle): { deleted: boolean; error: unknown } {
    const news: { deleted: boolean; error: unknown } = { deleted: false, error: undefined }
    const listen = async (): Promise<void> => {
      try {
        for await (const event of handle.events()) {
          news.deleted ||= event.type === 'deleted'
          this.#wake()
        }
      } catch (error) {
        news.error = error
        this.#wake()
      }
    }
    void listen()
    return news
  }

  /** Deletes the file: should an earlier session still have it open, closing would leave it there. */
  async #withdraw(handle: Handle): Promise<'closed'> {
    const late = AbortSignal.timeout(farewell)
    // If it cannot be deleted, it goes with the session.
    await unlessAborted(handle.delete(), late).catch(() => {})
    return 'closed'
  }

  // ---- what it tells, and is told -------------------------------------------------------------------------------------------------------

  #become(state: RegistrationState): void {
    const isNews = state.type !== this.#state.type || 'problem' in state || 'problem' in this.#state
    this.#state = state
    const { onState } = this.#options
    // On its own: what a listener throws must not hurt this.
    if (isNews && onState !== undefined) queueMicrotask(() => onState(state))
    const isOver = state.type === 'deregistered' || state.type === 'closed'
    if (!isOver && !this.#isDone) return
    for (const resolve of this.#waiting.splice(0)) resolve(!isOver)
  }

  /** Only if it is in this state. */
  #turn(from: RegistrationState['type'], to: 'jeopardy' | 'registered'): void {
    if (this.#state.type === from) this.#become({ type: to })
  }

  get #isDone(): boolean {
    return this.#state.type === 'registered' && (this.#written === this.#instance || 'problem' in this.#state)
  }

  update(change: InstanceChange): void {
    this.#instance = checkedInstance({ ...this.#instance, ...change, id: this.#instance.id })
    this.#wake()
  }

  registered(): Promise<boolean> {
    if (this.#isDone) return Promise.resolve(true)
    if (this.#state.type === 'deregistered' || this.#state.type === 'closed') return Promise.resolve(false)
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.ended
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const isProblem = (error: unknown, code: FileProblem['code']): boolean =>
  error instanceof FileProblem && error.code === code
