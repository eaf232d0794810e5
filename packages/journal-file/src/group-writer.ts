import { assert, type Cancel, type Clock, type JournalOp, type SnapshotId } from '@conclave/interface'
import { type Disk, errorCode } from './disk.ts'
import { encodeMark, groupKind, sectorBytes } from './format.ts'
import { type EncodedGroup, GroupEncoder } from './group-encoder.ts'
import type { Health } from './health.ts'
import { visitOps } from './operations.ts'
import type { Records, SegmentLedger } from './records.ts'
import { retryMillis, roomIn, type Segment, type SegmentSupply } from './segment-supply.ts'

/** What waits to be written: a caller's operations, or the journal's own floor. */
export interface Pending {
  readonly ops: readonly JournalOp[]
  /** What they take on disk, about. */
  readonly bytes: number
  readonly floor?: number
  /** The body that nothing names any more once this is durable. */
  readonly obsolete?: SnapshotId
  done(error?: Error): void
}

/** Writes are gathered into one group up to about this many bytes of payload; a larger write has a group of its own. */
const mostGatheredBytes = 4 << 20
const watchMillis = 1000

export interface WriterInit {
  readonly disk: Disk
  readonly clock: Clock
  readonly health: Health
  readonly supply: SegmentSupply
  readonly incarnation: bigint
  readonly records: Records
  readonly ledger: SegmentLedger
  /** The group before the first one that this writer writes. */
  readonly sequence: number
  readonly hash: number
  /** A group is durable. Runs after the next one has been started. */
  durable(writes: readonly Pending[]): void
  fail(error: unknown): void
}

/** Group commit: one write in flight, one sync per group; what arrives meanwhile joins the next. */
export class GroupWriter {
  readonly #init: WriterInit
  readonly #encoder = new GroupEncoder()
  readonly #queue: Pending[] = []
  #segment: Segment | undefined
  /** Where the next group goes. */
  #at = 0
  #sequence: number
  #hash: number
  #flight: { readonly writes: readonly Pending[]; readonly group: EncodedGroup; readonly since: number } | undefined
  #marking = false
  #marked = true
  #starved = false
  #stopped = false
  #watch: Cancel | undefined
  #retry: Cancel | undefined
  readonly #idle: (() => void)[] = []
  /** In flight when the disk failed. */
  #lost: Pending[] = []
  groups = 0

  constructor(init: WriterInit) {
    this.#init = init
    this.#sequence = init.sequence
    this.#hash = init.hash
  }

