/**
 * A durable journal on the local disk: segments allocated ahead, checksummed groups, one `fdatasync` per group, recovery that tells a torn
 * tail from damage.
 *
 * @example
 * ```ts
 * import { slot } from '@conclave/interface'
 * import { fileJournal } from '@conclave/journal-file'
 *
 * const journal = fileJournal({ directory: './data/journal' })
 * const { entries } = await journal.open({ disk: (state) => console.log('the disk is', state) })
 * journal.write([{ type: 'put', slot: slot(entries.length + 1), bytes: [new TextEncoder().encode('hello')] }], (error) => {
 *   console.log(error ?? 'on disk')
 * })
 * await journal.close()
 * ```
 *
 * @packageDocumentation
 */
import { randomBytes } from 'node:crypto'
import { type Clock, type Journal, type Logger, type Random, silentLogger } from '@conclave/interface'
import type { Disk } from './disk.ts'
import { FileJournal } from './file-journal.ts'
import { nodeDisk } from './node-disk.ts'
import { systemClock } from './system-clock.ts'

export type { Disk, DiskDone, DiskFile, SyncSite } from './disk.ts'
export { nodeDisk } from './node-disk.ts'

export interface FileJournalInit {
  /** Where the journal lives; made if missing. One process at a time. */
  readonly directory: string
  /** Default: this machine's file system. */
  readonly disk?: Disk
  /** For retries on a full disk and to notice a slow one. Default: the real clock. */
  readonly clock?: Clock
  /** Makes the name of an opening unguessable. Default: from `node:crypto`; seeded in simulations. */
  readonly random?: Random
  /** Size of a segment, at least 4 KiB. Default 16 MiB. */
  readonly segmentBytes?: number
  readonly logger?: Logger
  /** The replica group whose journal this is (u32), checked at every open. Default 0. */
  readonly group?: number
  /** `memory` leaves out every sync: fast, and without any durability against a loss of power. For tests; it is logged as a warning. Default `disk`. */
  readonly durability?: 'disk' | 'memory'
}

const systemRandom: Random = { next: () => randomBytes(4).readUInt32LE() / 0x1_0000_0000 }
const leastSegmentBytes = 4096
const mostSegmentBytes = 1 << 30

/** @throws RangeError if `segmentBytes` or `group` is out of range. */
export const fileJournal = (init: FileJournalInit): Journal => {
  const { directory, segmentBytes = 16 << 20, group = 0 } = init
  if (directory.length === 0) throw new RangeError('a journal needs a directory')
  if (!Number.isSafeInteger(segmentBytes) || segmentBytes < leastSegmentBytes || segmentBytes > mostSegmentBytes)
    throw new RangeError(
      `segmentBytes must be an integer from ${leastSegmentBytes} to ${mostSegmentBytes}, got ${segmentBytes}`,
    )
  if (!Number.isSafeInteger(group) || group < 0 || group > 0xffff_ffff)
    throw new RangeError(`group must be a u32, got ${group}`)
  return new FileJournal({
    directory,
    segmentBytes,
    group,
    disk: init.disk ?? nodeDisk(),
    clock: init.clock ?? systemClock,
    random: init.random ?? systemRandom,
    logger: init.logger ?? silentLogger,
    durability: init.durability ?? 'disk',
  })
}
