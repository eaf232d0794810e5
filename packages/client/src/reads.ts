import { type Cancel, type Random, unreachable } from '@conclave/interface'
import { Call, type CallOptions, passing } from './call.ts'
import type { Cluster } from './cluster.ts'
import type { Connection, PendingRead, ReadResult } from './connection.ts'
import { ClientClosed, Overloaded, Refused } from './errors.ts'
import { type ReadLevel, readLevels } from './protocol.ts'
import type { Spread, SpreadRead } from './spread.ts'
import { backoff, type ClientClock } from './time.ts'

/** Reads that one connection may owe, and that may wait in all. */
const limits = { sent: 16_384, sentBytes: 4 * 1024 * 1024, waiting: 262_144 } as const

interface ReadInit {
  readonly level: ReadLevel
  readonly machine: number
  readonly query: Uint8Array
  readonly deadline: number
  /** Gets a view on the reply that it may keep. */
  readonly complete: (reply: Uint8Array) => void
  readonly reject: (error: unknown) => void
}

class Read extends Call implements PendingRead {
  /** A read has no effect. */
  readonly definite = true
  readonly level: ReadLevel
  readonly machine: number
  readonly query: Uint8Array
  /** Where the present attempt was sent. */
  sentTo: Connection | undefined
  /** The present attempt, if it was sent to one of several. */
  spread: SpreadRead | undefined
  readonly #owner: Reads
  readonly #complete: (reply: Uint8Array) => void
  readonly #reject: (error: unknown) => void

  constructor(owner: Reads, init: ReadInit) {
    super(init.deadline)
    this.#owner = owner
    this.level = init.level
    this.machine = init.machine
    this.query = init.query
    this.#complete = init.complete
    this.#reject = init.reject
  }

  protected reject(error: unknown): void {
    this.#reject(error)
  }
  protected released(): void {
    this.#owner.forget(this)
  }
  answered(result: ReadResult, from: Connection): void {
    this.#owner.answered(this, result, from)
  }
  complete(reply: Uint8Array): void {
    if (this.settle()) this.#complete(reply)
  }
}

/** How many of `reads`, from the first on, the connection may still owe. */
const roomFor = (connection: Connection, reads: readonly Read[]): number => {
  const most = Math.min(reads.length, Math.max(0, limits.sent - connection.reads))
  let bytes = connection.readBytes
  for (let count = 0; count < most; count++) {
    if (bytes > limits.sentBytes) return count
    bytes += reads[count]?.query.length ?? 0
  }
  return most
}

export interface ReadsInit {
  readonly cluster: Cluster
  readonly clock: ClientClock
  readonly random: Random
  readonly wake: () => void
  /** Local reads are spread over the nodes. Default: all go to one. */
  readonly spread?: Spread
}

/** The reads of a client: those of one turn leave together. They have no effect, so they are simply asked again when a node is lost. */
export class Reads {
  readonly #init: ReadsInit
  /** Unsettled, whether sent or not. */
  readonly #all = new Set<Read>()
  /** To be sent. */
  #queue: Read[] = []
  #scheduled = false
  #pause: Cancel | undefined
  #failures = 0
  #open = true

  constructor(init: ReadsInit) {
    this.#init = init
  }

  get waiting(): number {
    return this.#all.size
  }

  /** Settles by `complete` or `reject`, once. */
  call(read: ReadInit, options: CallOptions | undefined): void {
    if (!this.#open) return read.reject(new ClientClosed(true))
    if (this.#all.size >= limits.waiting) {
      return read.reject(new Overloaded(`${this.#all.size} reads wait already: await some before you make more`))
    }
    const call = new Read(this, read)
    this.#all.add(call)
    this.#queue.push(call)
    this.#init.wake()
    if (options?.signal !== undefined) call.listen(options.signal)
    this.#schedule()
  }

  forget(read: Read): void {
    this.#all.delete(read)
    // Given up by its caller: the node is not to blame.
    read.spread?.ended()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#init.clock.defer(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  /** A connection came or went, or the leader is another: what a former leader owes is asked of the present one. */
  changed(): void {
    const { cluster, spread } = this.#init
    spread?.reached(cluster.memberConnections())
    const leader = cluster.leaderConnection()
    if (leader !== undefined) {
      for (const read of this.#all) {
        if (read.level === 'local' || read.sentTo === undefined || read.sentTo === leader) continue
        this.#again(read)
      }
    }
    this.#pause?.()
    this.#pause = undefined
    this.#schedule()
  }

  #again(read: Read, why?: string): void {
    read.sentTo = undefined
    read.spread?.ended(why)
    read.spread = undefined
    this.#queue.push(read)
  }

  #flush(): void {
    if (this.#queue.length === 0 || this.#pause !== undefined || !this.#open) return
    const queue = this.#queue
    this.#queue = []
    for (const level of readLevels) {
      const reads = queue.filter((read) => read.level === level && !read.settled)
      if (reads.length > 0) this.#route(level, reads)
    }
  }

  #route(level: ReadLevel, reads: Read[]): void {
    const { cluster, spread } = this.#init
    if (level !== 'local') return this.#send(level, reads, cluster.leaderConnection())
    if (spread === undefined) return this.#send(level, reads, cluster.anyConnection())
    for (const read of reads) read.spread = spread.pick(read.query)
    for (const [connection, own] of Map.groupBy(reads, (read) => read.spread?.connection))
      this.#send(level, own, connection ?? cluster.anyConnection())
  }

  #send(level: ReadLevel, reads: Read[], connection: Connection | undefined): void {
    const room = connection === undefined ? 0 : roomFor(connection, reads)
    if (reads.length > room) for (const read of reads.splice(room)) this.#again(read)
    if (connection === undefined || reads.length === 0) return
    for (const read of reads) read.sentTo = connection
    connection.read(level, reads)
  }

  answered(read: Read, result: ReadResult, from: Connection): void {
    // Whoever answers, the answer is one: a deposed leader cannot confirm a linearizable read.
    if (result.type === 'reply') {
      this.#failures = 0
      if (read.sentTo === from) read.spread?.ended()
      read.complete(result.reply)
      if (this.#queue.length > 0) this.#schedule()
      return
    }
    if (read.settled || read.sentTo !== from) return
    switch (result.type) {
      case 'lost':
        this.#again(read, 'lost')
        return this.#schedule()
      case 'refused': {
        const { reason } = result
        read.refusal = reason
        if (!passing(reason)) return read.fail(new Refused(reason, `the cluster refused the read: ${reason}`))
        this.#again(read, reason)
        return this.#hold()
      }
      default:
        return unreachable(result)
    }
  }

  /** Tries again a little later. */
  #hold(): void {
    this.#pause ??= this.#init.clock.after(backoff(this.#failures++, this.#init.random.next()), () => {
      this.#pause = undefined
      this.#flush()
    })
  }

  /** Gives up the reads whose time is up. */
  sweep(now: number): void {
    const problems = this.#init.cluster.problems()
    for (const read of this.#all) {
      if (read.deadline > now) continue
      read.spread?.ended('late')
      read.expire(problems)
    }
  }

  close(): void {
    this.#open = false
    this.#pause?.()
    for (const read of this.#all) read.fail(new ClientClosed(true))
  }
}
