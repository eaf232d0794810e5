import {
  type Access,
  type AclNames,
  type ChubbyCommand,
  type ChubbyQuery,
  decodeCallReply,
  decodeReply,
  encodeCall,
  encodeCommand,
  encodeSequencer,
  type LockMode,
  limits,
  type Notice,
  parseSequencer,
  type QueryReply,
  type Stat,
  type Subscription,
} from '@conclave/machine-chubby'
import { Overloaded, SessionExpired } from '../errors.ts'
import { Acquisitions, type Opened } from './acquisitions.ts'
import { FileCache } from './cache.ts'
import { Calls } from './calls.ts'
import { type Duration, millisOf } from './durations.ts'
import { FileProblem, LockHeld, SessionLost } from './errors.ts'
import { contentsOf, type File, fileOf, type WriteContents } from './file.ts'
import { type FileEvent, Handle, type OpenOptions } from './handle.ts'
import { deadlineOf, KeepAlive } from './keep-alive.ts'
import { Lock } from './lock.ts'
import { resolvePath } from './names.ts'
import type { LockPort } from './port.ts'
import { Watchdog } from './watchdog.ts'

export interface SessionOptions {
  /** The lease, which is extended again and again: when this client is gone for so long, its locks pass to others. 500 ms to a minute; default 12 s. */
  readonly ttl?: Duration
  /** For so long after a lease has run out the session may still turn out to be safe. Default 45 s. */
  readonly grace?: Duration
  /** Bytes of files that are cached. Default 16 MiB. */
  readonly cacheBytes?: number
  /** Gives up beginning one. */
  readonly signal?: AbortSignal
}

export interface LockOptions {
  /** Default `exclusive`. */
  readonly mode?: LockMode
  /** How long to wait for others: 0 not at all. Default: for ever. */
  readonly wait?: Duration
  /** For so long nobody gets the lock if this holder fails: for what it may still have on its way. At most a minute, default 0. */
  readonly lockDelay?: Duration
  /** The lock's file goes with its last handle. Default: it stays. */
  readonly ephemeral?: boolean
  /** Gives up waiting. */
  readonly signal?: AbortSignal
}

export interface ReadFileOptions {
  /** `cached`: from the cache if it is there, which is as good as `linearizable`. `local`: from any node, maybe late. Default `cached`. */
  readonly level?: 'cached' | 'linearizable' | 'local'
}

export interface WriteFileOptions {
  /** Only if the content generation is this; 0n: only if there is no such file. */
  readonly ifGeneration?: bigint
}

export interface SessionEvents {
  /** The lease has run out by the local clock: nothing can be relied on until `safe`. */
  jeopardy: () => void
  safe: () => void
  /** It is over: locks and ephemeral files are gone. */
  expired: () => void
}

export type SessionState = 'safe' | 'jeopardy' | 'expired' | 'ended'

const readWrite: Access = { read: true, write: true, changeAcl: false }

/** @param ttl default 12 s. @returns milliseconds. @throws RangeError unless it is 500 ms to a minute. */
export const leaseOf = (ttl: Duration | undefined): number => {
  const { least, most, default: usual } = limits.leaseMillis
  const lease = Math.round(millisOf(ttl ?? usual, 'a ttl'))
  if (lease >= least && lease <= most) return lease
  throw new RangeError(`a ttl lies between ${least} ms and ${most / 1000} s, got ${lease} ms`)
}

/** A session with the lock service: as long as it lives its locks are held, its ephemeral files are there, and its cache is good (section 2.8 of the Chubby paper). */
export class Session implements AsyncDisposable {
  readonly id: bigint
  readonly #port: LockPort
  readonly #keepAlive: KeepAlive
  readonly #watchdog: Watchdog
  readonly #cache: FileCache
  readonly #handles = new Map<number, Handle>()
  readonly #locks = new Set<Lock>()
  readonly #acquisitions: Acquisitions
  readonly #calls: Calls
  readonly #listeners = { jeopardy: new Set<() => void>(), safe: new Set<() => void>(), expired: new Set<() => void>() }
  /** Fires when the session is over, with why. */
  readonly #over = new AbortController()
  #state: SessionState = 'safe'
  #nextHandle = 1
  #refreshing: (() => void) | undefined
  #ending: Promise<void> | undefined

