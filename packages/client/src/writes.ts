import {
  type Cancel,
  encodeBlock,
  type Random,
  type Refusal,
  type ReplyStatus,
  replyStatus,
  sessionCommands,
  sessionsMachine,
  unreachable,
  visitReplies,
} from '@conclave/interface'
import { type CallOptions, passing } from './call.ts'
import type { Cluster } from './cluster.ts'
import type { BlockResult, Connection } from './connection.ts'
import { ClientClosed, Overloaded, Refused, SessionExpired, Unavailable } from './errors.ts'
import { Session } from './session.ts'
import { backoff, type ClientClock, timing } from './time.ts'
import { type Attempt, Write } from './write.ts'

/** Bounds on what is sent and unanswered, and on what waits here to be sent. */
const limits = {
  blockBytes: 1024 * 1024,
  blockCommands: 16_384,
  blocks: 256,
  /** Of writes that travel alone, since each may wait for long at the leader. A connection may have 4096. */
  loneBlocks: 2048,
  sentBytes: 8 * 1024 * 1024,
  queuedBytes: 64 * 1024 * 1024,
  queued: 262_144,
} as const
const commandOverhead = 13

/** Whether the one command of a block was applied. */
const isApplied = (replies: Uint8Array): boolean => {
  let applied = false
  try {
    visitReplies(replies, (_serial, status) => {
      applied = status === replyStatus.applied
    })
  } catch {
    // A reply that does not parse is no reply: the caller asks again.
  }
  return applied
}

export interface WritesInit {
  readonly cluster: Cluster
  readonly clock: ClientClock
  readonly random: Random
  readonly newSessionId: () => bigint
  /** Commands of one block at most. Default 16,384. */
  readonly blockCommands?: number
  /** Some call waits from now on. */
  readonly wake: () => void
}

/**
 * The writes of a client: everything that is called in one turn of the event loop leaves as one block, under one session; what a lost leader did
 * not answer is sent again under its old serial to the next one.
 */
export class Writes {
  readonly #init: WritesInit
  readonly #blockCommands: number
  #session: Session
  readonly #sessions = new Set<Session>()
  #openingOn: Connection | undefined
  #queue: Write[] = []
  #head = 0
  #waiting = 0
  #waitingBytes = 0
  #retries: Write[] = []
  readonly #attempts = new Set<Attempt>()
  #sentBytes = 0
  #scheduled = false
  #pause: Cancel | undefined
  #failures = 0
  #used = false
  #open = true
  #keepAlive: Cancel | undefined

  constructor(init: WritesInit) {
    this.#init = init
    this.#blockCommands = init.blockCommands ?? limits.blockCommands
    this.#session = this.#newSession()
  }

  #newSession(): Session {
    const session = new Session(this.#init.newSessionId())
    this.#sessions.add(session)
    return session
  }

  /** Calls that wait for their answer. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * Hands a command to a machine. Settles by `complete` or `reject`, once, never within the call.
   * @param complete gets a view on the reply that it must not keep.
   */
  call(
    machine: number,
    bytes: Uint8Array,
    options: CallOptions | undefined,
    deadline: number,
    complete: (reply: Uint8Array) => void,
    reject: (error: unknown) => void,
  ): void {
    const write = new Write(machine, bytes, deadline, complete, reject, this.#released)
    if (!this.#open) return reject(new ClientClosed(true))
    if (this.#waiting >= limits.queued || this.#waitingBytes + bytes.length > limits.queuedBytes) {
      return reject(new Overloaded(`${this.#waiting} calls wait already: await some before you make more`))
    }
    this.#waiting += 1
    this.#waitingBytes += bytes.length
    this.#queue.push(write)
    this.#init.wake()
    if (options?.signal !== undefined) write.listen(options.signal)
    this.#schedule()
  }

  readonly #released = (write: Write): void => {
    this.#waiting -= 1
    this.#waitingBytes -= write.bytes.length
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#init.clock.defer(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  /** A connection came or went, or the leader is another. */
  changed(): void {
    const leader = this.#init.cluster.leaderConnection()
    if (leader === undefined) return
    if (this.#openingOn !== leader && this.#session.state === 'opening') this.#session.state = 'closed'
    for (const attempt of this.#attempts) {
      if (attempt.connection === leader) continue
      this.#end(attempt)
      this.#putBack(attempt, true)
    }
    this.#resume()
  }

  #resume(): void {
    this.#pause?.()
    this.#pause = undefined
    this.#schedule()
  }

  /** Tries again a little later. */
  #hold(): void {
    if (this.#pause !== undefined) return
    this.#pause = this.#init.clock.after(backoff(this.#failures++, this.#init.random.next()), () => {
      this.#pause = undefined
      this.#flush()
    })
  }

