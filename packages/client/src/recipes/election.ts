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

  /** Stands for election; resolves once this session leads and has proclaimed it. @throws as `Session.lock`. */
  async campaign(value: string, options: Omit<LockOptions, 'mode' | 'ephemeral'> = {}): Promise<Leadership> {
    const lock = await this.#session.lock(this.#path, options)
    const handle = await this.#session
      .open(this.#path, { access: { read: false } })
      .catch(async (error: unknown): Promise<never> => {
        await lock.release()
        throw error
      })
    const proclaim = async (words: string): Promise<void> => {
      await handle.setSequencer(lock.sequencer)
      await handle.write(JSON.stringify({ value: words, token: String(lock.token) }))
    }
    const resign = async (): Promise<void> => {
      await handle.close()
      await lock.release()
    }
    let present = value
    try {
      await proclaim(value)
    } catch (error) {
      await resign()
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
    await using handle = await this.#session.open(this.#path, {
      access: { write: true },
      create: 'missing',
      parents: true,
      events: ['contents'],
    })
    let last: bigint | undefined
    const news = async (): Promise<Proclaimed | undefined> => {
      const proclaimed = proclaimedIn((await this.#session.read(this.#path))?.text ?? '')
      return proclaimed
    }
    let told = await this.leader()
    if (told !== undefined) yield told
    last = told?.token
    for await (const event of handle.events()) {
      if (event.type === 'deleted') return
      const next = await news()
      if (next === undefined || (next.token === last && next.value === told?.value)) continue
      told = next
      last = next.token
      yield next
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
