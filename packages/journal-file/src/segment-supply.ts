import type { Cancel, Clock, Logger } from '@conclave/interface'
import { type Disk, type DiskFile, errorCode, join, syncFile, writeAll } from './disk.ts'
import { encodeSegmentHeader, formatVersion, roundUp, sectorBytes } from './format.ts'
import type { Health } from './health.ts'
import { nameOfSegment } from './segment-file.ts'

export interface Segment {
  readonly index: number
  readonly path: string
  readonly file: DiskFile
  readonly bytes: number
}

/** Between two attempts to make a segment, or to write a group, on a full disk. */
export const retryMillis = 500

/** What a segment needs besides its groups: the header, and room for a mark. */
const overhead = 2 * sectorBytes
export const roomIn = (segment: Segment): number => segment.bytes - overhead

export interface SupplyInit {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  readonly health: Health
  readonly directory: string
  readonly group: number
  readonly incarnation: bigint
  readonly segmentBytes: number
  readonly nextIndex: number
  /** A segment is there for which `take` had found none. */
  ready(): void
  /** The disk fails: terminal. */
  fail(error: unknown): void
}

/** Makes segments, one ahead of their need: allocated, headed, and durable with their directory entry before a group goes there. */
export class SegmentSupply {
  readonly #init: SupplyInit
  #nextIndex: number
  #spare: Segment | undefined
  #making: Promise<void> | undefined
  /** The least room that a waiting group needs. */
  #wanted = 0
  #waiting = false
  #closed = false
  #retry: { readonly cancel: Cancel; readonly wake: () => void } | undefined

  constructor(init: SupplyInit) {
    this.#init = init
    this.#nextIndex = init.nextIndex
  }

  /** A segment with room for `bytes`; undefined if none is ready: `ready` is called when there is one. */
  take(bytes: number): Segment | undefined {
    const spare = this.#spare
    if (spare !== undefined && roomIn(spare) >= bytes) {
      this.#spare = undefined
      this.#waiting = false
      this.#wanted = 0
      return spare
    }
    this.#waiting = true
    this.#wanted = bytes
    this.prepare()
    return undefined
  }

  /** Starts to make the next segment in the background, unless there is one or one is in the making. */
  prepare(): void {
    if (this.#closed || this.#making !== undefined || this.#suits(this.#spare)) return
    this.#making = this.#keepTrying().then(
      () => this.#made(),
      (error: unknown) => {
        this.#making = undefined
        if (!this.#closed) this.#init.fail(error)
      },
    )
  }

  #suits(spare: Segment | undefined): boolean {
    return spare !== undefined && roomIn(spare) >= this.#wanted
  }

  #made(): void {
    this.#making = undefined
    if (this.#closed) return
    if (this.#waiting && !this.#suits(this.#spare)) this.prepare()
    else if (this.#waiting) this.#init.ready()
  }

  async #keepTrying(): Promise<void> {
    await this.#discardSpare()
    while (!this.#closed) {
      try {
        this.#spare = await this.make(this.#wanted)
        this.#init.health.set('no-segment', false)
        return
      } catch (error) {
        if (errorCode(error) !== 'ENOSPC') throw error
        this.#init.logger.error(
          { directory: this.#init.directory },
          'the disk is full: writes wait until there is room for another journal segment',
        )
        this.#init.health.set('no-segment', true)
        await this.#pause()
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#retry = { wake: resolve, cancel: this.#init.clock.after(retryMillis, resolve) }
    })
  }

  /** A segment that is too small for the group that waits. Its index is passed over: groups go to segments in the order of the indices. */
  async #discardSpare(): Promise<void> {
    const spare = this.#spare
    if (spare === undefined) return
    this.#spare = undefined
    await this.#init.disk.close(spare.file)
    await this.#init.disk.remove(spare.path)
  }

  /** Makes one segment of `segmentBytes`, or more if `bytes` need it. @throws ENOSPC, with nothing left behind. */
  async make(bytes: number, segmentBytes = this.#init.segmentBytes): Promise<Segment> {
    const { disk, directory, group, incarnation } = this.#init
    const index = this.#nextIndex
    const path = join(directory, nameOfSegment(index))
    const size = Math.max(roundUp(segmentBytes), roundUp(bytes) + overhead)
    const file = await disk.create(path)
    try {
      await disk.allocate(file, size)
      await writeAll(disk, file, [encodeSegmentHeader({ version: formatVersion, group, incarnation, index })], 0)
      // A torn header before a whole group would look like damage: so it is durable before the first group.
      await syncFile(disk, file, 'segment')
      await disk.syncDirectory(directory, 'segment-entry')
    } catch (error) {
      await disk.close(file)
      await disk.remove(path)
      throw error
    }
    this.#nextIndex++
    return { index, path, file, bytes: size }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#retry?.cancel()
    this.#retry?.wake()
    await this.#making
    await this.#discardSpare()
  }
}
