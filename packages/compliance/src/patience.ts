import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'

/** Long, so that a busy machine is no failure. */
export const defaultPatienceMillis = 15_000

const patience = new AsyncLocalStorage<number>()

/** Within `body`, what has to happen is given up after so many milliseconds. */
export const withPatience = <T>(millis: number, body: () => T): T => patience.run(millis, body)

/** What had to happen did not: the promise is broken by silence. */
export class TookTooLong extends Error {
  override readonly name = 'TookTooLong'
}

/** @throws TookTooLong if `work` takes longer than anybody would wait. */
export const within = async <T>(what: string, work: Promise<T>): Promise<T> => {
  const millis = patience.getStore() ?? defaultPatienceMillis
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TookTooLong(`${what}: nothing happened within ${millis} ms`)), millis)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Has to fail: as told by a class or a text, or, with a plain string, in any way; the string says what is wrong if it does not.
 * @throws TookTooLong if it does neither: silence is no failure.
 */
export const rejects = async (
  work: () => Promise<unknown>,
  how?: RegExp | (abstract new (...given: never[]) => Error) | string,
): Promise<void> => {
  try {
    await work()
  } catch (thrown) {
    if (thrown instanceof TookTooLong) throw thrown
    if (how instanceof RegExp) assert.match(String(thrown), how)
    else if (typeof how === 'function')
      assert.ok(thrown instanceof how, `it failed with ${String(thrown)}, not with ${how.name}`)
    return
  }
  assert.fail(typeof how === 'string' ? how : 'it was taken, and should have been refused')
}

/** Lets what is due in this turn of the event loop happen, and in some later ones. */
export const turns = async (count = 3): Promise<void> => {
  for (let at = 0; at < count; at++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Something to wait for: `until` resolves as soon as a later `check` finds its condition true. */
export class Signal {
  readonly #waits = new Set<{ ready(): boolean; resolve(): void }>()

  until(what: string, ready: () => boolean): Promise<void> {
    if (ready()) return Promise.resolve()
    return within(what, new Promise((resolve) => void this.#waits.add({ ready, resolve })))
  }

  check(): void {
    for (const wait of [...this.#waits]) {
      if (!wait.ready()) continue
      this.#waits.delete(wait)
      wait.resolve()
    }
  }
}
