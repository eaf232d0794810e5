/** The state as bytes: the body of a snapshot and the source of the hash (docs/formats/chubby.md). Equal states give equal bytes. */
import { ByteReader, ByteWriter, copyBytes, epoch, type LogTime, MalformedBytes } from '@conclave/interface'
import {
  accessBits,
  accessOf,
  lockModes,
  readAcl,
  readPath,
  subscriptionBits,
  subscriptionsOf,
  writeAcl,
} from './codec.ts'
import { crc32c } from './crc32c.ts'
import { limits } from './limits.ts'
import { parentOf, root } from './paths.ts'
import { decodeSequencer, encodeSequencer } from './sequencer.ts'
import {
  ChubbyState,
  type HandleKey,
  type HandleRecord,
  type LockRecord,
  type NodeRecord,
  type SessionRecord,
  type Waiter,
} from './state.ts'

const magic = 0x42554843 // "CHUB"
const version = 1
const chunkBytes = 128 * 1024
const modes = ['free', ...lockModes] as const

/** What a capture holds on to: records that never change. */
export interface FrozenState {
  readonly head: Pick<ChubbyState, 'token' | 'instance' | 'epoch' | 'time'>
  readonly nodes: readonly NodeRecord[]
  readonly sessions: readonly { readonly record: SessionRecord; readonly handles: readonly HandleRecord[] }[]
}

export const freeze = ({ token, instance, epoch: reign, time, nodes, sessions }: ChubbyState): FrozenState => ({
  head: { token, instance, epoch: reign, time },
  nodes: [...nodes.values()],
  sessions: [...sessions.values()].map(({ record, handles }) => ({ record, handles: [...handles.values()] })),
})

const writeHead = ({ head, nodes, sessions }: FrozenState): Uint8Array =>
  new ByteWriter(64)
    .u32(magic)
    .u8(version)
    .u64(head.token)
    .u64(head.instance)
    .u64(head.epoch)
    .f64(head.time)
    .u32(nodes.length)
    .u32(sessions.length)
    .take()

const writeNode = (writer: ByteWriter, node: NodeRecord): ByteWriter => {
  const flags = (node.kind === 'directory' ? 1 : 0) | (node.ephemeral ? 2 : 0)
  writer.string(node.path).u8(flags).u64(node.instance).u64(node.contentGeneration).u64(node.aclGeneration)
  writeAcl(writer, node.acl).bytes(node.contents)
  const { mode, token, generation, holders, waiters, delayUntil } = node.lock
  writer.u8(modes.indexOf(mode)).u64(token).u64(generation).f64(delayUntil).u32(holders.length)
  for (const { session, handle } of holders) writer.u64(session).u32(handle)
  writer.u32(waiters.length)
  for (const waiter of waiters) writer.u64(waiter.session).u32(waiter.handle).u8(lockModes.indexOf(waiter.mode))
  return writer
}

const writeSession = (writer: ByteWriter, { id, principal, lease }: SessionRecord, handles: number): ByteWriter =>
  writer.u64(id).string(principal).u32(lease).u32(handles)

const writeHandle = (writer: ByteWriter, record: HandleRecord): ByteWriter => {
  writer.u32(record.handle).string(record.path).u64(record.instance)
  writer.u8(accessBits(record.access)).u8(subscriptionBits(record.subscriptions)).u32(record.lockDelay)
  return writer.bytes(record.sequencer === undefined ? noBytes : encodeSequencer(record.sequencer))
}

const noBytes = new Uint8Array(0)

/** One record after the other, in chunks: a file, or a long line for a lock, may take several. */
export async function* writeSnapshot(frozen: FrozenState): AsyncGenerator<Uint8Array> {
  yield writeHead(frozen)
  const writer = new ByteWriter(2 * chunkBytes)
  for (const node of frozen.nodes) if (writeNode(writer, node).length >= chunkBytes) yield* inPieces(writer.take())
  for (const { record, handles } of frozen.sessions) {
    writeSession(writer, record, handles.length)
    for (const handle of handles) if (writeHandle(writer, handle).length >= chunkBytes) yield* inPieces(writer.take())
  }
  if (writer.length > 0) yield* inPieces(writer.take())
}

function* inPieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}

/** @throws MalformedBytes if the body does not parse, or contradicts itself. */
export const readSnapshot = async (body: AsyncIterable<Uint8Array>): Promise<ChubbyState> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(copyBytes(chunk))
  const reader = new ByteReader(joined(chunks))
  if (reader.u32() !== magic) throw new MalformedBytes('this is no snapshot of a lock service')
  const found = reader.u8()
  if (found !== version) throw new MalformedBytes(`a snapshot of version ${found}; this build reads version ${version}`)
  const state = new ChubbyState()
  state.token = reader.u64()
  state.instance = reader.u64()
  state.epoch = epoch(reader.u64())
  state.time = readTime(reader)
  const [nodes, sessions] = [reader.u32(), reader.u32()]
  for (let left = nodes; left > 0; left--) addNode(state, readNode(reader))
  for (let left = sessions; left > 0; left--) readSession(state, reader)
  reader.end()
  check(state, nodes)
  return state
}

const readTime = (reader: ByteReader): LogTime => {
  const time = reader.f64()
  if (!(time >= 0 && time < Infinity)) throw new MalformedBytes(`${time} is no log time`)
  return time as LogTime
}

