/**
 * The body of a snapshot (docs/formats/kv.md): a header, the entries in key order, the history in order of revision, and the state's hash.
 * Records are packed into frames `length u32 · records`; a frame is closed once it holds 64 KiB, so that the bytes depend on the state alone.
 */
import { assert, ByteReader, ByteWriter, concatChunks, copyBytes, MalformedBytes } from '@conclave/interface'
import { type Entry, makeEntry } from './entry.ts'
import { History, type HistoryLimits } from './history.ts'
import { type ByteString, fromByteString, maxKeyBytes, maxValueBytes, toByteString } from './keys.ts'
import type { View } from './ordered.ts'

const magic = 0x31564b43 // 'CKV1', little-endian
const frameBytes = 64 * 1024
const chunkBytes = 256 * 1024
/** A frame holds less than `frameBytes` before its last record. */
const maxFrameBytes = frameBytes + maxKeyBytes + maxValueBytes + 64

const kinds = { entry: 1, deletion: 2, event: 3, liveEvent: 4, end: 5 } as const

export interface FrozenState {
  readonly revision: number
  readonly size: number
  readonly entries: View
  readonly limits: HistoryLimits
  readonly forgotten: number
  readonly events: readonly Entry[]
  readonly hash: string
}

const writeEntry = (writer: ByteWriter, kind: number, entry: Entry): void => {
  writer.u8(kind).u53(entry.created).u53(entry.modified).u53(entry.version)
  writer.u16(entry.key.length).raw(fromByteString(entry.key)).bytes(entry.value)
}

const writeEvent = (writer: ByteWriter, event: Entry, live: boolean): void => {
  if (event.version > 0 && !live) return writeEntry(writer, kinds.event, event)
  writer.u8(live ? kinds.liveEvent : kinds.deletion).u53(event.modified)
  writer.u16(event.key.length).raw(fromByteString(event.key))
}

function* frames(state: FrozenState): IterableIterator<Uint8Array> {
  const writer = new ByteWriter(frameBytes * 2)
  writer.u32(magic).u53(state.revision).u53(state.size).u53(state.forgotten)
  writer.u32(state.events.length).u32(state.limits.events).u53(state.limits.bytes)
  yield writer.take()
  for (const entry of state.entries.entriesFrom('' as ByteString)) {
    writeEntry(writer, kinds.entry, entry)
    if (writer.length >= frameBytes) yield writer.take()
  }
  for (const event of state.events) {
    writeEvent(writer, event, state.entries.get(event.key) === event)
    if (writer.length >= frameBytes) yield writer.take()
  }
  writer.u8(kinds.end).string(state.hash)
  yield writer.take()
}

/** The body, in chunks of at most 256 KiB. */
export async function* writeSnapshot(state: FrozenState): AsyncGenerator<Uint8Array> {
  for (const frame of frames(state)) {
    yield new ByteWriter(4).u32(frame.length).take()
    for (let at = 0; at < frame.length; at += chunkBytes) yield frame.subarray(at, at + chunkBytes)
  }
}

/** Whole frames out of chunks of any size. */
async function* readFrames(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let chunks: Uint8Array[] = []
  let have = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    have += chunk.length
    let need = frameNeed(chunks, have)
    if (have < need) continue
    let whole = concatChunks(chunks)
    while (have >= 4 && have >= need) {
      yield whole.subarray(4, need)
      whole = whole.subarray(need)
      have = whole.length
      need = frameNeed([whole], have)
    }
    chunks = [whole]
  }
  if (have > 0) throw new MalformedBytes('the snapshot ends within a frame')
}

/** Bytes that the first frame takes, its length included; 4 while the length itself is not there. */
const frameNeed = (chunks: readonly Uint8Array[], have: number): number => {
  if (have < 4) return 4
  const first = chunks[0]
  const head = first !== undefined && first.length >= 4 ? first : concatChunks(chunks)
  const length = new ByteReader(head).u32()
  if (length === 0 || length > maxFrameBytes) throw new MalformedBytes(`a frame of ${length} bytes in a snapshot`)
  return 4 + length
}