  #flush(): void {
    const connection = this.#init.cluster.leaderConnection()
    if (connection === undefined || this.#pause !== undefined || !this.#open) return
    if (this.#retries.length > 0) this.#resend(connection)
    if (this.#head === this.#queue.length) return
    const session = this.#session
    if (session.state === 'closed') this.#openSession(session, connection)
    if (session.state !== 'open') return
    while (this.#head < this.#queue.length && this.#room(session)) {
      const writes = this.#take(session)
      if (writes.length > 0) this.#send(connection, session, writes)
    }
  }

  #room(session: Session): boolean {
    const blocks = this.#blockCommands === 1 ? limits.loneBlocks : limits.blocks
    return this.#attempts.size < blocks && this.#sentBytes < limits.sentBytes && !session.full
  }

  /** The next block's worth of new writes. */
  #take(session: Session): Write[] {
    const writes: Write[] = []
    let bytes = 0
    while (this.#head < this.#queue.length && writes.length < this.#blockCommands && !session.full) {
      const write = this.#queue[this.#head] as Write
      if (!write.settled) {
        bytes += write.bytes.length + commandOverhead
        if (writes.length > 0 && bytes > limits.blockBytes) break
        session.take(write)
        writes.push(write)
      }
      this.#head += 1
    }
    if (this.#head === this.#queue.length) {
      this.#queue = []
      this.#head = 0
    } else if (this.#head > 4096 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    return writes
  }

  /** Writes that were sent before go first, in the order of their serials, each under its own session. */
  #resend(connection: Connection): void {
    const retries = this.#retries.filter((write) => !write.settled).sort((a, b) => a.serial - b.serial)
    this.#retries = []
    for (const session of this.#sessions) {
      let writes: Write[] = []
      let bytes = 0
      for (const write of retries) {
        if (write.session !== session) continue
        if (
          writes.length > 0 &&
          (bytes + write.bytes.length > limits.blockBytes || writes.length >= this.#blockCommands)
        ) {
          this.#send(connection, session, writes)
          writes = []
          bytes = 0
        }
        writes.push(write)
        bytes += write.bytes.length + commandOverhead
      }
      if (writes.length > 0) this.#send(connection, session, writes)
    }
  }

  #send(connection: Connection, session: Session, writes: readonly Write[]): void {
    const block = encodeBlock(session.id, session.ackedBelow, writes)
    const attempt: Attempt = { connection, session, writes, bytes: block.length, live: true }
    for (const write of writes) write.attempt = attempt
    this.#attempts.add(attempt)
    this.#sentBytes += attempt.bytes
    this.#used = true
    connection.submit(block, (result) => this.#settled(attempt, result))
  }

  #end(attempt: Attempt): void {
    attempt.live = false
    this.#attempts.delete(attempt)
    this.#sentBytes -= attempt.bytes
  }

