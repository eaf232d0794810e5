import { unlessAborted } from '../abortable.ts'
import type { Lock } from '../locks/lock.ts'
import type { LockOptions, Session } from '../locks/session.ts'

/** Who leads, as it proclaimed itself. */
export interface Proclaimed {
  readonly value: string
  /** The fencing token of its lock. */
  readonly token: bigint
}

/** A leader as long as its lock is held: show `token` or `sequencer` to whatever it does, as with any lock. */
export interface Leadership extends Proclaimed, AsyncDisposable {
  readonly lock: Lock
  /** Proclaims something else. @throws LockLost; FileProblem `stale-sequencer`. */
  proclaim(value: string): Promise<void>
  /** Gives leadership to whoever stands next in line. */
  resign(): Promise<void>
}

/**
 * Leader election (section 2.1 of the Chubby paper): whoever holds the lock of a file leads, and proclaims itself by what it writes there. What is read is a hint, maybe of a leader that
 * has just been lost; its token tells whether it is.
 */
export class Election {
  readonly #session: Session
  readonly #path: string

  /** @param path `/ls/CELL/…`: the same for all candidates. */
  constructor(session: Session, path: string) {
    this.#session = session
    this.#path = path
  }

  /** Stands for election; resolves once this session leads and has proclaimed it. @throws as `Session.lock`; LockLost if it led for no longer than it took to say so. */
  async campaign(value: string, options: Omit<LockOptions, 'mode' | 'ephemeral'> = {}): Promise<Leadership> {
    const { signal = new AbortController().signal } = options
    const lock = await this.#session.lock(this.#path, options)
    const opening = this.#session.open(this.#path, { access: { read: false } })
    const proclaim = async (words: string): Promise<void> => {
      const handle = await opening
      await handle.setSequencer(lock.sequencer)
      await handle.write(JSON.stringify({ value: words, token: String(lock.token) }))
    }
    const resign = async (): Promise<void> => {
      try {
        await lock.release()
      } finally {
        await (await opening).close()
      }
    }
    let present = value
    try {
      await unlessAborted(proclaim(value), signal)
      signal.throwIfAborted()
      lock.assertHeld()
    } catch (error) {
      const resigned = resign().catch(() => {})
      // Whoever gave up does not wait for that too.
      if (!signal.aborted) await resigned
      throw error
    }
    return {
      lock,
      get value() {
        return present
      },
      get token() {
        return lock.token
      },
      proclaim: async (words) => {
        await proclaim(words)
        present = words
      },
      resign,
      [Symbol.asyncDispose]: resign,
    }
  }

  /** Who was proclaimed last; undefined: nobody was, or nobody holds the lock now. */
  async leader(): Promise<Proclaimed | undefined> {
    const [file, stat] = [await this.#session.read(this.#path), await this.#session.stat(this.#path)]
    if (file === undefined || stat === undefined || stat.lock.mode === 'free') return undefined
    return proclaimedIn(file.text)
  }

  /** Every leader from the present one on, as it is proclaimed; some may be missed if they follow fast. Until the loop is left. */
  async *observe(): AsyncGenerator<Proclaimed, void> {
    let told: Proclaimed | undefined
    const isNews = (next: Proclaimed | undefined): next is Proclaimed =>
      next !== undefined && (next.token !== told?.token || next.value !== told.value)
    // Again if the file was deleted: whoever stands next makes another.
    for (;;) {
      await using handle = await this.#session.open(this.#path, {
        access: { write: false },
        create: 'missing',
        parents: true,
        events: ['contents'],
      })
      const events = handle.events()
      for (let next = await this.leader(); ; next = await this.leader()) {
        if (isNews(next)) {
          told = next
          yield next
        }
        const { done, value: event } = await events.next()
        if (done === true) return
        if (event.type === 'deleted') break
      }
    }
  }
}

const proclaimedIn = (text: string): Proclaimed | undefined => {
  try {
    const { value, token } = JSON.parse(text)
    return typeof value === 'string' && typeof token === 'string' ? { value, token: BigInt(token) } : undefined
  } catch {
    return undefined
  }
}
