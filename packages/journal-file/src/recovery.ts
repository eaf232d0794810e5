/**
 * What a directory of segments says. Segments are taken in the order of their index, from the floor up. Within one opening of the journal
 * each continues the one before; the first of a newer opening repeats the last group that the opening found, and so replaces whatever its
 * predecessors hold from that sequence on: a torn tail stays where it is and is passed over for good.
 */
import { CorruptJournal, MalformedBytes, type Slot } from '@conclave/interface'
import { type DecodedGroup, formatVersion, openingOf } from './format.ts'
import { type StoredOp, visitOps } from './operations.ts'
import { Records, SegmentLedger } from './records.ts'
import type { ReadSegment } from './segment-file.ts'

export interface Recovered {
  readonly records: Records
  readonly ledger: SegmentLedger
  readonly entries: ReadonlyMap<Slot, Uint8Array>
  /** The last group and where it stands; undefined if the journal is new. */
  readonly last: { readonly group: DecodedGroup; readonly segment: ReadSegment; readonly end: number } | undefined
  /** The highest opening that left a header. */
  readonly opening: number
  /** Files in which nothing was ever whole: prepared and not used, or torn in their first group. */
  readonly empty: readonly string[]
  /** Files that hold nothing once the last group is copied: replaced by the copy, or with nothing live in them. */
  readonly useless: readonly string[]
}

const advice =
  'The disk or somebody has changed what was synced, and this node must not vote on it: remove the node from the cluster, set its data directory aside, and add it anew under a new identity.'
const corrupt = (what: string): CorruptJournal => new CorruptJournal(`${what}. ${advice}`)

interface Link {
  readonly group: DecodedGroup
  readonly segment: ReadSegment
  readonly end: number
}

const operationsOf = (
  { group, segment }: { readonly group: DecodedGroup; readonly segment: ReadSegment },
  visit: (op: StoredOp) => void,
): void => {
  try {
    visitOps(group.body, visit)
  } catch (error) {
    if (error instanceof MalformedBytes || error instanceof RangeError)
      throw corrupt(`Group ${group.sequence} in ${segment.path} does not parse: ${error.message}`)
    throw error
  }
}

/** The highest floor that any group names; it was durable before anything below it was removed. */
const findFloor = (segments: readonly ReadSegment[]): number => {
  let floor = 1
  for (const segment of segments)
    for (const group of segment.groups)
      operationsOf({ group, segment }, (op) => {
        if (op.type === 'floor' && op.index > floor) floor = op.index
      })
  return floor
}

const checkHeader = (segment: ReadSegment, group: number): void => {
  const { header, path } = segment
  if (header === undefined) return
  if (header.version !== formatVersion)
    throw new CorruptJournal(
      `${path} has format version ${header.version}; this program reads version ${formatVersion}: run the version of Conclave that wrote it`,
    )
  if (header.group !== group)
    throw new CorruptJournal(
      `${path} belongs to group ${header.group}, not ${group}: this is another replica's data directory`,
    )
}

const checkTail = (segment: ReadSegment): void => {
  if (segment.beyond === undefined) return
  const what =
    segment.header === undefined ? 'its header is damaged' : `what stands at offset ${segment.end} is damaged`
  throw corrupt(`${segment.path}: ${what}, although valid data at offset ${segment.beyond} proves that it was synced`)
}

/** Adds a segment's groups to the chain, after cutting what a newer opening replaces. */
const extend = (chain: Link[], segment: ReadSegment): void => {
  const [first] = segment.groups
  const [oldest] = chain
  const last = chain.at(-1)
  if (first === undefined || segment.header === undefined) return
  if (last !== undefined && oldest !== undefined) {
    const before = openingOf(last.segment.header?.incarnation ?? 0n)
    const now = openingOf(segment.header.incarnation)
    const keep = first.sequence - oldest.group.sequence
    const expected = keep === 0 ? oldest.group.previous : chain[keep - 1]?.group.crc
    if (
      now < before ||
      keep < 0 ||
      keep > chain.length ||
      expected !== first.previous ||
      (now === before && keep !== chain.length)
    )
      throw corrupt(
        `${segment.path} begins with group ${first.sequence}, which does not continue group ${last.group.sequence} of ${last.segment.path}: groups between them are damaged or missing`,
      )
    chain.length = keep
  }
  let at = segment.end
  for (const group of segment.groups) at -= group.size
  for (const group of segment.groups) {
    at += group.size
    chain.push({ group, segment, end: at })
  }
}

/** The groups that count, oldest first. */
const linkUp = (segments: readonly ReadSegment[], floor: number): Link[] => {
  const chain: Link[] = []
  const used = segments.filter((segment) => segment.index >= floor && segment.groups.length > 0)
  const [first] = used
  if (first !== undefined && first.index !== floor)
    throw corrupt(
      `Segment ${floor} is missing or damaged, with which the journal begins; the first one to be read is ${first.path}`,
    )
  for (const segment of used) extend(chain, segment)
  const lastUsed = used.at(-1)?.index ?? 0
  for (const segment of segments) if (segment.index >= lastUsed) checkTail(segment)
  return chain
}

const apply = (link: Link, records: Records, ledger: SegmentLedger, entries: Map<Slot, Uint8Array>): void =>
  operationsOf(link, (op) => {
    ledger.apply(op)
    records.apply(op)
    if (op.type === 'put') entries.set(op.slot, op.bytes)
    if (op.type === 'truncateFrom') for (const slot of entries.keys()) if (slot >= op.slot) entries.delete(slot)
    if (op.type === 'compactTo') for (const slot of entries.keys()) if (slot <= op.slot) entries.delete(slot)
  })

/**
 * @param segments every segment file of the directory, by ascending index.
 * @param fresh the segment to which the last group will be copied: in the ledger it holds that group already.
 * @throws CorruptJournal if something that was synced is damaged or missing, or was written by another version or for another group.
 */
export const recover = (
  segments: readonly ReadSegment[],
  group: number,
  fresh: { readonly index: number; readonly path: string },
): Recovered => {
  for (const segment of segments) checkHeader(segment, group)
  const chain = linkUp(segments, findFloor(segments))
  const last = chain.pop()
  const records = new Records()
  const ledger = new SegmentLedger()
  const entries = new Map<Slot, Uint8Array>()
  let current: ReadSegment | undefined
  for (const link of chain) {
    if (link.segment !== current) {
      current = link.segment
      ledger.begin({ index: current.index, path: current.path, bytes: current.bytes })
    }
    apply(link, records, ledger, entries)
  }
  ledger.begin({ ...fresh, bytes: 0 })
  if (last !== undefined) apply(last, records, ledger, entries)
  ledger.drop(ledger.dead(records.compacted))
  records.apply({ type: 'floor', index: ledger.first?.index ?? fresh.index })
  const kept = new Set(ledger.paths)
  let opening = 0
  for (const { header } of segments)
    if (header !== undefined) opening = Math.max(opening, openingOf(header.incarnation))
  const rest = segments.filter((segment) => !kept.has(segment.path))
  return {
    records,
    ledger,
    entries,
    last,
    opening,
    empty: rest.filter((segment) => segment.groups.length === 0).map((segment) => segment.path),
    useless: rest.filter((segment) => segment.groups.length > 0).map((segment) => segment.path),
  }
}
