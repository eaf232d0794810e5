import {
  assert,
  type Clock,
  type Journal,
  type JournalEvents,
  JournalFailed,
  type JournalOp,
  type JournalState,
  type Logger,
  type Random,
  type SnapshotId,
} from '@conclave/interface'
import { type Disk, errorCode, withoutSync } from './disk.ts'
import { GroupWriter, type Pending } from './group-writer.ts'
import { Health } from './health.ts'
import { makeDurableDirectory, nextIncarnation, readDirectory, stateOf } from './opening.ts'
import { checkOp, mostWriteBytes } from './operations.ts'
import type { Records, SegmentLedger } from './records.ts'
import { SegmentSupply } from './segment-supply.ts'
import { SnapshotBodies } from './snapshot-bodies.ts'

export interface Surroundings {
  readonly directory: string
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly segmentBytes: number
  readonly group: number
  readonly durability: 'disk' | 'memory'
}

/** What there is while the journal is open. */
interface Opened {
  readonly writer: GroupWriter
  readonly supply: SegmentSupply
  readonly bodies: SnapshotBodies
  readonly records: Records
  readonly ledger: SegmentLedger
  readonly disown: () => Promise<void>
}

export class FileJournal implements Journal {
  readonly #around: Surroundings
  readonly #disk: Disk
  #phase: 'new' | 'opening' | 'open' | 'failed' | 'closed' = 'new'
  #opened: Opened | undefined
  #failure: JournalFailed | undefined
  /** After a failure or `close`: when every earlier write has been told. */
  #drained: Promise<void> | undefined
  #closing: Promise<void> | undefined
  /** The body that the last write named, durable or not. */
  #named: SnapshotId | undefined
  /** Slots up to here were given up by a write, durable or not. */
  #compacted = 0
  /** A floor is on its way to the disk. */
  #reclaiming = false

  constructor(around: Surroundings) {
    this.#around = around
    this.#disk =
      around.durability === 'memory' ? withoutSync(around.disk, (run) => around.clock.defer(run)) : around.disk
  }

  async open(events: JournalEvents): Promise<JournalState> {
    assert(this.#phase === 'new', 'a journal is opened once')
    this.#phase = 'opening'
    const { directory, logger, durability } = this.#around
    if (durability === 'memory')
      logger.warn(
        { directory },
        'DURABILITY IS OFF: the journal does not sync, and a loss of power loses what was acknowledged. For tests only',
      )
    await makeDurableDirectory(this.#disk, directory, logger)
    const disown = await this.#disk.own(directory)
    try {
      return await this.#openOwned(events, disown)
    } catch (error) {
      this.#phase = 'closed'
      await this.#opened?.supply.close()
      await this.#opened?.writer.close()
      await disown()
      throw error
    }
  }

  async #openOwned(events: JournalEvents, disown: () => Promise<void>): Promise<JournalState> {
    const { directory, clock, logger, group, segmentBytes, random } = this.#around
    const disk = this.#disk
    const bodies = new SnapshotBodies(disk, directory, group)
    await bodies.make()
    const found = await readDirectory(disk, directory, group)
    const { records, ledger, last } = found
    const health = new Health((state) => events.disk(state))
    const incarnation = nextIncarnation(found.opening, random)
    const fail = (error: unknown): void => this.#fail(error)
    const supply = new SegmentSupply({
      disk,
      clock,
      logger,
      health,
      directory,
      group,
      incarnation,
      segmentBytes,
      nextIndex: found.nextIndex,
      fail,
      ready: () => writer.resume(),
    })
    const writer = new GroupWriter({
      ...{ disk, clock, health, supply, incarnation, records, ledger, fail },
      sequence: (last?.group.sequence ?? 1) - 1,
      hash: last?.group.previous ?? 0,
      durable: (writes) => this.#durable(writes),
    })
    this.#opened = { writer, supply, bodies, records, ledger, disown }
    this.#named = records.snapshot?.id
    this.#compacted = records.compacted
    await this.#copyLast(found)
    await bodies.recover(records.snapshot?.id)
    this.#phase = 'open'
    logger.info(
      { directory, groups: last?.group.sequence ?? 0, entries: found.entries.size, opening: found.opening + 1 },
      'the journal is open',
    )
    return stateOf(found)
  }

  /**
   * What was read may stand in the page cache only, or not even that safely: a process that was killed never synced it, and pages whose sync
   * failed read back clean. Only the last group can be such, since each one before it was synced before its successor was written. So it is
   * written anew, in a fresh segment, and synced, before anybody may rely on it.
   */
  async #copyLast({ last, ledger, empty, useless }: Awaited<ReturnType<typeof readDirectory>>): Promise<void> {
    const opened = this.#opened
    assert(opened !== undefined, 'the parts are there')
    const { writer, supply } = opened
    const body = last?.group.body ?? new Uint8Array()
    for (const path of empty) await this.#disk.remove(path)
    const room = writer.prepareCopy(body)
    // A full disk does not keep a node from starting, as long as there is room for this one group.
    const segment = await supply.make(room).catch((error: unknown) => {
      if (errorCode(error) !== 'ENOSPC') throw error
      return supply.make(room, 0)
    })
    assert(ledger.paths.at(-1) === segment.path, 'the copy goes where the ledger says')
    ledger.resize(segment.path, segment.bytes)
    await new Promise<void>((resolve, reject) => {
      writer.writeCopy(segment, (error) => (error === undefined ? resolve() : reject(error)))
    })
    for (const path of useless) await this.#disk.remove(path)
    // What was allocated after it will never be used.
    if (last === undefined || useless.includes(last.segment.path)) return
    await this.#disk.truncate(last.segment.path, last.end)
    ledger.resize(last.segment.path, last.end)
  }

