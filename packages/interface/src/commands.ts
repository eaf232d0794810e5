/**
 * How commands travel from a client into the log and how their replies come back: the one format that clients, the replica and the log share,
 * so that a client's bytes are copied once, from the received frame into the batch that is written and replicated.
 *
 * - A **block** is what one client hands over at once: `session u64 · ackedBelow u53 · count u32 · count × command`, where a
 *   command is `serial u53 · machine u8 · length u32 · bytes`.
 * - A **batch** is one log entry: `version u8 = 1 · time f64 · blocks u32 · blocks × (length u32 · block)`.
 * - **Replies** to a block: `session u64 · count u32 · count × (serial u53 · status u8 · length u32 · bytes)`, in the order of the commands.
 *
 * All integers are little-endian. The session, with the serial, makes a retried command apply once (Ongaro's dissertation, section 6.3).
 */

import type { LogTime } from './brands.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { MalformedBytes } from './errors.ts'

/** The machine number of the session table itself. Other machines are numbered from 1 in the order in which a node composes them. */
export const sessionsMachine = 0
/**
 * Commands of `sessionsMachine`: one byte. `open` makes the block's session (again: no effect); `close` ends it; `keepAlive` only marks it as used. `openOwn` is the `open` of a node for what
 * its services propose, for which there is room when clients have filled the table; a node takes it from no client.
 */
export const sessionCommands = { open: 1, close: 2, keepAlive: 3, openOwn: 4 } as const
/** Commands that one block may hold. */
export const maxBlockCommands = 65_536
/** A serial must lie within [ackedBelow, ackedBelow + this); the replies of at most so many commands are kept per session. */
export const sessionWindow = 65_536

/** What became of a command that was decided. Only `applied` had an effect (or had it when it was first decided). */
export const replyStatus = {
  /** The reply is the machine's. */
  applied: 0,
  /** The session does not exist: it was never opened, was closed, or has expired. The command had no effect *in this decision*. */
  unknownSession: 1,
  /** The serial lies below what the client itself declared as acknowledged. */
  staleSerial: 2,
  /** The serial lies beyond the window. */
  beyondWindow: 3,
  /** No machine has that number, or the table of sessions is full. */
  refused: 4,
} as const
export type ReplyStatus = (typeof replyStatus)[keyof typeof replyStatus]

export interface Command {
  readonly serial: number
  readonly machine: number
  readonly bytes: Uint8Array
}

export interface BlockHeader {
  readonly session: bigint
  readonly ackedBelow: number
  readonly count: number
}

const blockHeaderBytes = 20
const commandHeaderBytes = 13

export const encodeBlock = (session: bigint, ackedBelow: number, commands: readonly Command[]): Uint8Array => {
  let size = blockHeaderBytes
  for (const command of commands) size += commandHeaderBytes + command.bytes.length
  const writer = new ByteWriter(size).u64(session).u53(ackedBelow).u32(commands.length)
  for (const { serial, machine, bytes } of commands) writer.u53(serial).u8(machine).bytes(bytes)
  return writer.take()
}

/**
 * Checks a whole block, so that `visitBlock` cannot fail on it, and returns its header.
 * @throws MalformedBytes if a length does not fit, the count is 0 or above `maxBlockCommands`, or bytes are left over.
 */
export const checkBlock = (block: Uint8Array): BlockHeader => {
  const reader = new ByteReader(block)
  const header = { session: reader.u64(), ackedBelow: reader.u53(), count: reader.u32() }
  if (header.count === 0 || header.count > maxBlockCommands)
    throw new MalformedBytes(`a block holds 1 to ${maxBlockCommands} commands, not ${header.count}`)
  for (let i = 0; i < header.count; i++) {
    reader.u53()
    reader.u8()
    reader.bytes()
  }
  reader.end()
  return header
}

/** Calls `visit` for every command of a block, in order. The bytes are views. */
export const visitBlock = (
  block: Uint8Array,
  visit: (serial: number, machine: number, bytes: Uint8Array) => void,
): BlockHeader => {
  const reader = new ByteReader(block)
  const header = { session: reader.u64(), ackedBelow: reader.u53(), count: reader.u32() }
  for (let i = 0; i < header.count; i++) visit(reader.u53(), reader.u8(), reader.bytes())
  return header
}

/** Packs blocks that have passed `checkBlock` into one batch. */
export const encodeBatch = (time: LogTime, blocks: readonly Uint8Array[]): Uint8Array => {
  let size = 13
  for (const block of blocks) size += 4 + block.length
  const batch = new Uint8Array(size)
  const view = new DataView(batch.buffer)
  view.setUint8(0, 1)
  view.setFloat64(1, time, true)
  view.setUint32(9, blocks.length, true)
  let at = 13
  for (const block of blocks) {
    view.setUint32(at, block.length, true)
    batch.set(block, at + 4)
    at += 4 + block.length
  }
  return batch
}

/** @throws MalformedBytes on an unknown version or a length that does not fit. The blocks are views. */
export const decodeBatch = (batch: Uint8Array): { readonly time: LogTime; readonly blocks: readonly Uint8Array[] } => {
  const reader = new ByteReader(batch)
  const version = reader.u8()
  if (version !== 1) throw new MalformedBytes(`a batch of version ${version}; this build reads version 1`)
  const time = reader.f64() as LogTime
  if (!(time >= 0)) throw new MalformedBytes(`a batch with log time ${time}`)
  const blocks: Uint8Array[] = []
  for (let left = reader.u32(); left > 0; left--) blocks.push(reader.bytes())
  reader.end()
  return { time, blocks }
}

/** Calls `visit` for every reply to a block, in order. @throws MalformedBytes. */
export const visitReplies = (
  replies: Uint8Array,
  visit: (serial: number, status: ReplyStatus, reply: Uint8Array) => void,
): { readonly session: bigint } => {
  const reader = new ByteReader(replies)
  const session = reader.u64()
  for (let left = reader.u32(); left > 0; left--) {
    const serial = reader.u53()
    const status = reader.u8()
    if (status > 4) throw new MalformedBytes(`a reply with status ${status}`)
    visit(serial, status as ReplyStatus, reader.bytes())
  }
  reader.end()
  return { session }
}
