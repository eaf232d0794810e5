/** The bytes of commands, replies, queries, answers and calls (docs/formats/chubby.md). Whatever does not parse is `MalformedBytes`. */
import { ByteReader, ByteWriter, epoch, MalformedBytes } from '@conclave/interface'
import type { CallReply, ChubbyCall, Notice, NumberedNotice } from './calls.ts'
import {
  type Access,
  type AclNames,
  type ChubbyCommand,
  type LockMode,
  type OpenCommand,
  type Subscription,
  subscriptions,
} from './commands.ts'
import type { ChubbyEvent } from './events.ts'
import { limits } from './limits.ts'
import { isComponent, isPath } from './paths.ts'
import type { ChubbyQuery } from './queries.ts'
import {
  type CommandReply,
  type FileContents,
  type Grant,
  type HandleInfo,
  type LockAnswer,
  type LockInfo,
  type Problem,
  problems,
  type QueryReply,
  type SessionInfo,
  type Stat,
} from './replies.ts'

// ---- small parts --------------------------------------------------------------------------------------------------------------------------

/** One of `choices`, by its place. */
const pick = <T>(choices: readonly T[], at: number, what: string): T => {
  const choice = choices[at]
  if (choice === undefined) throw new MalformedBytes(`no ${what} has number ${at}`)
  return choice
}

export const lockModes = ['exclusive', 'shared'] as const satisfies readonly LockMode[]
const kinds = ['file', 'directory'] as const
const creations = ['no', 'missing', 'new'] as const
const modesOrFree = ['free', ...lockModes] as const
const hads = ['nothing', 'lock', 'place'] as const

export const readPath = (reader: ByteReader): string => {
  const path = reader.string(limits.pathBytes)
  if (!isPath(path)) throw new MalformedBytes('a path is /ls/CELL/… of at most 1024 bytes')
  return path
}

const readFlag = (reader: ByteReader): boolean => {
  const flag = reader.u8()
  if (flag > 1) throw new MalformedBytes(`a flag is 0 or 1, not ${flag}`)
  return flag === 1
}
const flagOf = (flag: boolean): number => (flag ? 1 : 0)

export const writeAcl = (writer: ByteWriter, { read, write, changeAcl }: AclNames): ByteWriter =>
  writer.string(read).string(write).string(changeAcl)

const readAclName = (reader: ByteReader): string => {
  const name = reader.string(limits.aclNameBytes)
  if (name !== '' && !isComponent(name))
    throw new MalformedBytes('the name of an access control list is that of a file')
  return name
}
export const readAcl = (reader: ByteReader): AclNames => ({
  read: readAclName(reader),
  write: readAclName(reader),
  changeAcl: readAclName(reader),
})

export const accessBits = ({ read, write, changeAcl }: Access): number =>
  (read ? 1 : 0) | (write ? 2 : 0) | (changeAcl ? 4 : 0)
export const accessOf = (bits: number): Access => {
  if (bits > 7) throw new MalformedBytes(`access bits ${bits}`)
  return { read: (bits & 1) !== 0, write: (bits & 2) !== 0, changeAcl: (bits & 4) !== 0 }
}
export const subscriptionBits = (wanted: readonly Subscription[]): number => {
  let bits = 0
  for (const each of wanted) bits |= 1 << subscriptions.indexOf(each)
  return bits
}
export const subscriptionsOf = (bits: number): readonly Subscription[] => {
  if (bits >= 1 << subscriptions.length) throw new MalformedBytes(`subscription bits ${bits}`)
  return subscriptions.filter((_, at) => (bits & (1 << at)) !== 0)
}

const writeGrant = (writer: ByteWriter, { mode, token, lockGeneration, instance }: Grant): ByteWriter =>
  writer.u8(lockModes.indexOf(mode)).u64(token).u64(lockGeneration).u64(instance)
const readGrant = (reader: ByteReader): Grant => ({
  mode: pick(lockModes, reader.u8(), 'lock mode'),
  token: reader.u64(),
  lockGeneration: reader.u64(),
  instance: reader.u64(),
})

