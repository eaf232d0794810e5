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
    const stat = await this.#session.stat(this.#path)
    if (stat === undefined) return []
    const found: Member[] = []
    for (const { path } of await this.#session.list(this.#path)) {
      const file = await this.#session.read(path)
      // It may have left between the two.
      if (file !== undefined) found.push({ name: path.slice(path.lastIndexOf('/') + 1), value: file.text })
    }
    return found
  }

  /** The members now, and again whenever they have changed, until the loop is left. */
  async *watch(): AsyncGenerator<readonly Member[], void> {
    // Again if the directory was deleted: who joins next makes another.
    for (;;) {
      await this.#session.mkdir(this.#path)
      await using handle = await this.#session.open(this.#path, { access: { write: false }, events: ['children'] })
      const events = handle.events()
      yield await this.members()
      for await (const event of events) {
        if (event.type === 'deleted') break
        yield await this.members()
      }
    }
  }
}