  /** Its unsettled writes wait for the next attempt. */
  #putBack(attempt: Attempt, undecided: boolean): void {
    for (const write of attempt.writes) {
      if (write.settled || write.attempt !== attempt) continue
      write.attempt = undefined
      if (undecided) write.undecided = true
      this.#retries.push(write)
    }
  }

  #settled(attempt: Attempt, result: BlockResult): void {
    const { live } = attempt
    if (live) this.#end(attempt)
    switch (result.type) {
      case 'replies':
        this.#replied(attempt, result.replies)
        break
      case 'refused':
        if (live) this.#refused(attempt, result.reason)
        return
      case 'unknown':
        this.#putBack(attempt, true)
        this.#hold()
        return
      case 'lost':
        this.#putBack(attempt, true)
        break
      default:
        return unreachable(result)
    }
    this.#schedule()
  }

  #replied(attempt: Attempt, replies: Uint8Array): void {
    this.#failures = 0
    try {
      visitReplies(replies, (serial, status, reply) => {
        const write = attempt.session.unsettled.get(serial)
        if (write !== undefined) this.#reply(attempt, write, status, reply)
      })
    } catch (error) {
      attempt.connection.close(error as Error)
    }
    // What a node left out is as good as unknown.
    this.#putBack(attempt, true)
  }

  #reply(attempt: Attempt, write: Write, status: ReplyStatus, reply: Uint8Array): void {
    switch (status) {
      case replyStatus.applied:
        return write.complete(reply)
      case replyStatus.unknownSession:
        if (write.attempt === attempt) this.#sessionGone(write)
        return
      case replyStatus.refused:
        return write.fail(new Refused('unsupported', `the cluster has no machine number ${write.machine}`))
      case replyStatus.beyondWindow:
        // The session's kept replies take all their room: it had no effect now, and may have once those are acknowledged.
        if (write.attempt !== attempt) return
        write.attempt = undefined
        write.refusal = 'overloaded'
        this.#retries.push(write)
        return this.#hold()
      case replyStatus.staleSerial:
        return write.fail(
          new SessionExpired('the cluster does not know this call any more; whether it happened is unknown'),
        )
      default:
        return unreachable(status)
    }
  }

  /** A write that no earlier attempt can have applied starts afresh under a new session; of any other nobody will ever know. */
  #sessionGone(write: Write): void {
    const session = write.session
    if (session !== undefined && session.state !== 'dead') {
      session.state = 'dead'
      if (session === this.#session) this.#session = this.#newSession()
    }
    write.attempt = undefined
    if (write.undecided) {
      return write.fail(
        new SessionExpired('the session expired while the call was undecided; whether it happened is unknown'),
      )
    }
    session?.unsettled.delete(write.serial)
    write.session = undefined
    write.serial = -1
    this.#queue.push(write)
    for (const dead of this.#sessions)
      if (dead.state === 'dead' && dead.unsettled.size === 0) this.#sessions.delete(dead)
  }

  #refused(attempt: Attempt, reason: Refusal): void {
    for (const write of attempt.writes) {
      if (write.attempt !== attempt) continue
      write.refusal = reason
      if (!passing(reason)) {
        write.attempt = undefined
        write.fail(
          write.undecided
            ? new Unavailable(
                `the cluster refuses the call now: ${reason}; whether it happened before is unknown`,
                false,
              )
            : new Refused(reason, `the cluster refused the call: ${reason}`),
        )
      }
    }
    this.#putBack(attempt, false)
    this.#hold()
  }

  /** Sent alone and answered before anything else is sent under it: a block that opened its session again could apply a write twice. */
  #openSession(session: Session, connection: Connection): void {
    session.state = 'opening'
    this.#openingOn = connection
    this.#used = true
    const open = { serial: 0, machine: sessionsMachine, bytes: Uint8Array.of(sessionCommands.open) }
    connection.submit(encodeBlock(session.id, 0, [open]), (result) => {
      if (session.state !== 'opening') return
      const opened = result.type === 'replies' && isApplied(result.replies)
      session.state = opened ? 'open' : 'closed'
      if (opened) {
        this.#failures = 0
        this.#keepAlive ??= this.#init.clock.after(timing.keepAlive, () => this.#keep())
        this.#schedule()
      } else if (result.type === 'lost') this.#schedule()
      else {
        const refusal = result.type === 'refused' ? result.reason : 'overloaded'
        for (let at = this.#head; at < this.#queue.length; at++) (this.#queue[at] as Write).refusal = refusal
        this.#hold()
      }
    })
  }

  /** Uses a session that has been idle. */
  #keep(): void {
    this.#keepAlive = this.#init.clock.after(timing.keepAlive, () => this.#keep())
    if (this.#used || this.#session.state !== 'open') {
      this.#used = false
      return
    }
    const deadline = this.#init.clock.now() + timing.keepAlive
    const done = (): void => {}
    // Failing to keep the session is no harm: the next write opens another.
    this.call(sessionsMachine, Uint8Array.of(sessionCommands.keepAlive), undefined, deadline, done, done)
  }

  /** Gives up the calls whose time is up. */
  sweep(now: number): void {
    const problems = this.#init.cluster.problems()
    for (const session of this.#sessions) {
      for (const write of session.unsettled.values()) if (write.deadline <= now) write.expire(problems)
    }
    for (let at = this.#head; at < this.#queue.length; at++) {
      const write = this.#queue[at] as Write
      if (!write.settled && write.deadline <= now) write.expire(problems)
    }
  }

  /** Fails what waits, and lets the cluster forget the session if it can be told soon. */
  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    this.#pause?.()
    this.#keepAlive?.()
    const open = this.#session.state === 'open' || this.#session.state === 'opening'
    const { ackedBelow, id } = this.#session
    for (const session of this.#sessions) {
      for (const write of [...session.unsettled.values()]) write.fail(new ClientClosed(write.definite))
    }
    for (const write of this.#queue) if (write !== undefined && !write.settled) write.fail(new ClientClosed(true))
    const connection = this.#init.cluster.leaderConnection()
    if (!open || connection === undefined) return
    await new Promise<void>((resolve) => {
      const late = this.#init.clock.afterHolding(timing.goodbye, resolve)
      const close = { serial: ackedBelow, machine: sessionsMachine, bytes: Uint8Array.of(sessionCommands.close) }
      connection.submit(encodeBlock(id, ackedBelow, [close]), () => {
        late()
        resolve()
      })
    })
  }
}