  write(ops: readonly JournalOp[], done: (error?: Error) => void): void {
    const opened = this.#opened
    if (this.#phase !== 'open' || opened === undefined) {
      assert(this.#phase === 'failed' || this.#phase === 'closed', 'a journal is opened before it is written')
      const failure = this.#failure ?? new JournalFailed('the journal is closed')
      void (this.#drained ?? Promise.resolve()).then(() => done(failure))
      return
    }
    let bytes = 0
    let obsolete: SnapshotId | undefined
    for (const op of ops) {
      bytes += checkOp(op)
      if (op.type === 'put')
        assert(
          op.slot > this.#compacted,
          `slot ${op.slot} is set, but everything up to ${this.#compacted} was compacted`,
        )
      if (op.type === 'compactTo' && op.slot > this.#compacted) this.#compacted = op.slot
      if (op.type !== 'snapshot') continue
      assert(opened.bodies.isStaged(op.id), `snapshot ${op.id} is named before its body is staged`)
      opened.bodies.named(op.id)
      if (this.#named !== op.id) obsolete = this.#named
      this.#named = op.id
    }
    assert(bytes <= mostWriteBytes, `a write has at most ${mostWriteBytes} bytes, got ${bytes}`)
    opened.writer.write(obsolete === undefined ? { ops, bytes, done } : { ops, bytes, done, obsolete })
  }

  #durable(writes: readonly Pending[]): void {
    let compacted = false
    for (const write of writes) {
      write.done()
      if (write.obsolete !== undefined) this.#removeBody(write.obsolete)
      compacted ||= write.ops.some((op) => op.type === 'compactTo')
    }
    if (compacted) this.#reclaim()
  }

  #removeBody(id: SnapshotId): void {
    this.#opened?.bodies
      .remove(id)
      .catch((error: unknown) =>
        this.#around.logger.warn({ id, error }, 'an old snapshot could not be removed; the next start tries again'),
      )
  }

  /** Gives up the oldest segments if nothing in them is live: first the record that says so, then the files. */
  #reclaim(): void {
    const opened = this.#opened
    if (this.#reclaiming || this.#phase !== 'open' || opened === undefined) return
    const { ledger, records, writer } = opened
    const dead = ledger.dead(records.compacted)
    if (dead.length === 0) return
    this.#reclaiming = true
    ledger.drop(dead)
    writer.write({
      ops: [],
      bytes: 9,
      floor: ledger.first?.index ?? records.floor,
      done: (error) => {
        this.#reclaiming = false
        if (error !== undefined) return
        for (const { path } of dead)
          this.#disk
            .remove(path)
            .catch((reason: unknown) =>
              this.#around.logger.warn(
                { path, error: reason },
                'an old segment could not be removed; the next start tries again',
              ),
            )
        this.#reclaim()
      },
    })
  }

  /** Terminal: nothing may be assumed of what is on the disk. */
  #fail(error: unknown): void {
    if (this.#phase !== 'open' && this.#phase !== 'opening') return
    this.#phase = 'failed'
    const reason = error instanceof Error ? error.message : String(error)
    this.#failure = new JournalFailed(
      `the disk failed (${reason}): this node stops, since nothing can be said of its last writes until ${this.#around.directory} is opened anew`,
      { cause: error },
    )
    this.#around.logger.error({ directory: this.#around.directory, error }, 'the journal failed')
    this.#drained = this.#drain(this.#failure)
  }

  async #drain(failure: JournalFailed): Promise<void> {
    const writer = this.#opened?.writer
    writer?.stop()
    await writer?.settled()
    for (const write of writer?.takeUnwritten() ?? []) write.done(failure)
  }

  #body(): SnapshotBodies {
    assert(this.#opened !== undefined, 'a journal is opened before it is used')
    return this.#opened.bodies
  }

  async stage(id: SnapshotId, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    await this.#body().stage(id, body, signal)
  }

  async discard(id: SnapshotId): Promise<void> {
    await this.#body().discard(id)
  }

  readSnapshot(id: SnapshotId): AsyncIterable<Uint8Array> {
    return this.#body().read(id)
  }

  stats(): { readonly bytes: number; readonly groups: number; readonly syncs: number } {
    const writer = this.#opened?.writer
    return { bytes: this.#opened?.ledger.bytes ?? 0, groups: writer?.groups ?? 0, syncs: writer?.groups ?? 0 }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const opened = this.#opened
    const whole = this.#phase === 'open'
    if (whole) {
      this.#phase = 'closed'
      this.#drained = this.#drain(new JournalFailed('the journal was closed before this was written'))
    }
    await this.#drained
    if (opened === undefined || (this.#phase === 'closed' && !whole)) return
    if (whole) {
      opened.writer.mark()
      await opened.writer.settled()
    }
    await opened.supply.close()
    await opened.bodies.close()
    await opened.writer.close()
    await opened.disown()
  }
}