const readKey = (reader: ByteReader): ByteString => {
  const length = reader.u16()
  if (length === 0 || length > maxKeyBytes) throw new MalformedBytes(`a key of ${length} bytes in a snapshot`)
  return toByteString(reader.raw(length))
}

const readEntry = (reader: ByteReader): Entry => {
  const created = reader.u53()
  const modified = reader.u53()
  const version = reader.u53()
  const key = readKey(reader)
  const value = copyBytes(reader.bytes(maxValueBytes))
  if (created === 0 || created > modified || version === 0)
    throw new MalformedBytes('impossible revisions in a snapshot')
  return makeEntry(key, value, created, modified, version)
}

/** Where a restore puts what it reads. */
export interface Restored {
  set(entry: Entry): void
  get(key: ByteString): Entry | undefined
  history: History
  revision: number
}

/** Reads one snapshot, frame by frame. */
class SnapshotReader {
  readonly #into: Restored
  #entries = 0
  #events = 0
  #lastKey = '' as ByteString
  #lastEvent = 0
  #started = false
  #hash: string | undefined

  constructor(into: Restored) {
    this.#into = into
  }

  /** The hash that the snapshot claims. @throws MalformedBytes if the end has not come. */
  get hash(): string {
    if (this.#hash === undefined || this.#entries !== 0 || this.#events !== 0)
      throw new MalformedBytes('the snapshot is cut short')
    return this.#hash
  }

  read(frame: Uint8Array): void {
    const reader = new ByteReader(frame)
    if (!this.#started) this.#header(reader)
    while (reader.left > 0) this.#record(reader)
  }

  #header(reader: ByteReader): void {
    this.#started = true
    if (reader.u32() !== magic) throw new MalformedBytes('this is no snapshot of a key-value store of version 1')
    this.#into.revision = reader.u53()
    this.#entries = reader.u53()
    const forgotten = reader.u53()
    this.#events = reader.u32()
    this.#into.history = new History({ events: reader.u32(), bytes: reader.u53() }, forgotten)
    this.#lastEvent = forgotten
  }

  #record(reader: ByteReader): void {
    if (this.#hash !== undefined) throw new MalformedBytes('a record follows the end of the snapshot')
    const kind = reader.u8()
    switch (kind) {
      case kinds.entry:
        return this.#entry(readEntry(reader))
      case kinds.event:
        return this.#event(readEntry(reader))
      case kinds.deletion: {
        const modified = reader.u53()
        return this.#event(makeEntry(readKey(reader), new Uint8Array(0), 0, modified, 0))
      }
      case kinds.liveEvent: {
        const modified = reader.u53()
        const entry = this.#into.get(readKey(reader))
        if (entry?.modified !== modified)
          throw new MalformedBytes('an event of a snapshot names an entry that is not there')
        return this.#event(entry)
      }
      case kinds.end:
        this.#hash = reader.string(16)
        return
      default:
        throw new MalformedBytes(`a record of kind ${kind} in a snapshot`)
    }
  }

  #entry(entry: Entry): void {
    this.#entries -= 1
    if (this.#entries < 0 || entry.key <= this.#lastKey || entry.modified > this.#into.revision) {
      throw new MalformedBytes('an entry of a snapshot is out of order')
    }
    this.#lastKey = entry.key
    this.#into.set(entry)
  }

  #event(event: Entry): void {
    this.#events -= 1
    if (this.#events < 0 || event.modified <= this.#lastEvent || event.modified > this.#into.revision) {
      throw new MalformedBytes('an event of a snapshot is out of order')
    }
    this.#lastEvent = event.modified
    this.#into.history.push(event)
  }
}

/**
 * Fills `into`. @returns the hash that the state must have.
 * @throws MalformedBytes; `into` is then half filled and to be thrown away.
 */
export const readSnapshot = async (body: AsyncIterable<Uint8Array>, into: Restored): Promise<string> => {
  const reader = new SnapshotReader(into)
  for await (const frame of readFrames(body)) reader.read(frame)
  const { hash } = reader
  assert(hash.length > 0, 'a hash is never empty')
  return hash
}
