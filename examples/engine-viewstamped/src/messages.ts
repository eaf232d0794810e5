/**
 * What replicas say to each other (sections 4 and 5), and SUSPECT and COMMITOK, which the paper does not have.
 *
 * Every message begins with `version u8 = 1 · type u8 · view u53`; integers are little-endian. A part of a log is `after u53 · afterView u53 ·
 * count u32 · count × (length u32 · entry)`, with entries as they are in the journal.
 */
import { ByteReader, ByteWriter, type Chunks, MalformedBytes } from '@conclave/interface'
import { decodeEntry, type Entry, entryHeadBytes, type View, view } from './entry.ts'
import type { LogPart } from './log.ts'

const version = 1
const types = {
  suspect: 1,
  startViewChange: 2,
  doViewChange: 3,
  startView: 4,
  prepare: 5,
  prepareOk: 6,
  commit: 7,
  commitOk: 8,
  getState: 9,
  newState: 10,
} as const

export type Message =
  /** Not in the paper: the sender hears no primary and would go to `view` if enough others would. It promises nothing. */
  | { readonly type: 'suspect'; readonly view: View }
  | { readonly type: 'startViewChange'; readonly view: View }
  /** Section 4.2, with a suffix of the log (5.3). `op`: the op-number; `part` is its newest entries. */
  | {
      readonly type: 'doViewChange'
      readonly view: View
      readonly lastNormal: View
      readonly op: number
      readonly commit: number
      readonly part: LogPart
    }
  | { readonly type: 'startView'; readonly view: View; readonly commit: number; readonly part: LogPart }
  /** Section 4.1; the requests of several op-numbers in one (6.2, batching). */
  | { readonly type: 'prepare'; readonly view: View; readonly commit: number; readonly part: LogPart }
  | { readonly type: 'prepareOk'; readonly view: View; readonly op: number }
  /** Section 4.1. `op`: up to there the receiver was sent everything, or should ask; `round`: of the reads that wait. */
  | {
      readonly type: 'commit'
      readonly view: View
      readonly commit: number
      readonly op: number
      readonly round: number
    }
  /** Not in the paper: `round` reached a replica that was in this view. */
  | { readonly type: 'commitOk'; readonly view: View; readonly round: number }
  /** Section 5.2: what follows `after`. */
  | { readonly type: 'getState'; readonly view: View; readonly after: number }
  /** One page of it. */
  | { readonly type: 'newState'; readonly view: View; readonly commit: number; readonly part: LogPart }

/** Bytes of the largest message around its part's entries. */
export const headBytes = 54
/** So much larger than a batch a message with it alone is. */
export const batchOverhead = headBytes + 4 + entryHeadBytes

export const encodeMessage = (message: Message): Chunks => {
  const writer = new ByteWriter(headBytes).u8(version).u8(types[message.type]).u53(message.view)
  switch (message.type) {
    case 'suspect':
    case 'startViewChange':
      return [writer.take()]
    case 'doViewChange':
      return encodePart(writer.u53(message.lastNormal).u53(message.op).u53(message.commit), message.part)
    case 'startView':
    case 'prepare':
    case 'newState':
      return encodePart(writer.u53(message.commit), message.part)
    case 'prepareOk':
      return [writer.u53(message.op).take()]
    case 'commit':
      return [writer.u53(message.commit).u53(message.op).u53(message.round).take()]
    case 'commitOk':
      return [writer.u53(message.round).take()]
    case 'getState':
      return [writer.u53(message.after).take()]
  }
}

const encodePart = (writer: ByteWriter, { after, afterView, entries }: LogPart): Chunks => {
  const chunks: Uint8Array[] = []
  writer.u53(after).u53(afterView).u32(entries.length)
  for (const { size, encoded } of entries) chunks.push(writer.u32(size).take(), ...encoded)
  return entries.length === 0 ? [writer.take()] : chunks
}

