import type {
  Access,
  AclNames,
  ChubbyEvent,
  CommandReply,
  Grant,
  HandleInfo,
  LockMode,
  Stat,
  Subscription,
} from '@conclave/machine-chubby'
import { encodeSequencer, parseSequencer } from '@conclave/machine-chubby'
import { FileProblem } from './errors.ts'
import { EventStream } from './event-stream.ts'
import type { File, WriteContents } from './file.ts'
import type { Session } from './session.ts'

/** What happens to an open file or directory. `failedOver`: events may have been missed, by a fail-over or since there were too many; look at it anew. */
export type FileEvent =
  | { readonly type: 'contents'; readonly contentGeneration: bigint }
  | { readonly type: 'children'; readonly change: 'added' | 'removed' | 'modified'; readonly name: string }
  | { readonly type: 'acquired' }
  | { readonly type: 'conflicting' }
  | { readonly type: 'deleted' }
  | { readonly type: 'failedOver' }

export interface OpenOptions {
  /** Default: to read and to write. */
  readonly access?: Partial<Access>
  readonly events?: readonly Subscription[]
  /** Default `no`: it has to be there. */
  readonly create?: 'no' | 'missing' | 'new'
  /** Of what is made; default `file`. */
  readonly kind?: 'file' | 'directory'
  /** Of what is made: it goes with its last handle. */
  readonly ephemeral?: boolean
  /** Directories on the way are made as well. */
  readonly parents?: boolean
  /** Of a file that is made. */
  readonly contents?: WriteContents
  /** Milliseconds or text: for so long nobody gets the lock if this holder fails. At most a minute. Default 0. */
  readonly lockDelay?: number | string
}

/** An open file or directory. It stays the node that was opened: one of the same name that is made after its deletion is another. */
export class Handle implements AsyncDisposable {
  readonly path: string
  readonly number: number
  readonly #session: Session
  readonly #events = new EventStream<FileEvent>({ type: 'failedOver' })
  #instance = 0n
  #grant: Grant | undefined
  #waiter: { readonly granted: (grant: Grant) => void; readonly failed: (error: Error) => void } | undefined
  #closing: Promise<void> | undefined
  #deleted = false
  /** Why the session is over. */
  #over: Error | undefined

  /** @internal by `Session.open`. */
  constructor(session: Session, number: number, path: string) {
    this.#session = session
    this.number = number
    this.path = path
  }

  /** Of the node: tells it from others of its name. */
  get instance(): bigint {
    return this.#instance
  }

  // ---- what the session tells -----------------------------------------------------------------------------------------------------------

  /** @internal */
  opened({ instance, lock }: CommandReply & { readonly status: 'opened' }): void {
    this.#instance = instance
    if (lock?.state === 'held') this.granted(lock)
  }