const writeOptional = (writer: ByteWriter, value: bigint | undefined): ByteWriter =>
  value === undefined ? writer.u8(0) : writer.u8(1).u64(value)
const readOptional = (reader: ByteReader): bigint | undefined => (readFlag(reader) ? reader.u64() : undefined)

/** Runs to the end of the bytes. */
const whole = <T>(bytes: Uint8Array, read: (reader: ByteReader) => T): T => {
  const reader = new ByteReader(bytes)
  const value = read(reader)
  reader.end()
  return value
}

// ---- commands -----------------------------------------------------------------------------------------------------------------------------

const commandTypes = [
  'createSession',
  'endSession',
  'open',
  'close',
  'acquire',
  'release',
  'write',
  'setAcl',
  'delete',
  'setSequencer',
  'raiseToken',
  'expire',
  'lift',
] as const satisfies readonly ChubbyCommand['type'][]

/** @throws RangeError if something in it exceeds the bounds of `limits`. */
export const encodeCommand = (command: ChubbyCommand): Uint8Array => {
  const writer = new ByteWriter(64).u8(commandTypes.indexOf(command.type) + 1)
  switch (command.type) {
    case 'createSession':
      return writer.u64(command.session).string(command.principal).u32(command.lease).take()
    case 'endSession':
      return writer.u64(command.session).take()
    case 'open':
      return writeOpen(writer, command).take()
    case 'close':
    case 'release':
    case 'delete':
      return writer.u64(command.session).u32(command.handle).take()
    case 'acquire':
      return writer
        .u64(command.session)
        .u32(command.handle)
        .u8(lockModes.indexOf(command.mode))
        .u8(flagOf(command.queue))
        .take()
    case 'write':
      writer.u64(command.session).u32(command.handle)
      return writeOptional(writer, command.ifGeneration).bytes(command.contents).take()
    case 'setAcl':
      writer.u64(command.session).u32(command.handle)
      return writeAcl(writeOptional(writer, command.ifGeneration), command.acl).take()
    case 'setSequencer':
      return writer.u64(command.session).u32(command.handle).bytes(command.sequencer).take()
    case 'raiseToken':
      return writer.u64(command.session).u64(command.above).take()
    case 'expire':
      return writer.u64(command.session).u64(command.epoch).take()
    case 'lift':
      return writer.u64(command.epoch).take()
  }
}

const writeOpen = (writer: ByteWriter, command: OpenCommand): ByteWriter => {
  const { session, handle, path, access, create, kind, ephemeral, parents, contents, lock } = command
  writer
    .u64(session)
    .u32(handle)
    .string(path)
    .u8(accessBits(access))
    .u8(subscriptionBits(command.subscriptions))
    .u32(command.lockDelay)
    .u8(creations.indexOf(create))
    .u8(kinds.indexOf(kind))
    .u8(flagOf(ephemeral) | (flagOf(parents) << 1))
    .bytes(contents)
  return lock === undefined
    ? writer.u8(0)
    : writer.u8(1 + lockModes.indexOf(lock.mode) + (lock.queue ? lockModes.length : 0))
}

const readOpen = (reader: ByteReader): OpenCommand => {
  const head = {
    type: 'open',
    session: reader.u64(),
    handle: reader.u32(),
    path: readPath(reader),
    access: accessOf(reader.u8()),
    subscriptions: subscriptionsOf(reader.u8()),
    lockDelay: atMost(reader.u32(), limits.lockDelayMillis, 'a lock-delay'),
    create: pick(creations, reader.u8(), 'way to create'),
    kind: pick(kinds, reader.u8(), 'kind of node'),
  } as const
  const flags = atMost(reader.u8(), 3, 'flags of a new node')
  const contents = reader.bytes(limits.contentBytes)
  const lock = atMost(reader.u8(), 2 * lockModes.length, 'a wish for the lock')
  return {
    ...head,
    ephemeral: (flags & 1) !== 0,
    parents: (flags & 2) !== 0,
    contents,
    ...(lock > 0 && {
      lock: { mode: pick(lockModes, (lock - 1) % lockModes.length, 'lock mode'), queue: lock > lockModes.length },
    }),
  }
}

