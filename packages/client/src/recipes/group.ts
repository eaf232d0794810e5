import type { Stat } from '@conclave/machine-chubby'
import { FileProblem } from '../locks/errors.ts'
import type { Handle } from '../locks/handle.ts'
import type { Session } from '../locks/session.ts'

export interface Member {
  readonly name: string
  /** What it said when it joined. */
  readonly value: string
}

/** Who is there: each member is an ephemeral file, which goes with its session. */
export class Group {
  readonly #session: Session
  readonly #path: string

  /** @param path a directory, made if it is not there. */
  constructor(session: Session, path: string) {
    this.#session = session
    this.#path = path
  }

  /** Joins under a name that nobody else has; closing what is returned leaves. @throws FileProblem `exists`. */
  join(name: string, value = ''): Promise<Handle> {
    const options = { create: 'new', ephemeral: true, parents: true, contents: value } as const
    return this.#session.open(`${this.#path}/${name}`, options)
  }

  async members(): Promise<readonly Member[]> {
    const found: Member[] = []
    for (const { path } of await this.#files()) {
      const file = await this.#session.read(path)
      // It may have left between the two.
      if (file !== undefined) found.push({ name: path.slice(path.lastIndexOf('/') + 1), value: file.text })
    }
    return found
  }

  async #files(): Promise<readonly Stat[]> {
    try {
      return await this.#session.list(this.#path)
    } catch (error) {
      if (isGone(error)) return []
      throw error
    }
  }

  /** The members now, and again whenever they have changed, until the loop is left. */
  async *watch(): AsyncGenerator<readonly Member[], void> {
    // Again if the directory was deleted: who joins next makes another.
    for (;;) {
      await using handle = await this.#open()
      const events = handle.events()
      yield await this.members()
      for await (const event of events) {
        if (event.type === 'deleted') break
        yield await this.members()
      }
    }
  }

  /** Somebody may delete the directory as fast as it is made. */
  async #open(): Promise<Handle> {
    for (;;) {
      await this.#session.mkdir(this.#path)
      try {
        return await this.#session.open(this.#path, { access: { write: false }, events: ['children'] })
      } catch (error) {
        if (!isGone(error)) throw error
      }
    }
  }
}

const isGone = (error: unknown): boolean => error instanceof FileProblem && error.code === 'no-node'
