/** What pure code must not touch: the clock, timers, randomness and the network of the process. */
const trapped: readonly (readonly [holder: object, names: readonly string[]])[] = [
  [Math, ['random']],
  [performance, ['now']],
  [crypto, ['getRandomValues', 'randomUUID']],
  [globalThis, ['Date', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch']],
]

/** Puts traps in the place of all of it. @returns what takes them away again. */
const setTraps = (what: string, touched: Set<string>): (() => void) => {
  const undo: (() => void)[] = []
  for (const [holder, names] of trapped) {
    for (const name of names) {
      const before = Object.getOwnPropertyDescriptor(holder, name)
      const trap = (): never => {
        touched.add(name)
        throw new Error(`${what} is pure: it must not use ${name}`)
      }
      // A function of its own, not an arrow, so that `new Date()` falls into it too.
      const value = Object.assign(
        function trapping(): never {
          return trap()
        },
        { now: trap },
      )
      Object.defineProperty(holder, name, { value, configurable: true, writable: true })
      undo.push(() => {
        if (before === undefined) Reflect.deleteProperty(holder, name)
        else Object.defineProperty(holder, name, before)
      })
    }
  }
  return () => {
    for (const one of undo.reverse()) one()
  }
}

/**
 * Runs synchronous code while clock, timers and randomness of the process throw. What the code caught itself is found as well.
 * @throws Error that names what was touched; else what the code throws.
 */
export const withoutWorld = <T>(what: string, run: () => T): T => {
  const touched = new Set<string>()
  const remove = setTraps(what, touched)
  try {
    return run()
  } finally {
    remove()
    // In place of whatever came of it.
    if (touched.size > 0) impure(what, touched)
  }
}

const impure = (what: string, touched: ReadonlySet<string>): never => {
  throw new Error(`${what} is pure: it must not use ${[...touched].join(', ')}`)
}
