/** The body of a group: operations one after the other, each a type byte and its fields. */
import {
  AssertionFailed,
  assert,
  ByteReader,
  chunksLength,
  type JournalOp,
  MalformedBytes,
  position,
  type Slot,
  slot,
  snapshotId,
} from '@conclave/interface'

export const opCode = { meta: 1, put: 2, truncateFrom: 3, compactTo: 4, snapshot: 5, floor: 6 } as const

export const mostMetaBytes = 65_536
export const mostSnapshotHeaderBytes = 65_536

/** What a group holds: the operations of writes, and the journal's own `floor`: segments below that index are no longer part of it. */
export type StoredOp =
  | Exclude<JournalOp, { type: 'put' }>
  | { readonly type: 'put'; readonly slot: Slot; readonly bytes: Uint8Array }
  | { readonly type: 'floor'; readonly index: number }

/** A write has at most so many bytes. Far above what an engine hands over at once; it keeps a group within its own bound. */
export const mostWriteBytes = 0x1000_0000

/** Refuses what may not be written, before anything of it is, and tells about how many bytes it takes. @throws AssertionFailed. */
export const checkOp = (op: JournalOp): number => {
  switch (op.type) {
    case 'meta':
      assert(
        op.bytes.length <= mostMetaBytes,
        `a meta record has at most ${mostMetaBytes} bytes, got ${op.bytes.length}`,
      )
      return 5 + op.bytes.length
    case 'put':
    case 'truncateFrom':
      assert(Number.isSafeInteger(op.slot) && op.slot >= 1, `a slot is a safe integer from 1 up, got ${op.slot}`)
      return op.type === 'put' ? 13 + chunksLength(op.bytes) : 9
    case 'compactTo':
      assert(Number.isSafeInteger(op.slot) && op.slot >= 0, `a slot is a safe integer, got ${op.slot}`)
      return 9
    case 'snapshot':
      snapshotId(op.id)
      position(op.position)
      assert(
        op.header.length <= mostSnapshotHeaderBytes,
        `a snapshot's header has at most ${mostSnapshotHeaderBytes} bytes, got ${op.header.length}`,
      )
      return 17 + op.id.length + op.header.length
    default:
      throw new AssertionFailed(`unknown journal operation ${JSON.stringify(op)}`)
  }
}

const readOp = (reader: ByteReader): StoredOp => {
  const code = reader.u8()
  switch (code) {
    case opCode.meta:
      return { type: 'meta', bytes: reader.bytes(mostMetaBytes) }
    case opCode.put:
      return { type: 'put', slot: slot(reader.u53()), bytes: reader.bytes() }
    case opCode.truncateFrom:
      return { type: 'truncateFrom', slot: slot(reader.u53()) }
    case opCode.compactTo:
      return { type: 'compactTo', slot: reader.u53() as Slot }
    case opCode.snapshot:
      return {
        type: 'snapshot',
        id: snapshotId(reader.string(64)),
        position: position(reader.u53()),
        header: reader.bytes(mostSnapshotHeaderBytes),
      }
    case opCode.floor:
      return { type: 'floor', index: reader.u53() }
    default:
      throw new MalformedBytes(`unknown operation ${code} in a group`)
  }
}

/** Calls `visit` for each operation of a group's body. Bytes are views. @throws MalformedBytes, RangeError. */
export const visitOps = (body: Uint8Array, visit: (op: StoredOp) => void): void => {
  const reader = new ByteReader(body)
  while (reader.left > 0) visit(readOp(reader))
}
