import type { Cancel, Clock, IncomingTransfer } from '@conclave/interface'
import { MemoryLinkFailed } from './errors.ts'

export interface TransferInit {
  readonly clock: Clock
  readonly header: Uint8Array
  readonly body: AsyncIterable<Uint8Array>
  readonly signal: AbortSignal
  /** A one-way delay, drawn anew. */
  readonly delay: () => number
  /** True while nothing passes: a partition, or a member that does not run. */
  readonly blocked: () => boolean
  /** Hands the offer to the receiver's handler. */
  readonly offer: (incoming: IncomingTransfer) => void
  readonly timeoutMillis: number
}

/** A snapshot on its way between two members. Every step takes a one-way delay; a block that outlasts the time-out fails it. */
export class MemoryTransfer {
  readonly outcome: Promise<'accepted' | 'rejected'>
  readonly #init: TransferInit
  readonly #waits = new Set<(error: Error) => void>()
  #settle: { resolve(outcome: 'accepted' | 'rejected'): void; reject(error: Error): void }
  #answered = false
  #taken = false
  #failure: Error | undefined
  #done = false

  constructor(init: TransferInit) {
    this.#init = init
    const { promise, resolve, reject } = Promise.withResolvers<'accepted' | 'rejected'>()
    this.outcome = promise
    this.#settle = { resolve, reject }
    const abort = (): void => this.fail(new MemoryLinkFailed('the sender gave up'))
    if (init.signal.aborted) abort()
    else init.signal.addEventListener('abort', abort, { once: true })
    promise.finally(() => init.signal.removeEventListener('abort', abort)).catch(() => {})
    this.#run(this.#offer())
  }

  #run(work: Promise<void>): void {
    work.catch((error: unknown) => this.fail(error instanceof Error ? error : new Error(String(error))))
  }

  async #offer(): Promise<void> {
    await this.#hop()
    this.#init.offer({
      header: this.#init.header.slice(),
      accept: () => this.#accept(),
      confirm: () => {
        if (this.#taken) this.#finish('accepted')
      },
      reject: () => {
        this.#answered = true
        this.#finish('rejected')
      },
    })
    this.#init.clock.after(this.#init.timeoutMillis, () => {
      if (this.#answered) return
      this.#answered = true
      this.#finish('rejected')
    })
  }

  #finish(outcome: 'accepted' | 'rejected'): void {
    this.#run(
      this.#hop().then(() => {
        this.#done = true
        this.#settle.resolve(outcome)
      }),
    )
  }

  async *#accept(): AsyncGenerator<Uint8Array> {
    if (this.#answered) throw new MemoryLinkFailed('the transfer was answered before')
    this.#answered = true
    let whole = false
    const source = this.#init.body[Symbol.asyncIterator]()
    try {
      await this.#hop()
      for (let next = await source.next(); next.done !== true; next = await source.next()) {
        await this.#hop()
        yield next.value.slice()
      }
      whole = true
      this.#taken = true
      const late = new MemoryLinkFailed('the body was not staged within the time-out')
      this.#init.clock.after(this.#init.timeoutMillis, () => this.fail(late))
    } catch (thrown) {
      this.fail(thrown instanceof Error ? thrown : new Error(String(thrown)))
      throw thrown
    } finally {
      if (!whole) {
        this.fail(new MemoryLinkFailed('the receiver gave up'))
        await source.return?.()
      }
    }
  }

  /** One way between the two; again and again while it is blocked. */
  #hop(): Promise<void> {
    const { clock, delay, blocked, timeoutMillis } = this.#init
    const until = clock.now() + timeoutMillis
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure)
      let cancel: Cancel = () => {}
      const fail = (error: Error): void => {
        cancel()
        this.#waits.delete(fail)
        reject(error)
      }
      const arrive = (): void => {
        if (!blocked()) {
          this.#waits.delete(fail)
          resolve()
        } else if (clock.now() >= until) fail(new MemoryLinkFailed('no progress within the time-out'))
        else cancel = clock.after(timeoutMillis / 100, arrive)
      }
      this.#waits.add(fail)
      cancel = clock.after(delay(), arrive)
    })
  }

  /** Ends it on both sides. Harmless when it is over. */
  fail(error: Error): void {
    if (this.#done || this.#failure !== undefined) return
    this.#failure = error
    for (const wait of [...this.#waits]) wait(error)
    this.#settle.reject(error)
  }
}