  /** @internal The lock is its own. */
  granted({ mode, token, lockGeneration, instance }: Grant): void {
    if (this.#closing !== undefined) return
    this.#grant = { mode, token, lockGeneration, instance }
    const waiter = this.#waiter
    this.#waiter = undefined
    waiter?.granted(this.#grant)
  }

  /** @internal */
  happened(event: ChubbyEvent): void {
    switch (event.type) {
      case 'granted':
        return this.granted(event)
      case 'invalid':
        return this.#gone()
      case 'contents':
        return this.#events.push({ type: event.type, contentGeneration: event.contentGeneration })
      case 'children':
        return this.#events.push({ type: event.type, change: event.change, name: event.name })
      case 'acquired':
      case 'conflicting':
        return this.#events.push({ type: event.type })
    }
  }

  #gone(): void {
    this.#grant = undefined
    const waiter = this.#waiter
    this.#waiter = undefined
    waiter?.failed(new FileProblem('no-handle', this.path))
    if (!this.#deleted) this.#events.push({ type: 'deleted' })
    this.#deleted = true
  }

  /** @internal As the cluster has it, after events may have been missed. */
  refreshed({ lock, valid }: HandleInfo): void {
    if (!valid) return this.#gone()
    if (lock.state === 'held') this.granted(lock)
    this.#events.push({ type: 'failedOver' })
  }

  /** @internal The session is over. */
  lost(error: Error): void {
    this.#over = error
    this.#grant = undefined
    const waiter = this.#waiter
    this.#waiter = undefined
    waiter?.failed(error)
    this.#events.end(error)
  }

  /** @internal */
  get grant(): Grant | undefined {
    return this.#grant
  }

  /** @internal Waits for the grant of a lock that was asked for. */
  awaitGrant(signal: AbortSignal): Promise<Grant> {
    if (this.#grant !== undefined) return Promise.resolve(this.#grant)
    // It may have ended since the cluster answered: nothing would be told any more.
    if (this.#over !== undefined) return Promise.reject(this.#over)
    return new Promise((resolve, reject) => {
      const aborted = (): void => {
        this.#waiter = undefined
        reject(signal.reason)
      }
      signal.addEventListener('abort', aborted, { once: true })
      const end = (): void => signal.removeEventListener('abort', aborted)
      this.#waiter = {
        granted: (grant) => {
          end()
          resolve(grant)
        },
        failed: (error) => {
          end()
          reject(error)
        },
      }
      if (signal.aborted) aborted()
    })
  }

  // ---- what a program does with it ------------------------------------------------------------------------------------------------------

  /** The file, linearizable. @throws FileProblem if it was deleted. */
  async read(): Promise<File> {
    const file = await this.#session.read(this.path, { level: 'linearizable' })
    if (file === undefined || file.instance !== this.#instance) throw new FileProblem('no-handle', this.path)
    return file
  }

  async stat(): Promise<Stat> {
    const stat = await this.#session.stat(this.path)
    if (stat === undefined || stat.instance !== this.#instance) throw new FileProblem('no-handle', this.path)
    return stat
  }

  /**
   * Writes the file whole, once nobody caches what was there. @param options.ifGeneration only if the content generation is this. @returns the new one.
   * @throws FileProblem `mismatch`, `denied`, `no-handle`, `stale-sequencer`, `is-a-directory`, `too-many`; RangeError above 256 KiB; SessionLost.
   */
  write(contents: WriteContents, options: { readonly ifGeneration?: bigint } = {}): Promise<bigint> {
    return this.#session.writeHandle(this, contents, options.ifGeneration)
  }

  /** The names of its access control lists: files of the directory `acl` in its cell. @returns the new generation. */
  async setAcl(acl: AclNames, options: { readonly ifGeneration?: bigint } = {}): Promise<bigint> {
    const { ifGeneration } = options
    const reply = await this.#session.changing(this.path, () =>
      this.#session.command(
        { type: 'setAcl', ...this.#key, acl, ...(ifGeneration === undefined ? {} : { ifGeneration }) },
        this.path,
      ),
    )
    return reply.status === 'aclSet' ? reply.aclGeneration : 0n
  }

  /** Deletes the node; the handle is good for nothing but `close` afterwards. */
  async delete(): Promise<void> {
    await this.#session.changing(this.path, () => this.#session.command({ type: 'delete', ...this.#key }, this.path))
  }

  /** From now on calls on this handle fail once the sequencer is no longer valid. @param sequencer a lock's. */
  async setSequencer(sequencer: string): Promise<void> {
    const bytes = encodeSequencer(parseSequencer(sequencer))
    await this.#session.command({ type: 'setSequencer', ...this.#key, sequencer: bytes }, this.path)
  }

  /** What was subscribed to when it was opened, from then on. One reader. Ends when it is closed; throws SessionLost with the session. */
  events(): AsyncIterableIterator<FileEvent, undefined> {
    return this.#events
  }

  /** @internal */
  get #key(): { readonly session: bigint; readonly handle: number } {
    return { session: this.#session.id, handle: this.number }
  }

  /** @internal */
  async acquire(mode: LockMode, queue: boolean): Promise<'held' | 'queued' | 'busy'> {
    const reply = await this.#session.command({ type: 'acquire', ...this.#key, mode, queue }, this.path)
    if (reply.status !== 'lock') return 'busy'
    if (reply.lock.state === 'held') this.granted(reply.lock)
    return reply.lock.state
  }

  /** Gives back what it has of the lock. */
  async release(): Promise<void> {
    this.#grant = undefined
    await this.#session.command({ type: 'release', ...this.#key }, this.path)
  }

  /** Gives back the lock, or the place in line, and closes it. Safe to call twice, and again if it failed. */
  close(): Promise<void> {
    this.#closing ??= this.#close().catch((error: unknown) => {
      this.#closing = undefined
      throw error
    })
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#grant = undefined
    this.#events.end()
    await this.#session.closeHandle(this)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
