/**
 * The bytes of a segment, version 1; `docs/formats/journal.md` describes them. All integers are little-endian. A segment is a header of one
 * sector, then groups, each at a multiple of the sector, so that a write in flight never shares a sector with what was synced before.
 */
import { ByteReader, ByteWriter, MalformedBytes } from '@conclave/interface'
import { crc32c } from './crc32c.ts'

export const sectorBytes = 512
export const formatVersion = 1
export const groupHeaderBytes = 40
/** A group's body, at most. Far above any write; it keeps a damaged length from being believed. */
export const mostBodyBytes = 0x4000_0000

const segmentMagic = new TextEncoder().encode('CNCLVSEG')
const groupMagic = 0x5052_4743 // 'CGRP'

/** `group`: operations. `mark`: everything up to its sequence was synced; the next group overwrites it. */
export const groupKind = { group: 1, mark: 2 } as const
export type GroupKind = (typeof groupKind)[keyof typeof groupKind]

export interface SegmentHeader {
  readonly version: number
  /** The replica group (u32) that the journal belongs to. */
  readonly group: number
  /** Which opening of the journal wrote it: high 32 bits count openings, low 32 bits are random, so that no payload can forge a group. */
  readonly incarnation: bigint
  /** Segments are numbered from 1 up, in the order of their making; never reused. */
  readonly index: number
}

export const openingOf = (incarnation: bigint): number => Number(incarnation >> 32n)
export const roundUp = (bytes: number): number => Math.ceil(bytes / sectorBytes) * sectorBytes

export const encodeSegmentHeader = (header: SegmentHeader): Uint8Array => {
  const fields = new ByteWriter(sectorBytes)
    .raw(segmentMagic)
    .u32(header.version)
    .u32(header.group)
    .u64(header.incarnation)
    .u53(header.index)
    .take()
  const sector = new Uint8Array(sectorBytes)
  sector.set(fields)
  new DataView(sector.buffer).setUint32(fields.length, crc32c(fields), true)
  return sector
}

/** Undefined if it is no whole header of any version. */
export const decodeSegmentHeader = (bytes: Uint8Array): SegmentHeader | undefined => {
  if (bytes.length < sectorBytes || segmentMagic.some((byte, at) => bytes[at] !== byte)) return undefined
  const reader = new ByteReader(bytes, segmentMagic.length)
  try {
    const header = { version: reader.u32(), group: reader.u32(), incarnation: reader.u64(), index: reader.u53() }
    const length = reader.at
    return reader.u32() === crc32c(bytes.subarray(0, length)) ? header : undefined
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined
    throw error
  }
}

export interface GroupHeader {
  readonly kind: GroupKind
  readonly incarnation: bigint
  /** Groups are numbered from 1 up without gaps. A mark carries the sequence of the last group that it covers. */
  readonly sequence: number
  /** The checksum of the group before it, 0 for the first. A mark carries that of the group it covers. */
  readonly previous: number
}

/** Fills in the header of a group whose body is `length` bytes; the checksum stays to be set with `sealGroup`. */
export const writeGroupHeader = (view: DataView, header: GroupHeader, length: number): void => {
  view.setUint32(0, groupMagic, true)
  view.setUint32(8, header.kind, true)
  view.setUint32(12, header.previous, true)
  view.setBigUint64(16, header.incarnation, true)
  view.setBigUint64(24, BigInt(header.sequence), true)
  view.setUint32(32, length, true)
  view.setUint32(36, 0, true)
}
export const sealGroup = (view: DataView, crc: number): void => view.setUint32(4, crc, true)
/** The checksum covers everything from here to the end of the body. */
export const checksumFrom = 8

export const encodeMark = (incarnation: bigint, sequence: number, previous: number): Uint8Array => {
  const sector = new Uint8Array(sectorBytes)
  const view = new DataView(sector.buffer)
  writeGroupHeader(view, { kind: groupKind.mark, incarnation, sequence, previous }, 0)
  sealGroup(view, crc32c(sector.subarray(checksumFrom, groupHeaderBytes)))
  return sector
}

export interface DecodedGroup extends GroupHeader {
  readonly crc: number
  /** A view. */
  readonly body: Uint8Array
  /** Bytes that it takes, padding included. */
  readonly size: number
}

/** The group at offset `at`, if it is whole there: magic, length, checksum. Whether it belongs there is for the reader to say. */
export const decodeGroup = (segment: Uint8Array, view: DataView, at: number): DecodedGroup | undefined => {
  if (at + groupHeaderBytes > segment.length || view.getUint32(at, true) !== groupMagic) return undefined
  const kind = view.getUint32(at + 8, true)
  if (kind !== groupKind.group && kind !== groupKind.mark) return undefined
  const length = view.getUint32(at + 32, true)
  const end = at + groupHeaderBytes + length
  if (length > mostBodyBytes || end > segment.length) return undefined
  const crc = view.getUint32(at + 4, true)
  if (crc32c(segment.subarray(at + checksumFrom, end)) !== crc) return undefined
  return {
    kind,
    crc,
    previous: view.getUint32(at + 12, true),
    incarnation: view.getBigUint64(at + 16, true),
    sequence: Number(view.getBigUint64(at + 24, true)),
    body: segment.subarray(at + groupHeaderBytes, end),
    size: roundUp(groupHeaderBytes + length),
  }
}
