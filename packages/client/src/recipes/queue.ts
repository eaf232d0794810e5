import { unlessAborted } from '../abortable.ts'
import { FileProblem } from '../locks/errors.ts'
import type { WriteContents } from '../locks/file.ts'
import type { Lock } from '../locks/lock.ts'
import type { Session } from '../locks/session.ts'
import { Counter } from './counter.ts'

/** An item that this consumer alone has. Not acknowledged, it goes to another when its session is lost. */
export interface Item {
  readonly contents: Uint8Array
  readonly text: string
  /** Of the lock of this item: a fencing token for what is done with it. */
  readonly lock: Lock
  /** It is done: it is gone from the queue. */
  done(): Promise<void>
  /** Puts it back in its place. */
  release(): Promise<void>
}

/**
 * First in, first out, for many producers and consumers. Each item is taken by one consumer at a time, and at least once: a consumer that fails after it did the work and before `done` leaves the item to
 * another. A producer whose session is lost in `push` may or may not have pushed.
 */
export class Queue {
  readonly #session: Session
  readonly #path: string
  readonly #numbers: Counter

  /** @param path a directory of this queue alone. */
  constructor(session: Session, path: string) {
    this.#session = session
    this.#path = path
    this.#numbers = new Counter(session, `${path}/last`)
  }

  async push(contents: WriteContents): Promise<void> {
    const number = await this.#numbers.add()
    await this.#session.write(`${this.#path}/items/${String(number).padStart(19, '0')}`, contents, { ifGeneration: 0n })
  }

  /** The oldest item that nobody has; undefined: there is none at present. */
  async tryTake(): Promise<Item | undefined> {
    await this.#session.mkdir(`${this.#path}/items`)
    for (const { path } of await this.#session.list(`${this.#path}/items`)) {
      const item = await this.#claim(path)
      if (item !== undefined) return item
    }
    return undefined
  }

  /** The oldest item that nobody has, as soon as there is one. @param signal gives up, at once. */
  async take(signal: AbortSignal = new AbortController().signal): Promise<Item> {
    signal.throwIfAborted()
    const taking = this.#take(signal)
    const item = await unlessAborted(taking, signal)
    if (item !== undefined) return item
    // What it may get all the same is put back.
    taking.then((late) => late.release()).catch(() => {})
    throw signal.reason
  }

  async #take(signal: AbortSignal): Promise<Item> {
    await this.#session.mkdir(`${this.#path}/items`)
    await using watch = await this.#session.open(`${this.#path}/items`, {
      access: { write: false },
      events: ['children'],
    })
    const events = watch.events()
    const aborted = (): void => void events.return?.()
    signal.addEventListener('abort', aborted, { once: true })
    try {
      for (let next: ReturnType<typeof events.next> | undefined; ; ) {
        const item = await this.tryTake()
        if (item !== undefined) return item
        // One event is waited for at a time: a wait that was given up would take a later one.
        next ??= events.next()
        const news = await this.#news(next)
        signal.throwIfAborted()
        if (news === 'over') throw new FileProblem('no-handle', this.#path)
        if (news === 'event') next = undefined
      }
    } finally {
      signal.removeEventListener('abort', aborted)
    }
  }

  /** An item that a consumer lost makes no event in the directory: after a while it is looked anew. */
  #news(next: Promise<IteratorResult<unknown>>): Promise<'event' | 'late' | 'over'> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => resolve('late'), 1000)
      next.then(
        ({ done }) => {
          clearTimeout(late)
          resolve(done === true ? 'over' : 'event')
        },
        (error: unknown) => {
          clearTimeout(late)
          reject(error)
        },
      )
    })
  }

  async #claim(path: string): Promise<Item | undefined> {
    const lock = await this.#session.tryLock(`${this.#path}/claims/${path.slice(path.lastIndexOf('/') + 1)}`, {
      ephemeral: true,
    })
    if (lock === undefined) return undefined
    const file = await this.#session
      .read(path, { level: 'linearizable' })
      .catch(async (error: unknown): Promise<never> => {
        // Another may be able to.
        await lock.release()
        throw error
      })
    if (file === undefined) {
      // It was done between the listing and the claim.
      await lock.release()
      return undefined
    }
    const done = async (): Promise<void> => {
      lock.assertHeld()
      await this.#session.remove(path)
      await lock.release()
    }
    return { contents: file.contents, text: file.text, lock, done, release: () => lock.release() }
  }
}
