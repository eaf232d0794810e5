/** A set of things that are under way, and when there is none left. */
export class Underway<T> implements Iterable<T> {
  readonly #things = new Set<T>()
  readonly #waiting: (() => void)[] = []

  get size(): number {
    return this.#things.size
  }

  add(thing: T): void {
    this.#things.add(thing)
  }

  delete(thing: T): void {
    this.#things.delete(thing)
    if (this.#things.size === 0) for (const resolve of this.#waiting.splice(0)) resolve()
  }

  empty(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#things.size === 0) resolve()
      else this.#waiting.push(resolve)
    })
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#things.values()
  }
}