const atMost = (value: number, most: number, what: string): number => {
  if (value > most) throw new MalformedBytes(`${what} is at most ${most}, not ${value}`)
  return value
}

/** The bytes inside are views. @throws MalformedBytes */
export const decodeCommand = (bytes: Uint8Array): ChubbyCommand => whole(bytes, readCommand)

const readCommand = (reader: ByteReader): ChubbyCommand => {
  const type = pick(commandTypes, reader.u8() - 1, 'command')
  switch (type) {
    case 'createSession': {
      const [session, principal, lease] = [reader.u64(), reader.string(limits.principalBytes), reader.u32()]
      const { least, most } = limits.leaseMillis
      if (lease < least || lease > most) throw new MalformedBytes(`a lease lasts ${least} to ${most} ms, not ${lease}`)
      return { type, session, principal, lease }
    }
    case 'endSession':
      return { type, session: reader.u64() }
    case 'open':
      return readOpen(reader)
    case 'close':
    case 'release':
    case 'delete':
      return { type, session: reader.u64(), handle: reader.u32() }
    case 'acquire':
      return {
        type,
        session: reader.u64(),
        handle: reader.u32(),
        mode: pick(lockModes, reader.u8(), 'lock mode'),
        queue: readFlag(reader),
      }
    case 'write': {
      const [session, handle, ifGeneration] = [reader.u64(), reader.u32(), readOptional(reader)]
      const contents = reader.bytes(limits.contentBytes)
      return { type, session, handle, contents, ...(ifGeneration !== undefined && { ifGeneration }) }
    }
    case 'setAcl': {
      const [session, handle, ifGeneration] = [reader.u64(), reader.u32(), readOptional(reader)]
      return { type, session, handle, acl: readAcl(reader), ...(ifGeneration !== undefined && { ifGeneration }) }
    }
    case 'setSequencer':
      return { type, session: reader.u64(), handle: reader.u32(), sequencer: reader.bytes(2 * limits.pathBytes) }
    case 'raiseToken':
      return { type, session: reader.u64(), above: reader.u64() }
    case 'expire':
      return { type, session: reader.u64(), epoch: epoch(reader.u64()) }
    case 'lift':
      return { type, epoch: epoch(reader.u64()) }
  }
}

// ---- replies to commands ------------------------------------------------------------------------------------------------------------------

const replyTypes = [
  'refused',
  'done',
  'opened',
  'lock',
  'released',
  'written',
  'aclSet',
  'deleted',
] as const satisfies readonly CommandReply['status'][]

const lockStates = ['none', 'held', 'queued', 'busy'] as const

const writeLock = (writer: ByteWriter, lock: LockAnswer | { readonly state: 'none' }): ByteWriter => {
  writer.u8(lockStates.indexOf(lock.state))
  switch (lock.state) {
    case 'none':
      return writer
    case 'held':
      return writeGrant(writer, lock)
    case 'queued':
      return writer.u32(lock.position)
    case 'busy':
      return writer.u8(flagOf(lock.delayed))
  }
}

const readLock = (reader: ByteReader): LockAnswer | { readonly state: 'none' } => {
  const state = pick(lockStates, reader.u8(), 'state of a lock')
  switch (state) {
    case 'none':
      return { state }
    case 'held':
      return { state, ...readGrant(reader) }
    case 'queued':
      return { state, position: reader.u32() }
    case 'busy':
      return { state, delayed: readFlag(reader) }
  }
}

