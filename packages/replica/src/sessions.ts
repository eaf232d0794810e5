import {
  type ApplyContext,
  ByteReader,
  ByteWriter,
  copyBytes,
  type LogTime,
  MalformedBytes,
  type ReplyStatus,
  replyStatus,
  type StateMachine,
  sessionCommands,
  sessionsMachine,
  sessionWindow,
  visitBlock,
} from '@conclave/interface'

/** The bounds of the session table. Part of the replicated state's rules: the same on every replica. */
export interface SessionLimits {
  /** Sessions at most; `open` is refused beyond it, until one is closed or expires. */
  readonly sessions: number
  /** So many more for nodes themselves: without one, a leader whose table clients have filled could not say that any of them is gone. */
  readonly ownSessions: number
  /** Log time in milliseconds after its last use at which a session expires. */
  readonly idleMillis: number
  /** Bytes of kept replies of one session; beyond it a new command is answered `beyondWindow` until the client acknowledges. */
  readonly sessionReplyBytes: number
  /** The same for all sessions together, beyond what each may keep in any case: others must not keep it, or a node itself, from all that it does. */
  readonly replyBytes: number
  readonly ownReplyBytes: number
}

export const sessionLimits: SessionLimits = {
  sessions: 10_000,
  ownSessions: 1_000,
  idleMillis: 3_600_000,
  sessionReplyBytes: 16 * 1024 * 1024,
  replyBytes: 256 * 1024 * 1024,
  ownReplyBytes: 8 * 1024,
}

interface Session {
  readonly id: bigint
  lastUsed: LogTime
  ackedBelow: number
  /** Serial → the machine's reply, for serials from `ackedBelow` up. */
  readonly replies: Map<number, Uint8Array>
  replyBytes: number
}

const nothing = new Uint8Array(0)
/** Counted per kept reply besides its bytes, so that a million empty replies are not free. */
const replyOverhead = 64
const chunkBytes = 256 * 1024

/** Collects the replies to one block in the format of `visitReplies`. */
export class ReplyWriter {
  readonly #writer: ByteWriter

  /** @param block the block that is answered. */
  constructor(block: Uint8Array) {
    const { session, count } = blockHeader(block)
    this.#writer = new ByteWriter(12 + count * 32).u64(session).u32(count)
  }

  add(serial: number, status: ReplyStatus, reply: Uint8Array): void {
    this.#writer.u53(serial).u8(status).bytes(reply)
  }

  take(): Uint8Array {
    return this.#writer.take()
  }
}

/**
 * Which commands were applied, and what they were answered: a deterministic machine of its own beside the others (Ongaro's dissertation, section
 * 6.3). A retried command is applied once and gets its first reply, also when later serials were decided before it.
 *
 * A session lives from `open` to `close`, or until log time has moved on by `idleMillis` since its last block. An expired session is an error to
 * its client, never quietly made anew: its kept replies are gone, so nothing could tell a retry from a new command.
 */
export class SessionTable {
  readonly #machines: readonly StateMachine[]
  readonly #limits: SessionLimits
  /** In the order of last use, so that the ones to expire stand first. */
  #sessions = new Map<bigint, Session>()
  #replyBytes = 0