const joined = (chunks: readonly Uint8Array[]): Uint8Array => {
  const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

const addNode = (state: ChubbyState, node: NodeRecord): void => {
  const directory = node.path === root ? node : state.nodes.get(parentOf(node.path))
  if (directory?.kind !== 'directory') throw new MalformedBytes(`${node.path} stands in no directory`)
  state.setNode(node)
}

const readNode = (reader: ByteReader): NodeRecord => {
  const path = readPath(reader)
  const flags = reader.u8()
  const kind = (flags & 1) === 0 ? 'file' : 'directory'
  const generations = { instance: reader.u64(), contentGeneration: reader.u64(), aclGeneration: reader.u64() }
  const acl = readAcl(reader)
  const contents = copyBytes(reader.bytes(limits.contentBytes))
  const checksum = kind === 'file' ? crc32c(contents) : 0
  return { path, kind, ephemeral: (flags & 2) !== 0, ...generations, acl, contents, checksum, lock: readLock(reader) }
}

const modeOf = <Mode>(all: readonly Mode[], at: number): Mode => {
  const mode = all[at]
  if (mode === undefined) throw new MalformedBytes(`lock mode ${at}`)
  return mode
}

const readLock = (reader: ByteReader): LockRecord => {
  const head = {
    mode: modeOf(modes, reader.u8()),
    token: reader.u64(),
    generation: reader.u64(),
    delayUntil: readTime(reader),
  }
  const key = (): HandleKey => ({ session: reader.u64(), handle: reader.u32() })
  const holders: HandleKey[] = []
  for (let left = reader.u32(); left > 0; left--) holders.push(key())
  const waiters: Waiter[] = []
  for (let left = reader.u32(); left > 0; left--) waiters.push({ ...key(), mode: modeOf(lockModes, reader.u8()) })
  return { ...head, holders, waiters }
}

const readSession = (state: ChubbyState, reader: ByteReader): void => {
  const record = { id: reader.u64(), principal: reader.string(limits.principalBytes), lease: reader.u32() }
  if (state.sessions.has(record.id)) throw new MalformedBytes(`session ${record.id} stands twice in a snapshot`)
  state.sessions.set(record.id, { record, handles: new Map() })
  for (let left = reader.u32(); left > 0; left--) state.setHandle(readHandle(record.id, reader))
}

const readHandle = (session: bigint, reader: ByteReader): HandleRecord => {
  const head = {
    session,
    handle: reader.u32(),
    path: readPath(reader),
    instance: reader.u64(),
    access: accessOf(reader.u8()),
    subscriptions: subscriptionsOf(reader.u8()),
    lockDelay: reader.u32(),
  }
  const sequencer = reader.bytes(2 * limits.pathBytes)
  return sequencer.length === 0 ? head : { ...head, sequencer: decodeSequencer(sequencer) }
}

/** Whoever has a lock, or stands in line for it, has a handle on its node; and only as many have it as can. */
const check = (state: ChubbyState, nodes: number): void => {
  if (state.nodes.size !== nodes) throw new MalformedBytes('a node stands twice in a snapshot')
  for (const node of state.nodes.values()) {
    const { mode, holders, waiters } = node.lock
    if ((mode === 'free') !== (holders.length === 0) || (mode === 'exclusive' && holders.length > 1))
      throw new MalformedBytes(`the lock of ${node.path} is ${mode}, with ${holders.length} holders`)
    for (const key of [...holders, ...waiters]) {
      const handle = state.handle(key)
      if (handle === undefined || state.nodeOf(handle) !== node)
        throw new MalformedBytes(`the lock of ${node.path} belongs to a handle that is not there`)
    }
  }
}

// ---- hash ---------------------------------------------------------------------------------------------------------------------------------

type Lanes = readonly [number, number]

const lanesOf = (bytes: Uint8Array): Lanes => {
  let low = 0x811c9dc5
  let high = 0x1b873593
  for (const byte of bytes) {
    low = Math.imul(low ^ byte, 0x01000193)
    high = Math.imul(high ^ byte, 0x85ebca6b) ^ (high >>> 15)
  }
  return [low, high]
}

/** Of records that never change: each is hashed once. */
const known = new WeakMap<object, Lanes>()
const remembered = (record: object, encode: () => Uint8Array): Lanes => {
  const before = known.get(record)
  if (before !== undefined) return before
  const lanes = lanesOf(encode())
  known.set(record, lanes)
  return lanes
}

/** 16 hexadecimal digits; depends on everything, in its order. */
export const hashOf = (state: ChubbyState): string => {
  const frozen = freeze(state)
  let [low, high] = lanesOf(writeHead(frozen))
  const add = ([a, b]: Lanes): void => {
    low = (Math.imul(low, 31) + a) | 0
    high = Math.imul(high, 37) ^ b
  }
  for (const node of frozen.nodes) add(remembered(node, () => writeNode(new ByteWriter(), node).take()))
  for (const { record, handles } of frozen.sessions) {
    add(remembered(record, () => writeSession(new ByteWriter(), record, 0).take()))
    for (const handle of handles) add(remembered(handle, () => writeHandle(new ByteWriter(), handle).take()))
  }
  return [high, low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
}