export const encodeReply = (reply: CommandReply): Uint8Array => {
  const writer = new ByteWriter(64).u8(replyTypes.indexOf(reply.status))
  switch (reply.status) {
    case 'refused':
      return writeOptional(writer.u8(problems.indexOf(reply.problem)), reply.detail).take()
    case 'done':
      return writer.u64(reply.token).take()
    case 'opened':
      writer.u8(flagOf(reply.created)).u64(reply.instance).u64(reply.contentGeneration)
      return writeLock(writer, reply.lock ?? { state: 'none' }).take()
    case 'lock':
      return writeLock(writer, reply.lock).take()
    case 'released':
      return writer.u8(hads.indexOf(reply.had)).take()
    case 'written':
      return writer.u64(reply.contentGeneration).take()
    case 'aclSet':
      return writer.u64(reply.aclGeneration).take()
    case 'deleted':
      return writer.take()
  }
}

/** @throws MalformedBytes */
export const decodeReply = (bytes: Uint8Array): CommandReply => whole(bytes, readReply)

const readReply = (reader: ByteReader): CommandReply => {
  const status = pick(replyTypes, reader.u8(), 'reply')
  switch (status) {
    case 'refused': {
      const problem = readProblem(reader)
      const detail = readOptional(reader)
      return { status, problem, ...(detail !== undefined && { detail }) }
    }
    case 'done':
      return { status, token: reader.u64() }
    case 'opened': {
      const head = { created: readFlag(reader), instance: reader.u64(), contentGeneration: reader.u64() }
      const lock = readLock(reader)
      return { status, ...head, ...(lock.state !== 'none' && { lock }) }
    }
    case 'lock': {
      const lock = readLock(reader)
      if (lock.state === 'none') throw new MalformedBytes('a request for a lock was answered with none')
      return { status, lock }
    }
    case 'released':
      return { status, had: pick(hads, reader.u8(), 'thing to have had') }
    case 'written':
      return { status, contentGeneration: reader.u64() }
    case 'aclSet':
      return { status, aclGeneration: reader.u64() }
    case 'deleted':
      return { status }
  }
}

const readProblem = (reader: ByteReader): Problem => pick(problems, reader.u8(), 'problem')

// ---- queries ------------------------------------------------------------------------------------------------------------------------------

const queryTypes = [
  'stat',
  'file',
  'children',
  'checkSequencer',
  'sessions',
  'session',
  'locks',
  'info',
] as const satisfies readonly ChubbyQuery['type'][]

const writeQuery = (writer: ByteWriter, query: ChubbyQuery): ByteWriter => {
  writer.u8(queryTypes.indexOf(query.type))
  switch (query.type) {
    case 'stat':
    case 'file':
      return writer.string(query.path)
    case 'children':
      return writer.string(query.path).string(query.after).u32(query.limit)
    case 'checkSequencer':
      return writer.bytes(query.sequencer)
    case 'sessions':
      return writer.u64(query.after).u32(query.limit)
    case 'session':
      return writer.u64(query.session).u32(query.after)
    case 'locks':
      return writer.string(query.prefix).string(query.after).u32(query.limit)
    case 'info':
      return writer
  }
}

export const encodeQuery = (query: ChubbyQuery): Uint8Array => writeQuery(new ByteWriter(64), query).take()

/** @throws MalformedBytes */
export const decodeQuery = (bytes: Uint8Array): ChubbyQuery => whole(bytes, readQuery)

const readLimit = (reader: ByteReader): number => {
  const limit = reader.u32()
  if (limit === 0) throw new MalformedBytes('a page has room for something')
  return Math.min(limit, limits.page)
}

const readQuery = (reader: ByteReader): ChubbyQuery => {
  const type = pick(queryTypes, reader.u8(), 'query')
  switch (type) {
    case 'stat':
    case 'file':
      return { type, path: readPath(reader) }
    case 'children':
      return { type, path: readPath(reader), after: reader.string(limits.componentBytes), limit: readLimit(reader) }
    case 'checkSequencer':
      return { type, sequencer: reader.bytes(2 * limits.pathBytes) }
    case 'sessions':
      return { type, after: reader.u64(), limit: readLimit(reader) }
    case 'session':
      return { type, session: reader.u64(), after: reader.u32() }
    case 'locks':
      return { type, prefix: readPath(reader), after: reader.string(limits.pathBytes), limit: readLimit(reader) }
    case 'info':
      return { type }
  }
}

