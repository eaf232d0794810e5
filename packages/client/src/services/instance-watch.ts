import { unlessAborted } from '../abortable.ts'
import { FileProblem } from '../locks/errors.ts'
import type { FileEvent, Handle } from '../locks/handle.ts'
import type { ServiceInstance } from './instance.ts'
import { InstanceTable, type InstanceTableInit } from './instance-table.ts'

/** Names that are known to have changed; beyond so many everything is looked at anew. */
const mostNames = 4096

/**
 * The instances in a directory, and again as they change. The directory is subscribed to before it is listed, so that nothing falls in between; an event names a file, and only that one is read.
 * Where events may be missing (a fail-over, too many at once) the directory is listed anew. It is made if it is not there.
 */
export class InstanceWatch {
  readonly #init: InstanceTableInit
  readonly #table: InstanceTable
  readonly #closing = new AbortController()
  #handle: Handle | undefined
  /** What is to be read again. */
  #changed: Set<string> | 'all' = 'all'
  #error: unknown
  #wake = (): void => {}

  constructor(init: InstanceTableInit) {
    this.#init = init
    this.#table = new InstanceTable(init)
  }

  /**
   * The instances in the order of their ids: at once when it is called first, then as soon as there are others, or all was looked at anew. One call at a time. Undefined: it was closed.
   * @throws SessionLost, FileProblem, and what else a session throws: it is of no use any more.
   */
  async next(): Promise<readonly ServiceInstance[] | undefined> {
    const { signal } = this.#closing
    return signal.aborted ? undefined : unlessAborted(this.#next(), signal)
  }

  /** Looks at everything anew. */
  refresh(): void {
    this.#changed = 'all'
    this.#wake()
  }

  /** Safe to call twice. */
  close(): void {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    this.#release()
  }

  #release(): void {
    // The cluster may be away: nobody waits for it. With the session the handle is closed anyway.
    this.#handle?.close().catch(() => {})
    this.#handle = undefined
  }

  async #next(): Promise<readonly ServiceInstance[]> {
    for (;;) {
      await this.#news()
      const changed = this.#changed
      this.#changed = new Set()
      const news = changed === 'all' ? await this.#readAll() : await this.#table.read([...changed])
      // Meanwhile it may have come out that more is missing: half of that is no list.
      if (news && !this.#isDoubtful) return this.#table.instances()
    }
  }

  get #isDoubtful(): boolean {
    return this.#changed === 'all'
  }

  /** Resolves when something is to be read. */
  async #news(): Promise<void> {
    while (this.#changed !== 'all' && this.#changed.size === 0) {
      if (this.#error !== undefined) throw this.#error
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  // ---- events ---------------------------------------------------------------------------------------------------------------------------

  async #open(): Promise<void> {
    const { session, directory } = this.#init
    const handle = await session.open(directory, {
      access: { write: false },
      create: 'missing',
      kind: 'directory',
      parents: true,
      events: ['children'],
    })
    this.#handle = handle
    if (this.#closing.signal.aborted) return this.#release()
    // Fetched as they come, however slow the reader is: else the oldest would be dropped.
    void this.#listen(handle)
  }

  async #listen(handle: Handle): Promise<void> {
    try {
      for await (const event of handle.events()) this.#happened(handle, event)
    } catch (error) {
      this.#error = error
      this.#wake()
    }
  }

  #happened(handle: Handle, event: FileEvent): void {
    if (handle !== this.#handle) return
    switch (event.type) {
      case 'children':
        if (this.#changed !== 'all' && this.#changed.add(event.name).size > mostNames) this.#changed = 'all'
        break
      case 'deleted':
        // The directory is another now, or none.
        this.#release()
        this.#changed = 'all'
        break
      case 'failedOver':
        this.#changed = 'all'
        break
      case 'contents':
      case 'acquired':
      case 'conflicting':
        return
    }
    this.#wake()
  }

  // ---- reading --------------------------------------------------------------------------------------------------------------------------

  /** @returns false: the directory was deleted meanwhile, and all is to be done again. */
  async #readAll(): Promise<boolean> {
    if (this.#handle === undefined) await this.#open()
    try {
      await this.#table.readAll()
      return true
    } catch (error) {
      if (!(error instanceof FileProblem) || error.code !== 'no-node') throw error
      this.#release()
      this.#changed = 'all'
      return false
    }
  }
}
