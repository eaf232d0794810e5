import { FileProblem } from '../locks/errors.ts'
import type { Session } from '../locks/session.ts'

/** A number that many add to, by compare-and-swap. A call whose session is lost may or may not have counted. */
export class Counter {
  readonly #session: Session
  readonly #path: string

  constructor(session: Session, path: string) {
    this.#session = session
    this.#path = path
  }

  async value(): Promise<bigint> {
    return BigInt((await this.#session.read(this.#path))?.text || '0')
  }

  /** @returns the value after it. @throws RangeError, SyntaxError if the file holds no number. */
  async add(amount: bigint | number = 1n): Promise<bigint> {
    for (;;) {
      const file = await this.#session.read(this.#path, { level: 'linearizable' })
      const next = BigInt(file?.text || '0') + BigInt(amount)
      try {
        await this.#session.write(this.#path, String(next), { ifGeneration: file?.contentGeneration ?? 0n })
        return next
      } catch (error) {
        if (!(error instanceof FileProblem) || !raced.has(error.code)) throw error
      }
    }
  }
}

/** Somebody else was faster. */
const raced: ReadonlySet<string> = new Set(['mismatch', 'exists', 'no-node', 'no-handle'])
