import type { Session } from '../locks/session.ts'
import { Group } from './group.ts'

/**
 * Lets parties begin together, and end together: `enter` resolves once as many as named are there, `leave` once all have left. A party that fails leaves with its session, so that nobody
 * waits for it in `leave`; in `enter` it is missed until another comes.
 */
export class Barrier {
  readonly #session: Session
  readonly #path: string
  readonly #parties: number

  /** @param path a directory of this barrier alone, for one time: the next time takes another, since whoever comes late still finds this one open. @throws RangeError */
  constructor(session: Session, path: string, parties: number) {
    if (!Number.isSafeInteger(parties) || parties < 1)
      throw new RangeError(`a barrier has at least 1 party, got ${parties}`)
    this.#session = session
    this.#path = path
    this.#parties = parties
  }

  /** @param name of this party, unlike all others. Resolves with what leaves again. @throws FileProblem `exists`. */
  async enter(name: string): Promise<{ leave(): Promise<void> }> {
    const group = new Group(this.#session, `${this.#path}/parties`)
    const opened = `${this.#path}/open`
    const handle = await group.join(name)
    try {
      for await (const members of group.watch()) {
        if (members.length >= this.#parties) await this.#session.write(opened, 'open')
        // Once it is open it stays open, even if somebody has left already.
        if ((await this.#session.read(opened)) !== undefined) break
      }
    } catch (error) {
      await handle.close()
      throw error
    }
    const leave = async (): Promise<void> => {
      await handle.close()
      for await (const members of group.watch()) if (members.length === 0) return
    }
    return { leave }
  }
}