// ---- answers to queries -------------------------------------------------------------------------------------------------------------------

const answerTypes = [
  'refused',
  'stat',
  'file',
  'children',
  'sequencer',
  'sessions',
  'session',
  'locks',
  'info',
] as const satisfies readonly QueryReply['status'][]

const writeStat = (writer: ByteWriter, stat: Stat): ByteWriter => {
  writer.string(stat.path).u8(kinds.indexOf(stat.kind)).u8(flagOf(stat.ephemeral))
  writer.u64(stat.instance).u64(stat.contentGeneration).u64(stat.lockGeneration).u64(stat.aclGeneration)
  writeAcl(writer.u32(stat.size).u32(stat.checksum), stat.acl)
  const { mode, holders, waiters, delay } = stat.lock
  return writer.u32(stat.handles).u8(modesOrFree.indexOf(mode)).u32(holders).u32(waiters).f64(delay)
}

const readStat = (reader: ByteReader): Stat => ({
  path: readPath(reader),
  kind: pick(kinds, reader.u8(), 'kind of node'),
  ephemeral: readFlag(reader),
  instance: reader.u64(),
  contentGeneration: reader.u64(),
  lockGeneration: reader.u64(),
  aclGeneration: reader.u64(),
  size: reader.u32(),
  checksum: reader.u32(),
  acl: readAcl(reader),
  handles: reader.u32(),
  lock: {
    mode: pick(modesOrFree, reader.u8(), 'state of a lock'),
    holders: reader.u32(),
    waiters: reader.u32(),
    delay: reader.f64(),
  },
})

const writeFile = (writer: ByteWriter, { instance, contentGeneration, checksum, contents }: FileContents): ByteWriter =>
  writer.u64(instance).u64(contentGeneration).u32(checksum).bytes(contents)
const readFile = (reader: ByteReader): FileContents => ({
  instance: reader.u64(),
  contentGeneration: reader.u64(),
  checksum: reader.u32(),
  contents: reader.bytes(limits.contentBytes),
})

const writeSession = (writer: ByteWriter, info: SessionInfo): ByteWriter =>
  writer.u64(info.session).string(info.principal).u32(info.lease).u32(info.handles).u32(info.locks)
const readSession = (reader: ByteReader): SessionInfo => ({
  session: reader.u64(),
  principal: reader.string(limits.principalBytes),
  lease: reader.u32(),
  handles: reader.u32(),
  locks: reader.u32(),
})

const writeHandle = (writer: ByteWriter, { handle, path, valid, lock }: HandleInfo): ByteWriter =>
  writeLock(writer.u32(handle).string(path).u8(flagOf(valid)), lock)
const readHandle = (reader: ByteReader): HandleInfo => ({
  handle: reader.u32(),
  path: readPath(reader),
  valid: readFlag(reader),
  lock: readLock(reader),
})

const writeLockInfo = (writer: ByteWriter, info: LockInfo): ByteWriter => {
  writer.string(info.path).u8(modesOrFree.indexOf(info.mode)).u64(info.token).u64(info.lockGeneration).f64(info.delay)
  writer.u32(info.holders.length)
  for (const { session, handle, principal } of info.holders) writer.u64(session).u32(handle).string(principal)
  writer.u32(info.waiters.length)
  for (const { session, handle, principal, mode } of info.waiters)
    writer.u64(session).u32(handle).string(principal).u8(lockModes.indexOf(mode))
  return writer
}
const readLockInfo = (reader: ByteReader): LockInfo => {
  const head = {
    path: readPath(reader),
    mode: pick(modesOrFree, reader.u8(), 'state of a lock'),
    token: reader.u64(),
    lockGeneration: reader.u64(),
    delay: reader.f64(),
  }
  const party = () => ({
    session: reader.u64(),
    handle: reader.u32(),
    principal: reader.string(limits.principalBytes),
  })
  return {
    ...head,
    holders: list(reader, party),
    waiters: list(reader, () => ({ ...party(), mode: pick(lockModes, reader.u8(), 'lock mode') })),
  }
}

