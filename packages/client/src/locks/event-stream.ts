/** Events that wait for a slow reader. One more, and all of them give way to one that says so. */
const most = 1024

/** What is pushed, in order, for one reader. */
export class EventStream<Event> implements AsyncIterableIterator<Event, undefined> {
  readonly #missed: Event
  #events: Event[] = []
  #waiting: { resolve(result: IteratorResult<Event, undefined>): void; reject(error: Error): void }[] = []
  #over = false
  #error: Error | undefined

  /** @param missed what is told instead of events that were too many. */
  constructor(missed: Event) {
    this.#missed = missed
  }

  push(event: Event): void {
    if (this.#over) return
    const waiter = this.#waiting.shift()
    if (waiter !== undefined) return waiter.resolve({ done: false, value: event })
    if (this.#events.length >= most) this.#events = [this.#missed]
    this.#events.push(event)
  }

  /** @param error told to the reader after what was pushed before. */
  end(error?: Error): void {
    if (this.#over) return
    this.#over = true
    const [first, ...others] = this.#waiting.splice(0)
    if (first !== undefined && error !== undefined) first.reject(error)
    else {
      first?.resolve({ done: true, value: undefined })
      this.#error = error
    }
    for (const { resolve } of others) resolve({ done: true, value: undefined })
  }

  next(): Promise<IteratorResult<Event, undefined>> {
    const event = this.#events.shift()
    if (event !== undefined) return Promise.resolve({ done: false, value: event })
    if (this.#error !== undefined) {
      const error = this.#error
      this.#error = undefined
      return Promise.reject(error)
    }
    if (this.#over) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
    })
  }

  return(): Promise<IteratorResult<Event, undefined>> {
    this.#events = []
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
