/** Milliseconds after which something that has to happen is given up: long, so that a busy machine is no failure. */
const patienceMillis = 15_000

/** @throws Error if `work` takes longer than anybody would wait. */
export const within = async <T>(what: string, work: Promise<T>, millis = patienceMillis): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing happened within ${millis} ms`)), millis)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
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
