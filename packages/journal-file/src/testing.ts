/**
 * A disk in memory under `fileJournal`, for tests and simulations: it forgets what was not synced, tears and reorders sectors, fills up, fails.
 * No I/O, no clock and no randomness but what it is given.
 *
 * @example
 * ```ts
 * import { seededRandom } from '@conclave/interface'
 * import { fileJournal } from '@conclave/journal-file'
 * import { simulatedDisk } from '@conclave/journal-file/testing'
 *
 * const random = seededRandom(7)
 * let disk = simulatedDisk({ random })
 * await fileJournal({ directory: '/data', disk, random }).open({ disk: () => {} })
 * disk = disk.crash() // loss of power: open a new journal on what came back
 * ```
 *
 * @packageDocumentation
 */
export type { Disk, DiskDone, DiskFile, SyncSite } from './disk.ts'
export { DiskImage, type ImageOp } from './disk-image.ts'
export { type DiskFaults, diskOf, type SimulatedDisk, type SimulatedDiskInit, simulatedDisk } from './simulated-disk.ts'
