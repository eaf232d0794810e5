import type { Cancel, Random, Refusal } from '@conclave/interface'
import { Call, type CallOptions, passing } from './call.ts'
import type { Cluster } from './cluster.ts'
import type { AskResult, Connection } from './connection.ts'
import { Aborted, ClientClosed, Overloaded, Refused } from './errors.ts'
import { backoff, type ClientClock } from './time.ts'

/** Calls that may wait at a time. */
const maxAsks = 65_536

export interface AskInit {
  readonly machine: number
  readonly request: Uint8Array
  /** `leader`: only the leader's service can answer. */
  readonly target: 'leader' | 'any'
  readonly deadline: number
  /** @param reply a view that it must not keep. @param sentAt when the attempt that was answered left. */
  readonly complete: (reply: Uint8Array, sentAt: number) => void
  readonly reject: (error: unknown) => void
}

/** One call to a service, until it is answered. */
class Ask extends Call {
  /** Asking again does no harm. */
  readonly definite = true
  readonly #init: AskInit
  readonly #owner: Asks
  #sentTo: Connection | undefined
  #sentAt = 0
  #withdraw: (() => void) | undefined
  #pause: Cancel | undefined
  #failures = 0

  constructor(owner: Asks, init: AskInit) {
    super(init.deadline)
    this.#owner = owner
    this.#init = init
  }

  protected reject(error: unknown): void {
    this.#init.reject(error)
  }

  protected released(): void {
    this.#pause?.()
    this.#withdraw?.()
    this.#owner.forget(this)
  }

  /** Nobody waits any more. */
  withdraw(): void {
    this.settle()
  }

  /** Goes to whom it should be sent now, if it is not there already. */
  changed(): void {
    this.#pause?.()
    this.#pause = undefined
    this.#go()
  }

  #go(): void {
    if (this.settled || this.#pause !== undefined) return
    const { cluster, clock } = this.#owner.init
    const { machine, request, target } = this.#init
    const stays = target === 'any' && this.#sentTo?.ready === true
    const connection = stays ? this.#sentTo : target === 'any' ? cluster.anyConnection() : cluster.leaderConnection()
    if (connection === undefined || connection === this.#sentTo) return
    if (!connection.knowsServices)
      return this.fail(new Refused('unsupported', 'the node is of a version that has no lock service'))
    this.#withdraw?.()
    this.#sentTo = connection
    this.#sentAt = clock.now()
    this.#withdraw = connection.ask(machine, request, (result) => this.#answered(connection, result))
  }

  #answered(from: Connection, result: AskResult): void {
    if (this.settled || from !== this.#sentTo) return
    this.#sentTo = undefined
    this.#withdraw = undefined
    if (result.type === 'reply') {
      const sentAt = this.#sentAt
      if (this.settle()) this.#init.complete(result.reply, sentAt)
    } else if (result.type === 'lost') this.#go()
    else this.#refused(result.reason)
  }

  #refused(reason: Refusal): void {
    this.refusal = reason
    if (!passing(reason)) return this.fail(new Refused(reason, `the cluster refused the call: ${reason}`))
    const { clock, random } = this.#owner.init
    this.#pause ??= clock.after(backoff(this.#failures++, random.next()), () => {
      this.#pause = undefined
      this.#go()
    })
  }
}

export interface AsksInit {
  readonly cluster: Cluster
  readonly clock: ClientClock
  readonly random: Random
  readonly wake: () => void
}

/** The calls of a client to services: each is asked again, of the leader that there is then, until it is answered. */
export class Asks {
  readonly init: AsksInit
  readonly #all = new Set<Ask>()
  #open = true

  constructor(init: AsksInit) {
    this.init = init
  }

  get waiting(): number {
    return this.#all.size
  }

  /** Settles by `complete` or `reject`, once, unless it is given up before. @returns what gives it up. */
  call(init: AskInit, options?: CallOptions): () => void {
    if (!this.#open || this.#all.size >= maxAsks) {
      init.reject(this.#open ? new Overloaded('too many calls wait already: await some') : new ClientClosed(true))
      return () => {}
    }
    const signal = options?.signal
    if (signal?.aborted === true) {
      init.reject(new Aborted(true, signal.reason))
      return () => {}
    }
    const ask = new Ask(this, init)
    this.#all.add(ask)
    this.init.wake()
    if (signal !== undefined) ask.listen(signal)
    this.init.clock.defer(() => ask.changed())
    return () => ask.withdraw()
  }

  forget(ask: Ask): void {
    this.#all.delete(ask)
  }

  /** A connection came or went, or the leader is another. */
  changed(): void {
    for (const ask of [...this.#all]) ask.changed()
  }

  /** Gives up those whose time is up. */
  sweep(now: number): void {
    for (const ask of [...this.#all]) if (ask.deadline <= now) ask.expire(this.init.cluster.problems())
  }

  close(): void {
    this.#open = false
    for (const ask of [...this.#all]) ask.fail(new ClientClosed(true))
  }
}