  /** @param machines numbered from 1. */
  constructor(machines: readonly StateMachine[], limits: SessionLimits = sessionLimits) {
    this.#machines = machines
    this.#limits = limits
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Removes what was not used for too long. To be called before the blocks of a batch with that time. */
  expire(time: LogTime): void {
    for (const session of this.#sessions.values()) {
      if (session.lastUsed + this.#limits.idleMillis > time) return
      this.#remove(session)
    }
  }

  /** Applies the commands of one block in order. The replies go to `replies` if somebody waits for them. Returns the number of commands. */
  applyBlock(block: Uint8Array, context: ApplyContext, replies: ReplyWriter | undefined): number {
    const header = blockHeader(block)
    let session = this.#use(header.session, header.ackedBelow, context.time)
    visitBlock(block, (serial, machine, bytes) => {
      if (machine === sessionsMachine) {
        const status = this.#control(header.session, bytes, context.time)
        session = this.#sessions.get(header.session)
        replies?.add(serial, status, nothing)
        return
      }
      const known = this.#check(session, serial, machine)
      if (known !== undefined || session === undefined) {
        replies?.add(serial, known?.status ?? replyStatus.unknownSession, known?.reply ?? nothing)
        return
      }
      const reply = this.#machines[machine - 1]?.apply(bytes, context) ?? nothing
      this.#keep(session, serial, reply)
      replies?.add(serial, replyStatus.applied, reply)
    })
    return header.count
  }

  /** The replies to a block that was applied earlier, as the table has them now. Without effect. */
  recall(block: Uint8Array): Uint8Array {
    const session = this.#sessions.get(blockHeader(block).session)
    const replies = new ReplyWriter(block)
    visitBlock(block, (serial, machine, bytes) => {
      if (machine === sessionsMachine) {
        const done = bytes[0] === sessionCommands.close || session !== undefined
        replies.add(serial, done ? replyStatus.applied : replyStatus.unknownSession, nothing)
        return
      }
      const known = this.#check(session, serial, machine)
      // Not in the table although it was applied: the client itself has acknowledged it since.
      replies.add(serial, known?.status ?? replyStatus.staleSerial, known?.reply ?? nothing)
    })
    return replies.take()
  }

  /** What a command gets without being applied; undefined if it is to be applied. */
  #check(
    session: Session | undefined,
    serial: number,
    machine: number,
  ): { readonly status: ReplyStatus; readonly reply: Uint8Array } | undefined {
    if (session === undefined) return { status: replyStatus.unknownSession, reply: nothing }
    if (this.#machines[machine - 1] === undefined) return { status: replyStatus.refused, reply: nothing }
    if (serial < session.ackedBelow) return { status: replyStatus.staleSerial, reply: nothing }
    const reply = session.replies.get(serial)
    if (reply !== undefined) return { status: replyStatus.applied, reply }
    const limits = this.#limits
    const beyond =
      serial >= session.ackedBelow + sessionWindow ||
      session.replyBytes >= limits.sessionReplyBytes ||
      (this.#replyBytes >= limits.replyBytes && session.replyBytes >= limits.ownReplyBytes)
    return beyond ? { status: replyStatus.beyondWindow, reply: nothing } : undefined
  }

  #control(id: bigint, command: Uint8Array, time: LogTime): ReplyStatus {
    if (command.length !== 1) return replyStatus.refused
    const session = this.#sessions.get(id)
    switch (command[0]) {
      case sessionCommands.open:
      case sessionCommands.openOwn:
        if (session !== undefined) return replyStatus.applied
        if (this.#sessions.size >= this.#most(command[0])) return replyStatus.refused
        this.#sessions.set(id, { id, lastUsed: time, ackedBelow: 0, replies: new Map(), replyBytes: 0 })
        return replyStatus.applied
      case sessionCommands.close:
        if (session !== undefined) this.#remove(session)
        return replyStatus.applied
      case sessionCommands.keepAlive:
        return session === undefined ? replyStatus.unknownSession : replyStatus.applied
      default:
        return replyStatus.refused
    }
  }

  #most(command: number): number {
    const { sessions, ownSessions } = this.#limits
    return command === sessionCommands.openOwn ? sessions + ownSessions : sessions
  }

  #use(id: bigint, ackedBelow: number, time: LogTime): Session | undefined {
    const session = this.#sessions.get(id)
    if (session === undefined) return undefined
    session.lastUsed = time
    this.#sessions.delete(id)
    this.#sessions.set(id, session)
    if (ackedBelow > session.ackedBelow) this.#forgetBelow(session, ackedBelow)
    return session
  }

  #forgetBelow(session: Session, ackedBelow: number): void {
    const { replies } = session
    const from = session.ackedBelow
    session.ackedBelow = ackedBelow
    if (ackedBelow - from <= replies.size)
      for (let serial = from; serial < ackedBelow; serial++) this.#forget(session, serial)
    else for (const serial of replies.keys()) if (serial < ackedBelow) this.#forget(session, serial)
  }

  #forget(session: Session, serial: number): void {
    const reply = session.replies.get(serial)
    if (reply === undefined) return
    session.replies.delete(serial)
    session.replyBytes -= reply.length + replyOverhead
    this.#replyBytes -= reply.length + replyOverhead
  }

  #keep(session: Session, serial: number, reply: Uint8Array): void {
    session.replies.set(serial, reply)
    session.replyBytes += reply.length + replyOverhead
    this.#replyBytes += reply.length + replyOverhead
  }

  #remove(session: Session): void {
    this.#sessions.delete(session.id)
    this.#replyBytes -= session.replyBytes
  }

  /** The whole table, in chunks of about 256 KiB. Equal tables give equal bytes. */
  encode(): Uint8Array[] {
    const chunks: Uint8Array[] = []
    const writer = new ByteWriter(4096).u32(this.#sessions.size)
    for (const session of this.#sessions.values()) {
      writer.u64(session.id).f64(session.lastUsed).u53(session.ackedBelow).u32(session.replies.size)
      for (const [serial, reply] of session.replies) {
        if (writer.length > 0 && writer.length + reply.length > chunkBytes) chunks.push(writer.take())
        writer.u53(serial).bytes(reply)
      }
    }
    chunks.push(writer.take())
    return chunks
  }

  /** 16 hexadecimal digits; equal tables have equal hashes. Costs a pass over the table. */
  hash(): string {
    let low = 0x811c9dc5
    let high = 0x1b873593
    for (const chunk of this.encode()) {
      for (const byte of chunk) {
        low = Math.imul(low ^ byte, 0x01000193)
        high = Math.imul(high ^ byte, 0x85ebca6b) ^ (high >>> 15)
      }
    }
    return [high, low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }

  /** Replaces the table by what `encode` wrote; all or nothing. @throws MalformedBytes. */
  decode(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes)
    const sessions = new Map<bigint, Session>()
    let total = 0
    for (let left = reader.u32(); left > 0; left--) {
      const session = readSession(reader)
      if (sessions.has(session.id)) throw new MalformedBytes(`session ${session.id} stands twice in the table`)
      sessions.set(session.id, session)
      total += session.replyBytes
    }
    reader.end()
    this.#sessions = sessions
    this.#replyBytes = total
  }
}

const blockHeader = (
  block: Uint8Array,
): { readonly session: bigint; readonly ackedBelow: number; readonly count: number } => {
  const reader = new ByteReader(block)
  return { session: reader.u64(), ackedBelow: reader.u53(), count: reader.u32() }
}

const readSession = (reader: ByteReader): Session => {
  const session: Session = {
    id: reader.u64(),
    lastUsed: reader.f64() as LogTime,
    ackedBelow: reader.u53(),
    replies: new Map(),
    replyBytes: 0,
  }
  for (let left = reader.u32(); left > 0; left--) {
    const serial = reader.u53()
    const reply = copyBytes(reader.bytes()) // the body's chunk is not to live as long as one reply in it
    session.replies.set(serial, reply)
    session.replyBytes += reply.length + replyOverhead
  }
  return session
}