const writeList = <T>(
  writer: ByteWriter,
  all: readonly T[],
  write: (writer: ByteWriter, each: T) => unknown,
): ByteWriter => {
  writer.u32(all.length)
  for (const each of all) write(writer, each)
  return writer
}
const list = <T>(reader: ByteReader, read: (reader: ByteReader) => T): T[] => {
  const all: T[] = []
  for (let left = reader.u32(); left > 0; left--) all.push(read(reader))
  return all
}

const writeAnswer = (writer: ByteWriter, answer: QueryReply): ByteWriter => {
  writer.u8(answerTypes.indexOf(answer.status))
  switch (answer.status) {
    case 'refused':
      return writer.u8(problems.indexOf(answer.problem))
    case 'stat':
      return writeStat(writer, answer.stat)
    case 'file':
      return writeFile(writer, answer.file)
    case 'children':
      return writeList(writer.u8(flagOf(answer.more)), answer.children, writeStat)
    case 'sequencer':
      return writer.u8(flagOf(answer.valid))
    case 'sessions':
      return writeList(writer.u8(flagOf(answer.more)), answer.sessions, writeSession)
    case 'session':
      return writeList(writeSession(writer.u8(flagOf(answer.more)), answer.session), answer.handles, writeHandle)
    case 'locks':
      return writeList(writer.u8(flagOf(answer.more)), answer.locks, writeLockInfo)
    case 'info':
      return writer.u64(answer.token).u32(answer.nodes).u32(answer.sessions)
  }
}

export const encodeAnswer = (answer: QueryReply): Uint8Array => writeAnswer(new ByteWriter(128), answer).take()

/** Contents are views. @throws MalformedBytes */
export const decodeAnswer = (bytes: Uint8Array): QueryReply => whole(bytes, readAnswer)

const readAnswer = (reader: ByteReader): QueryReply => {
  const status = pick(answerTypes, reader.u8(), 'answer')
  switch (status) {
    case 'refused':
      return { status, problem: readProblem(reader) }
    case 'stat':
      return { status, stat: readStat(reader) }
    case 'file':
      return { status, file: readFile(reader) }
    case 'children':
      return { status, more: readFlag(reader), children: list(reader, readStat) }
    case 'sequencer':
      return { status, valid: readFlag(reader) }
    case 'sessions':
      return { status, more: readFlag(reader), sessions: list(reader, readSession) }
    case 'session':
      return { status, more: readFlag(reader), session: readSession(reader), handles: list(reader, readHandle) }
    case 'locks':
      return { status, more: readFlag(reader), locks: list(reader, readLockInfo) }
    case 'info':
      return { status, token: reader.u64(), nodes: reader.u32(), sessions: reader.u32() }
  }
}

// ---- calls to the session service ---------------------------------------------------------------------------------------------------------

const callTypes = ['keepAlive', 'read', 'query'] as const satisfies readonly ChubbyCall['type'][]

export const encodeCall = (call: ChubbyCall): Uint8Array => {
  const writer = new ByteWriter(64).u8(callTypes.indexOf(call.type) + 1)
  switch (call.type) {
    case 'keepAlive':
      return writer.u64(call.session).u64(call.epoch).u53(call.acked).take()
    case 'read':
      return writer.u64(call.session).string(call.path).take()
    case 'query':
      return writeQuery(writer.u8(flagOf(call.local)), call.query).take()
  }
}

/** @throws MalformedBytes */
export const decodeCall = (bytes: Uint8Array): ChubbyCall => whole(bytes, readCall)

const readCall = (reader: ByteReader): ChubbyCall => {
  const type = pick(callTypes, reader.u8() - 1, 'call')
  switch (type) {
    case 'keepAlive':
      return { type, session: reader.u64(), epoch: epoch(reader.u64()), acked: reader.u53() }
    case 'read':
      return { type, session: reader.u64(), path: readPath(reader) }
    case 'query':
      return { type, local: readFlag(reader), query: readQuery(reader) }
  }
}