  get #busy(): boolean {
    return this.#flight !== undefined || this.#marking
  }

  write(pending: Pending): void {
    this.#queue.push(pending)
    this.#pump()
  }

  /**
   * The first group of an opening: a copy of the last one found, for a fresh segment. It takes the place of that group in the sequence.
   * Its records are those that every segment begins with. @returns the room that it needs.
   */
  prepareCopy(body: Uint8Array): number {
    const { records } = this.#init
    this.#encoder.begin()
    this.#encoder.records(records)
    visitOps(body, (op) => {
      if (op.type === 'truncateFrom') this.#encoder.add(op)
      else if (op.type === 'put' && op.slot > records.compacted) this.#encoder.add({ ...op, bytes: [op.bytes] })
    })
    return this.#encoder.size
  }

  /** Writes what `prepareCopy` prepared. */
  writeCopy(segment: Segment, done: (error?: Error) => void): void {
    this.#enter(segment)
    this.#launch([{ ops: [], bytes: 0, done }])
  }

  /** A segment has come for the group that waits. */
  resume(): void {
    this.#starved = false
    this.#pump()
  }

  #pump(): void {
    if (this.#busy || this.#starved || this.#stopped || this.#queue.length === 0) return
    const count = this.#gather()
    this.#encode(count, false)
    if (this.#segment === undefined || this.#at + this.#encoder.size > this.#end) {
      this.#encode(count, true)
      const segment = this.#init.supply.take(this.#encoder.size)
      if (segment === undefined) {
        this.#starved = true
        return
      }
      this.#rotate(segment)
    }
    const writes = this.#queue.splice(0, count)
    this.#follow(writes)
    this.#launch(writes)
  }

  /** How many of the waiting writes the next group takes. */
  #gather(): number {
    let count = 0
    let bytes = 0
    for (const write of this.#queue) {
      bytes += write.bytes
      if (count > 0 && bytes > mostGatheredBytes) break
      count++
    }
    return count
  }

  #encode(count: number, first: boolean): void {
    this.#encoder.begin()
    if (first) this.#encoder.records(this.#init.records)
    for (let i = 0; i < count; i++) {
      const write = this.#queue[i]
      if (write?.floor !== undefined) this.#encoder.floor(write.floor)
      for (const op of write?.ops ?? []) this.#encoder.add(op)
    }
  }

  /** The live records and the ledger as they will be with these writes, which is what the next segment begins with. */
  #follow(writes: readonly Pending[]): void {
    const { records, ledger } = this.#init
    for (const write of writes) {
      if (write.floor !== undefined) records.apply({ type: 'floor', index: write.floor })
      for (const op of write.ops) {
        ledger.apply(op)
        if (op.type === 'meta') records.apply({ type: 'meta', bytes: op.bytes.slice() })
        else if (op.type === 'snapshot') records.apply({ ...op, header: op.header.slice() })
        else records.apply(op)
      }
    }
  }

  get #end(): number {
    return this.#segment === undefined ? 0 : sectorBytes + roomIn(this.#segment)
  }

  #enter(segment: Segment): void {
    this.#segment = segment
    this.#at = sectorBytes
  }

  #rotate(segment: Segment): void {
    const old = this.#segment
    this.#enter(segment)
    this.#init.ledger.begin(segment)
    // Everything in it is synced; an error in closing it says nothing about that.
    if (old !== undefined) this.#init.disk.close(old.file).catch(() => {})
  }

  #launch(writes: readonly Pending[]): void {
    const { clock, incarnation } = this.#init
    const group = this.#encoder.finish({
      kind: groupKind.group,
      incarnation,
      sequence: this.#sequence + 1,
      previous: this.#hash,
    })
    this.#flight = { writes, group, since: clock.now() }
    this.#marked = false
    this.#watchOver()
    this.#put(group)
  }

  #put(group: EncodedGroup): void {
    const segment = this.#segment
    assert(segment !== undefined && this.#at + group.size <= this.#end, 'a group lies within its segment')
    const { disk, clock, health } = this.#init
    disk.append(segment.file, group.chunks, this.#at, 'group', (error) => {
      if (error !== undefined && errorCode(error) === 'ENOSPC' && !this.#stopped) {
        // Allocated, and yet no room (a file system that copies on write): nothing is acknowledged, the same bytes are written again.
        health.set('no-room-for-group', true)
        this.#retry = clock.after(retryMillis, () => {
          this.#retry = undefined
          this.#put(group)
        })
      } else this.#landed(error)
    })
  }

  #landed(error?: Error): void {
    const flight = this.#flight
    assert(flight !== undefined, 'a write that ends was in flight')
    this.#flight = undefined
    if (error !== undefined) {
      this.#lost = [...flight.writes]
      this.#init.fail(error)
      this.#settle()
      return
    }
    this.#at += flight.group.size
    this.#sequence++
    this.#hash = flight.group.crc
    this.groups++
    this.#init.health.set('slow', false)
    this.#init.health.set('no-room-for-group', false)
    this.#pump()
    if (this.#at > this.#end / 2 && !this.#stopped) this.#init.supply.prepare()
    this.#init.durable(flight.writes)
    this.#settle()
  }

  /** Tells those who wait for the flight to end. */
  #settle(): void {
    if (!this.#busy) for (const wake of this.#idle.splice(0)) wake()
  }

  /** One timer, once a second while there is something to watch: a write that hangs, or a last group without a mark. */
  #watchOver(): void {
    if (this.#watch !== undefined || this.#stopped) return
    const { clock, health } = this.#init
    this.#watch = clock.after(watchMillis, () => {
      this.#watch = undefined
      const flight = this.#flight
      if (flight !== undefined) {
        if (clock.now() - flight.since >= watchMillis) health.set('slow', true)
        this.#watchOver()
      } else if (!this.#marked) this.mark()
    })
  }

  /**
   * Writes, where the next group will stand, that the last group was synced: damage to it can then be told from a torn tail. It is not synced
   * itself: if it is lost, so is only that distinction.
   */
  mark(): void {
    const segment = this.#segment
    if (this.#busy || this.#marked || segment === undefined) return
    this.#marking = true
    this.#marked = true
    this.#init.disk.write(
      segment.file,
      [encodeMark(this.#init.incarnation, this.#sequence, this.#hash)],
      this.#at,
      (error) => {
        this.#marking = false
        if (error !== undefined && errorCode(error) !== 'ENOSPC') this.#init.fail(error)
        this.#pump()
        this.#settle()
      },
    )
  }

  /** Starts nothing any more. */
  stop(): void {
    this.#stopped = true
    this.#watch?.()
    this.#watch = undefined
    this.#giveUpRetry()
  }

  #giveUpRetry(): void {
    if (this.#retry === undefined) return
    this.#retry()
    this.#retry = undefined
    this.#lost = [...(this.#flight?.writes ?? [])]
    this.#flight = undefined
  }

  /** When no write is in flight. */
  async settled(): Promise<void> {
    if (this.#busy) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  /** After `stop` and `settled`: the writes that will never be durable for sure, in their order. */
  takeUnwritten(): readonly Pending[] {
    return [...this.#lost.splice(0), ...this.#queue.splice(0)]
  }

  /** Releases the file, once nothing is in flight. */
  async close(): Promise<void> {
    if (this.#segment !== undefined) await this.#init.disk.close(this.#segment.file)
  }
}
