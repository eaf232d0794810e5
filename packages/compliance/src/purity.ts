/** What pure code must not touch: the clock, timers, randomness and the network of the process. */
const trapped: readonly (readonly [holder: object, names: readonly string[]])[] = [
  [Date, ['now']],
  [Math, ['random']],
  [performance, ['now']],
  [crypto, ['getRandomValues', 'randomUUID']],
  [globalThis, ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch', 'Date']],
]

/**
 * Runs synchronous code while clock, timers and randomness of the process throw. What the code caught itself is found as well.
 * @throws Error that names what was touched.
 */
export const withoutWorld = <T>(what: string, run: () => T): T => {
  const touched = new Set<string>()
  const restore: (() => void)[] = []
  for (const [holder, names] of trapped) {
    for (const name of names) {
      const before = Object.getOwnPropertyDescriptor(holder, name)
      const trap = (): never => {
        touched.add(name)
        throw new Error(`${what} is pure: it must not use ${name}`)
      }
      Object.defineProperty(holder, name, { value: trap, configurable: true, writable: true })
      restore.push(() => {
        if (before === undefined) Reflect.deleteProperty(holder, name)
        else Object.defineProperty(holder, name, before)
      })
    }
  }
  let result: T
  try {
    result = run()
  } finally {
    for (const undo of restore.reverse()) undo()
  }
  if (touched.size > 0) throw new Error(`${what} is pure: it must not use ${[...touched].join(', ')}`)
  return result
}