  /** Begins a session. @throws RangeError; Aborted; what the client throws. */
  static async begin(port: LockPort, options: SessionOptions = {}): Promise<Session> {
    const lease = leaseOf(options.ttl)
    const grace = millisOf(options.grace ?? 45_000, 'a grace period')
    const half = (): bigint => BigInt(Math.floor(port.random.next() * 0x1_0000_0000))
    const id = (half() << 32n) | half()
    const asked = port.clock.now()
    const signal = options.signal ?? new AbortController().signal
    const bytes = encodeCommand({ type: 'createSession', session: id, lease, principal: port.principal })
    const reply = decodeReply(await port.command(bytes, signal))
    if (reply.status !== 'done')
      throw new FileProblem(reply.status === 'refused' ? reply.problem : 'malformed', 'a session')
    return new Session(port, id, deadlineOf(asked, lease), grace, options)
  }

  private constructor(port: LockPort, id: bigint, deadline: number, grace: number, options: SessionOptions) {
    this.#port = port
    this.id = id
    this.#cache = new FileCache(options.cacheBytes ?? 16 * 1024 * 1024)
    this.#watchdog = new Watchdog(
      {
        clock: port.clock,
        grace,
        jeopardy: () => this.#jeopardy(),
        safe: () => this.#safe(),
        expired: () =>
          this.#lost('expired', 'the cluster could not be reached for longer than the lease and the grace period'),
      },
      deadline,
    )
    this.#calls = new Calls({
      port,
      over: this.#over.signal,
      unknown: () => this.#lost('expired', 'the cluster knows no such session: it has expired'),
    })
    this.#acquisitions = new Acquisitions({ clock: port.clock, whenGood: () => this.#whenGood() })
    this.#keepAlive = new KeepAlive({
      port,
      session: id,
      extended: (until) => this.#watchdog.extend(until),
      told: (notice) => this.#told(notice),
      over: (why) => this.#lost('expired', why),
    })
    this.#keepAlive.start()
  }

  get state(): SessionState {
    return this.#state === 'safe' && !this.#watchdog.good ? 'jeopardy' : this.#state
  }
  /** Until when the lease lasts, by the local monotonic clock; 0 when the session is over. */
  get validUntil(): number {
    return this.#over.signal.aborted ? 0 : this.#watchdog.deadline
  }
  /** @internal The local monotonic clock. */
  get now(): number {
    return this.#port.clock.now()
  }
  /** @internal Judged by the clock. */
  get isGood(): boolean {
    return this.#state === 'safe' && this.#watchdog.good
  }

  /** Returns what removes the listener. */
  on<Event extends keyof SessionEvents>(event: Event, listener: SessionEvents[Event]): () => void {
    const own = (): void => listener()
    this.#listeners[event].add(own)
    return () => this.#listeners[event].delete(own)
  }

  /** @internal Calls `listener` once, when it is over, whichever way. */
  onOver(listener: () => void): void {
    this.#over.signal.addEventListener('abort', listener, { once: true })
  }

  #tell(event: keyof SessionEvents): void {
    // On its own: what a listener throws must not hurt the session.
    const listeners = this.#listeners[event]
    for (const listener of listeners)
      queueMicrotask(() => {
        if (listeners.has(listener)) listener()
      })
  }

  // ---- its life -------------------------------------------------------------------------------------------------------------------------

  #jeopardy(): void {
    if (this.#state !== 'safe') return
    this.#state = 'jeopardy'
    this.#cache.invalidate('')
    for (const lock of this.#locks) lock.lost()
    this.#tell('jeopardy')
  }

  #safe(): void {
    if (this.#state !== 'jeopardy') return
    this.#state = 'safe'
    this.#tell('safe')
  }

  /** Nothing of it is left. */
  #lost(state: 'expired' | 'ended', why: string): void {
    if (this.#state === 'expired' || this.#state === 'ended') return
    this.#state = state
    this.#keepAlive.stop()
    this.#watchdog.stop()
    this.#refreshing?.()
    this.#cache.invalidate('')
    const error = new SessionLost(`the session is over: ${why}. Begin a new one`)
    this.#over.abort(error)
    for (const lock of [...this.#locks]) lock.lost(why)
    this.#locks.clear()
    for (const handle of [...this.#handles.values()]) handle.lost(error)
    this.#handles.clear()
    if (state === 'expired') this.#tell('expired')
  }

  #told(notice: Notice): void {
    switch (notice.type) {
      case 'failedOver':
      case 'lost':
        this.#cache.invalidate('')
        return this.#refresh(0)
      case 'invalidate':
        return this.#cache.invalidate(notice.path)
      default:
        this.#handles.get(notice.handle)?.happened(notice)
    }
  }

  /** Events may have been missed: looks at all handles anew, page by page. */
  #refresh(after: number): void {
    this.#refreshing?.()
    const query: ChubbyQuery = { type: 'session', session: this.id, after }
    let again: (() => void) | undefined
    const giveUp = this.#port.ask(
      encodeCall({ type: 'query', local: false, query }),
      'leader',
      (bytes) => {
        this.#refreshing = undefined
        const answer = decodeCallReply(bytes)
        if (answer.type !== 'answer' || answer.reply.status !== 'session') return
        const { handles, more } = answer.reply
        for (const info of handles) this.#handles.get(info.handle)?.refreshed(info)
        const last = handles.at(-1)
        if (more && last !== undefined) this.#refresh(last.handle)
      },
      (error) => {
        // The program has too many other calls under way. Of anything else the session dies.
        if (error instanceof Overloaded) again = this.#port.clock.after(retryMillis, () => this.#refresh(after))
      },
    )
    this.#refreshing = () => {
      giveUp()
      again?.()
    }
  }

  /** Ends it in good order: what it holds passes on at once. Safe to call twice. */
  end(): Promise<void> {
    this.#ending ??= this.#end()
    return this.#ending
  }

  async #end(): Promise<void> {
    if (this.#state === 'expired') return
    // Before the cluster is told: it then asks nobody here to drop anything.
    this.#lost('ended', 'it was ended')
    const late = new AbortController()
    const cancel = this.#port.clock.afterHolding(endMillis, () => late.abort(new Error('the cluster does not answer')))
    // Should that fail, the lease runs out.
    await this.#port.command(encodeCommand({ type: 'endSession', session: this.id }), late.signal).catch(() => {})
    cancel()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end()
  }

  // ---- commands and calls -----------------------------------------------------------------------------------------------------------------

  /** @internal @throws SessionLost, FileProblem. */
  command(command: ChubbyCommand, path: string): ReturnType<Calls['command']> {
    return this.#calls.command(command, path)
  }

  #path(path: string): string {
    return resolvePath(path, this.#port.cluster)
  }

  /** Resolves when the lease is good: what was granted before that is not to be relied on. */
  async #whenGood(): Promise<void> {
    const { signal } = this.#over
    while (!this.isGood) {
      signal.throwIfAborted()
      await new Promise<void>((resolve) => {
        const off = this.on('safe', () => {
          off()
          signal.removeEventListener('abort', end)
          resolve()
        })
        const end = (): void => {
          off()
          resolve()
        }
        signal.addEventListener('abort', end, { once: true })
      })
    }
  }

  // ---- handles ----------------------------------------------------------------------------------------------------------------------------

  /**
   * Opens a file or directory, or makes it.
   * @throws FileProblem `no-node`, `exists`, `denied`, `not-a-directory`, `too-many`; SessionLost; RangeError.
   */
  async open(path: string, options: OpenOptions = {}): Promise<Handle> {
    return (await this.#open(this.#path(path), options)).handle
  }

  async #open(
    path: string,
    options: OpenOptions,
    lock?: { readonly mode: LockMode; readonly queue: boolean },
  ): Promise<Opened> {
    const { access, events = [], create = 'no', kind = 'file', ephemeral = false, parents = false, contents } = options
    const lockDelay = Math.round(millisOf(options.lockDelay ?? 0, 'a lock-delay'))
    if (lockDelay > limits.lockDelayMillis)
      throw new RangeError(`a lock-delay is at most ${limits.lockDelayMillis / 1000} s, got ${lockDelay} ms`)
    const handle = new Handle(this, this.#nextHandle++, path)
    const command: ChubbyCommand = {
      type: 'open',
      session: this.id,
      handle: handle.number,
      path,
      access: { ...readWrite, ...access },
      subscriptions: events as readonly Subscription[],
      lockDelay,
      create,
      kind,
      ephemeral,
      parents,
      contents: contentsOf(contents ?? ''),
      ...(lock === undefined ? {} : { lock }),
    }
    // Known before the answer: a grant may come first.
    this.#handles.set(handle.number, handle)
    try {
      const open = () => this.command(command, path)
      const reply = await (create === 'no' ? open() : this.changing(path, open))
      if (reply.status !== 'opened') throw new FileProblem('malformed', path)
      handle.opened(reply)
      return { handle, reply }
    } catch (error) {
      this.#handles.delete(handle.number)
      // It may be open after all.
      if (error instanceof SessionExpired) handle.close().catch(() => {})
      throw error
    }
  }

  /** @internal */
  async closeHandle({ number, path }: Handle): Promise<void> {
    this.#handles.delete(number)
    while (!this.#over.signal.aborted) {
      try {
        await this.command({ type: 'close', session: this.id, handle: number }, path)
        return
      } catch (error) {
        // With the session everything is closed.
        if (error instanceof SessionLost) return
        // Left open it would keep its lock, or its place in line, for as long as the session lives. To close it twice does no harm.
        if (!(error instanceof Overloaded || error instanceof SessionExpired)) throw error
        await new Promise<void>((resolve) => {
          this.#port.clock.afterHolding(retryMillis, resolve)
        })
      }
    }
  }

  /** @internal While this client changes a path it caches nothing of it. */
  async changing<T>(path: string, change: () => Promise<T>): Promise<T> {
    const settled = this.#cache.changing(path)
    try {
      return await change()
    } finally {
      settled()
    }
  }

  /** @internal */
  async writeHandle(handle: Handle, contents: WriteContents, ifGeneration: bigint | undefined): Promise<bigint> {
    const bytes = contentsOf(contents)
    const reply = await this.changing(handle.path, () =>
      this.command(
        {
          type: 'write',
          session: this.id,
          handle: handle.number,
          contents: bytes,
          ...(ifGeneration === undefined ? {} : { ifGeneration }),
        },
        handle.path,
      ),
    )
    return reply.status === 'written' ? reply.contentGeneration : 0n
  }

  async #with<T>(
    path: string,
    options: OpenOptions,
    use: (handle: Handle, created: boolean) => Promise<T>,
  ): Promise<T> {
    const { handle, reply } = await this.#open(this.#path(path), options)
    try {
      return await use(handle, reply.created)
    } finally {
      await handle.close()
    }
  }

  // ---- locks ------------------------------------------------------------------------------------------------------------------------------

  /**
   * Acquires a lock, first come, first served. The file is made if it is not there, and the directories on the way.
   * @throws LockHeld if `wait` is over; Unavailable if it is and the cluster has not even answered; SessionLost; FileProblem; the reason of `signal`. At once, also while nobody leads: the
   * place in line is given back as soon as the cluster can be told.
   */
  async lock(path: string, options: LockOptions = {}): Promise<Lock> {
    const wait = options.wait === undefined ? Number.POSITIVE_INFINITY : millisOf(options.wait, 'a wait')
    const lock = await this.#acquire(path, options, wait, wait > 0)
    if (lock !== undefined) return lock
    throw new LockHeld(path, wait)
  }

  /** Acquires a lock if it is to be had at once; undefined: it is not. `wait` is for the cluster to answer. @throws as `lock`. */
  tryLock(path: string, options: LockOptions = {}): Promise<Lock | undefined> {
    const wait = millisOf(options.wait ?? 0, 'a wait')
    return this.#acquire(path, options, wait, false)
  }

  async #acquire(name: string, options: LockOptions, wait: number, queue: boolean): Promise<Lock | undefined> {
    const { mode = 'exclusive', lockDelay = 0, ephemeral = false, signal } = options
    signal?.throwIfAborted()
    const path = this.#path(name)
    const how: OpenOptions = { access: { read: false }, create: 'missing', parents: true, ephemeral, lockDelay }
    const open = () => this.#open(path, how, { mode, queue })
    const acquired = await this.#acquisitions.acquire({ path, wait, signal, open })
    if (acquired === undefined) return undefined
    const lock = new Lock(this, acquired.handle, acquired.grant)
    this.#locks.add(lock)
    return lock
  }

  /** @internal */
  forget(lock: Lock): void {
    this.#locks.delete(lock)
  }

  /** Whether whoever shows this sequencer still holds the lock, as the leader knows it. @throws MalformedBytes if it is none. */
  async checkSequencer(sequencer: string): Promise<boolean> {
    const reply = await this.#calls.query({
      type: 'checkSequencer',
      sequencer: encodeSequencer(parseSequencer(sequencer)),
    })
    return reply.status === 'sequencer' && reply.valid
  }

  // ---- files ------------------------------------------------------------------------------------------------------------------------------

  /** A file; undefined: there is none. @throws FileProblem `denied`, `is-a-directory`; SessionLost. */
  async read(path: string, { level = 'cached' }: ReadFileOptions = {}): Promise<File | undefined> {
    const at = this.#path(path)
    if (level === 'cached') return this.#readCached(at)
    const reply = await this.#calls.query({ type: 'file', path: at }, level === 'local')
    if (reply.status === 'file') return fileOf(reply.file)
    if (reply.status === 'refused' && reply.problem !== 'no-node') throw new FileProblem(reply.problem, at)
    return undefined
  }

  async #readCached(path: string): Promise<File | undefined> {
    const cached = this.isGood ? this.#cache.get(path) : undefined
    if (cached !== undefined) return cached.file && fileOf(cached.file)
    const ticket = this.#cache.begin(path)
    try {
      const reply = await this.#calls.ask({ type: 'read', session: this.id, path }, 'leader')
      if (reply.type === 'refused') throw this.#calls.refusal(reply.problem, path)
      const file = reply.type === 'file' ? reply.file : undefined
      this.#cache.arrived(ticket, { file }, reply.type === 'file' && reply.cacheable && this.isGood)
      return file && fileOf(file)
    } finally {
      this.#cache.abandon(ticket)
    }
  }

  /** Writes a file whole; it is made if it is not there, and the directories on the way. @returns its content generation. @throws as `Handle.write`. */
  async write(path: string, contents: WriteContents, { ifGeneration }: WriteFileOptions = {}): Promise<bigint> {
    const bytes = contentsOf(contents)
    const create = ifGeneration === 0n ? 'new' : ifGeneration === undefined ? 'missing' : 'no'
    const open: OpenOptions = {
      access: { read: false },
      create,
      parents: true,
      ...(create === 'no' ? {} : { contents: bytes }),
    }
    return this.#with(path, open, async (handle, created) => {
      if (created) return 1n
      return handle.write(bytes, ifGeneration === undefined ? {} : { ifGeneration })
    })
  }

  /** Makes a directory, and those on the way. One that is there is left as it is. @throws FileProblem. */
  async mkdir(path: string): Promise<void> {
    const at = this.#path(path)
    const { handle, reply } = await this.#open(at, {
      access: { read: false, write: false },
      create: 'missing',
      kind: 'directory',
      parents: true,
    })
    await handle.close()
    // Contents have generations from 1 on, and a directory has none.
    if (reply.contentGeneration > 0n) throw new FileProblem('not-a-directory', at)
  }

  /** Deletes a file or an empty directory. @throws FileProblem. */
  remove(path: string): Promise<void> {
    return this.#with(path, { access: { read: false } }, (handle) => handle.delete())
  }

  /** What there is to know of a file or directory; undefined: there is none. @throws FileProblem `denied`. */
  async stat(path: string): Promise<Stat | undefined> {
    const at = this.#path(path)
    const reply = await this.#calls.query({ type: 'stat', path: at })
    if (reply.status === 'stat') return reply.stat
    if (reply.status === 'refused' && reply.problem !== 'no-node') throw new FileProblem(reply.problem, at)
    return undefined
  }

  /** What is in a directory, in byte order. Read in pages of a thousand, each at its own time. @throws FileProblem. */
  async list(path: string): Promise<readonly Stat[]> {
    const at = this.#path(path)
    const all: Stat[] = []
    for (let after = ''; ; ) {
      const reply = await this.#calls.query({ type: 'children', path: at, after, limit: limits.page })
      if (reply.status === 'refused') throw new FileProblem(reply.problem, at)
      if (reply.status !== 'children') return all
      all.push(...reply.children)
      const last = reply.children.at(-1)
      if (!reply.more || last === undefined) return all
      after = last.path.slice(at.length + 1)
    }
  }

  /** Sets the names of the access control lists. @throws FileProblem. */
  async setAcl(path: string, acl: AclNames): Promise<void> {
    await this.#with(path, { access: { read: false, write: false, changeAcl: true } }, (handle) => handle.setAcl(acl))
  }

  /** What happens to a file or in a directory, from now on, until the loop is left. @throws FileProblem if it is not there; SessionLost. */
  async *watch(path: string): AsyncGenerator<FileEvent, void> {
    await using handle = await this.open(path, {
      access: { write: false },
      events: ['contents', 'children', 'acquired'],
    })
    yield* handle.events()
  }

  /** Asks the lock service anything, at the leader. @throws RangeError if a path is none; SessionLost. */
  query(query: ChubbyQuery): Promise<QueryReply> {
    if ('path' in query) return this.#calls.query({ ...query, path: this.#path(query.path) })
    if ('prefix' in query) return this.#calls.query({ ...query, prefix: this.#path(query.prefix) })
    return this.#calls.query(query)
  }

  /**
   * Lets every later fencing token be above `above`, up to 2^63: for a cell that was made anew, beside resources that have seen the tokens of the one before. @returns the highest token so far.
   * @throws RangeError; SessionLost.
   */
  async raiseToken(above: bigint): Promise<bigint> {
    if (above < 0n || above > limits.token)
      throw new RangeError(`a token that others are to be above is from 0 to ${limits.token}, got ${above}`)
    const reply = await this.command({ type: 'raiseToken', session: this.id, above }, 'the token')
    return reply.status === 'done' ? reply.token : above
  }

  /**
   * Ends another session of this same client, by its key: what that one holds passes on at once. One that is not there is ended already.
   * @throws Refused if it is somebody else's; SessionLost.
   */
  async endOther(id: bigint): Promise<void> {
    await this.command({ type: 'endSession', session: id }, 'a session')
  }
}

/** Milliseconds until what could not even leave is tried again. */
const retryMillis = 100
/** The cluster is given so long, in milliseconds, to take the end of a session. */
const endMillis = 2000
