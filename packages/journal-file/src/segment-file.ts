/** Reading one segment: the groups that stand in it one after the other, and whether anything valid stands beyond the first bad place. */
import {
  type DecodedGroup,
  decodeGroup,
  decodeSegmentHeader,
  groupKind,
  type SegmentHeader,
  sectorBytes,
} from './format.ts'

export interface ReadSegment {
  readonly path: string
  readonly index: number
  /** Size of the file. */
  readonly bytes: number
  /** Undefined if the header is not whole. */
  readonly header: SegmentHeader | undefined
  /** Consecutive, each with the checksum of the one before. */
  readonly groups: readonly DecodedGroup[]
  /** Where the groups end. */
  readonly end: number
  /** Something valid that stands after `end` and could only have been written after what is bad there was synced: its offset. */
  readonly beyond: number | undefined
}

const segmentName = /^segment-(\d{12})$/

export const nameOfSegment = (index: number): string => `segment-${String(index).padStart(12, '0')}`
export const indexOfSegment = (name: string): number | undefined => {
  const digits = segmentName.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

const follows = (group: DecodedGroup, last: DecodedGroup | undefined): boolean =>
  last === undefined ? group.sequence >= 1 : group.sequence === last.sequence + 1 && group.previous === last.crc

/**
 * Sectors of one write land in any order, but only one write is in flight: a group with a higher sequence, or a mark, was written only after
 * everything before it had been synced.
 */
const findBeyond = (
  bytes: Uint8Array,
  view: DataView,
  from: number,
  incarnation: bigint | undefined,
  last: number,
): number | undefined => {
  for (let at = from; at < bytes.length; at += sectorBytes) {
    const found = decodeGroup(bytes, view, at)
    if (found === undefined || (incarnation !== undefined && found.incarnation !== incarnation)) continue
    if (found.sequence > last) return at
  }
  return undefined
}

export const readSegment = (path: string, index: number, bytes: Uint8Array): ReadSegment => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const decoded = decodeSegmentHeader(bytes)
  const header = decoded?.index === index ? decoded : undefined
  const groups: DecodedGroup[] = []
  let end = sectorBytes
  while (header !== undefined) {
    const group = decodeGroup(bytes, view, end)
    if (group?.kind !== groupKind.group || group.incarnation !== header.incarnation || !follows(group, groups.at(-1)))
      break
    groups.push(group)
    end += group.size
  }
  const beyond = findBeyond(bytes, view, end, header?.incarnation, groups.at(-1)?.sequence ?? 0)
  return { path, index, bytes: bytes.length, header, groups, end, beyond }
}