const noticeTypes = [
  'failedOver',
  'lost',
  'invalidate',
  'granted',
  'contents',
  'children',
  'invalid',
  'acquired',
  'conflicting',
] as const satisfies readonly Notice['type'][]
const changes = ['added', 'removed', 'modified'] as const

const writeNotice = (writer: ByteWriter, { serial, notice }: NumberedNotice): ByteWriter => {
  writer.u53(serial).u8(noticeTypes.indexOf(notice.type))
  switch (notice.type) {
    case 'failedOver':
    case 'lost':
      return writer
    case 'invalidate':
      return writer.string(notice.path)
    case 'granted':
      return writeGrant(writer.u32(notice.handle), notice)
    case 'contents':
      return writer.u32(notice.handle).u64(notice.contentGeneration)
    case 'children':
      return writer.u32(notice.handle).u8(changes.indexOf(notice.change)).string(notice.name)
    case 'invalid':
    case 'acquired':
    case 'conflicting':
      return writer.u32(notice.handle)
  }
}

const readNotice = (reader: ByteReader): NumberedNotice => {
  const serial = reader.u53()
  const type = pick(noticeTypes, reader.u8(), 'notice')
  switch (type) {
    case 'failedOver':
    case 'lost':
      return { serial, notice: { type } }
    case 'invalidate':
      return { serial, notice: { type, path: reader.string(limits.pathBytes) } }
    default:
      return { serial, notice: readEvent(reader, type) }
  }
}

const readEvent = (reader: ByteReader, type: ChubbyEvent['type']): ChubbyEvent => {
  const handle = reader.u32()
  switch (type) {
    case 'granted':
      return { type, handle, ...readGrant(reader) }
    case 'contents':
      return { type, handle, contentGeneration: reader.u64() }
    case 'children':
      return { type, handle, change: pick(changes, reader.u8(), 'change'), name: reader.string(limits.componentBytes) }
    case 'invalid':
    case 'acquired':
    case 'conflicting':
      return { type, handle }
  }
}

const callReplyTypes = ['refused', 'alive', 'file', 'answer'] as const satisfies readonly CallReply['type'][]

export const encodeCallReply = (reply: CallReply): Uint8Array => {
  const writer = new ByteWriter(64).u8(callReplyTypes.indexOf(reply.type))
  switch (reply.type) {
    case 'refused':
      return writer.u8(problems.indexOf(reply.problem)).take()
    case 'alive':
      writer.u64(reply.epoch).u32(reply.lease).f64(reply.heldFor)
      return writeList(writer, reply.notices, writeNotice).take()
    case 'file':
      writer.u8(flagOf(reply.cacheable)).u8(flagOf(reply.file !== undefined))
      return reply.file === undefined ? writer.take() : writeFile(writer, reply.file).take()
    case 'answer':
      return writeAnswer(writer, reply.reply).take()
  }
}

/** Contents are views. @throws MalformedBytes */
export const decodeCallReply = (bytes: Uint8Array): CallReply => whole(bytes, readCallReply)

const readCallReply = (reader: ByteReader): CallReply => {
  const type = pick(callReplyTypes, reader.u8(), 'reply to a call')
  switch (type) {
    case 'refused':
      return { type, problem: readProblem(reader) }
    case 'alive': {
      const [reign, lease, heldFor] = [epoch(reader.u64()), reader.u32(), reader.f64()]
      if (!(heldFor >= 0)) throw new MalformedBytes(`a call was held for ${heldFor} ms`)
      return { type, epoch: reign, lease, heldFor, notices: list(reader, readNotice) }
    }
    case 'file': {
      const [cacheable, found] = [readFlag(reader), readFlag(reader)]
      return { type, cacheable, ...(found && { file: readFile(reader) }) }
    }
    case 'answer':
      return { type, reply: readAnswer(reader) }
  }
}