/** @throws MalformedBytes on an unknown version or type, a length that does not fit, bytes left over, or a log that cannot be. */
export const decodeMessage = (bytes: Uint8Array): Message => {
  const reader = new ByteReader(bytes)
  const spoken = reader.u8()
  if (spoken !== version)
    throw new MalformedBytes(`a message of version ${spoken}; this build speaks version ${version}`)
  const type = reader.u8()
  const of = view(reader.u53())
  if (of === 0) throw new MalformedBytes('a message of view 0, in which nobody speaks')
  const message = decodeBody(reader, type, of)
  reader.end()
  return message
}

const decodeBody = (reader: ByteReader, type: number, of: View): Message => {
  switch (type) {
    case types.suspect:
      return { type: 'suspect', view: of }
    case types.startViewChange:
      return { type: 'startViewChange', view: of }
    case types.doViewChange:
      return decodeDoViewChange(reader, of)
    case types.startView:
      return { type: 'startView', view: of, commit: reader.u53(), part: decodePart(reader, of) }
    case types.prepare:
      return { type: 'prepare', view: of, commit: reader.u53(), part: decodePart(reader, of) }
    case types.prepareOk:
      return { type: 'prepareOk', view: of, op: reader.u53() }
    case types.commit:
      return { type: 'commit', view: of, commit: reader.u53(), op: reader.u53(), round: reader.u53() }
    case types.commitOk:
      return { type: 'commitOk', view: of, round: reader.u53() }
    case types.getState:
      return { type: 'getState', view: of, after: reader.u53() }
    case types.newState:
      return { type: 'newState', view: of, commit: reader.u53(), part: decodePart(reader, of) }
    default:
      throw new MalformedBytes(`a message of type ${type}`)
  }
}

const decodeDoViewChange = (reader: ByteReader, of: View): Message => {
  const [lastNormal, op, commit] = [view(reader.u53()), reader.u53(), reader.u53()]
  const part = decodePart(reader, of)
  if (lastNormal >= of || commit > op || part.after + part.entries.length !== op)
    throw new MalformedBytes(`a DOVIEWCHANGE to ${of} from ${lastNormal} with op ${op}, commit ${commit}`)
  return { type: 'doViewChange', view: of, lastNormal, op, commit, part }
}

const decodePart = (reader: ByteReader, newest: View): LogPart => {
  const after = reader.u53()
  const afterView = view(reader.u53())
  const entries: Entry[] = []
  let least = afterView
  for (let left = reader.u32(); left > 0; left--) {
    const entry = decodeEntry(reader.bytes())
    if (entry.view < least || entry.view > newest)
      throw new MalformedBytes(`an entry of view ${entry.view} after ${least} in a message of view ${newest}`)
    least = entry.view
    entries.push(entry)
  }
  if (least > newest || !Number.isSafeInteger(after + entries.length)) throw new MalformedBytes('no part of a log')
  return { after, afterView, entries }
}

/** What a snapshot stands for: in the journal beside its body, and ahead of it on the wire. */
export interface SnapshotHeader {
  /** That of the sender. */
  readonly view: View
  readonly position: number
  /** The view of the entry at `position`. */
  readonly entryView: View
}

export const encodeSnapshotHeader = ({ view: of, position, entryView }: SnapshotHeader): Uint8Array =>
  new ByteWriter(25).u8(version).u53(of).u53(position).u53(entryView).take()

/** @throws MalformedBytes. */
export const decodeSnapshotHeader = (bytes: Uint8Array): SnapshotHeader => {
  const reader = new ByteReader(bytes)
  if (reader.u8() !== version) throw new MalformedBytes('a snapshot header of an unknown version')
  const header = { view: view(reader.u53()), position: reader.u53(), entryView: view(reader.u53()) }
  reader.end()
  if (header.position === 0 || header.entryView === 0 || header.entryView > header.view)
    throw new MalformedBytes(`a snapshot at ${header.position} of view ${header.entryView} from view ${header.view}`)
  return header
}
