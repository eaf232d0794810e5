/**
 * Snapshot bodies, each a file `snapshots/ID`: a header, then records { length u32, crc u32, bytes }, then a record of length 0 whose
 * bytes are the total (u53). Each checksum continues the one before, so that no record can be lost or swapped unseen.
 */
import {
  assert,
  ByteReader,
  ByteWriter,
  type Chunks,
  CorruptJournal,
  chunksLength,
  JournalFailed,
  MalformedBytes,
  type SnapshotId,
  snapshotId,
} from '@conclave/interface'
import { crc32c } from './crc32c.ts'
import { type Disk, type DiskFile, errorCode, join, syncFile, writeAll } from './disk.ts'
import { formatVersion } from './format.ts'

const magic = new TextEncoder().encode('CNCLVSNP')
const headerBytes = 16
const trailerBytes = 16
const mostRecordBytes = 256 * 1024
const coalesceTo = 128 * 1024

type BodyState = 'staging' | 'staged' | 'named'

const encodeHeader = (group: number): Uint8Array =>
  new ByteWriter(headerBytes).raw(magic).u32(formatVersion).u32(group).take()

/** The same, but an abort ends it also while the body itself waits. */
async function* until(signal: AbortSignal, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted()
  const source = body[Symbol.asyncIterator]()
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason)
  })
  aborted.catch(() => {})
  signal.addEventListener('abort', onAbort)
  try {
    for (;;) {
      const next = await Promise.race([source.next(), aborted])
      if (next.done === true) return
      yield next.value
    }
  } catch (error) {
    source.return?.().catch(() => {})
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Pieces of at most 256 KiB, small ones gathered. */
async function* inRecords(body: AsyncIterable<Uint8Array>): AsyncGenerator<Chunks> {
  let gathered: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + mostRecordBytes - length)
      gathered.push(piece)
      length += piece.length
      at += piece.length
      if (length < coalesceTo) continue
      yield gathered
      gathered = []
      length = 0
    }
  }
  if (length > 0) yield gathered
}

export class SnapshotBodies {
  readonly #disk: Disk
  readonly #directory: string
  readonly #group: number
  readonly #bodies = new Map<SnapshotId, BodyState>()
  readonly #stages = new Set<Promise<void>>()
  readonly #closing = new AbortController()

  constructor(disk: Disk, directory: string, group: number) {
    this.#disk = disk
    this.#directory = join(directory, 'snapshots')
    this.#group = group
  }

  #path(id: SnapshotId): string {
    return join(this.#directory, snapshotId(id))
  }

  /** Makes the directory if it is not there. Its entry becomes durable with the next sync of the directory above. */
  async make(): Promise<void> {
    if ((await this.#disk.kind(this.#directory)) === undefined) await this.#disk.makeDirectory(this.#directory)
  }

  /** Removes what is not named, and checks that what is named is there. @throws CorruptJournal. */
  async recover(named: SnapshotId | undefined): Promise<void> {
    for (const name of await this.#disk.list(this.#directory))
      if (name !== named) await this.#disk.remove(join(this.#directory, name))
    if (named === undefined) return
    this.#bodies.set(named, 'named')
    if ((await this.#disk.kind(this.#path(named))) === undefined)
      throw new CorruptJournal(
        `The journal names snapshot ${named}, but ${this.#path(named)} is missing: remove the node from the cluster, set its data directory aside, and add it anew under a new identity.`,
      )
  }

  /** True if `id` can be named. */
  isStaged(id: SnapshotId): boolean {
    const state = this.#bodies.get(id)
    return state === 'staged' || state === 'named'
  }

  named(id: SnapshotId): void {
    this.#bodies.set(id, 'named')
  }

  /** See `Journal.stage`. */
  stage(id: SnapshotId, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    snapshotId(id)
    assert(!this.#bodies.has(id), `snapshot ${id} is staged or named already: every body needs an id of its own`)
    this.#bodies.set(id, 'staging')
    const staging = this.#write(id, body, AbortSignal.any([signal, this.#closing.signal])).then(
      () => {
        this.#bodies.set(id, 'staged')
      },
      async (error: unknown) => {
        await this.#disk.remove(this.#path(id)).catch(() => {})
        this.#bodies.delete(id)
        throw error
      },
    )
    const settled = staging.catch(() => {}).finally(() => this.#stages.delete(settled))
    this.#stages.add(settled)
    return staging
  }

  async #write(id: SnapshotId, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const file = await this.#disk.create(this.#path(id))
    try {
      await writeAll(this.#disk, file, [encodeHeader(this.#group)], 0)
      let offset = headerBytes
      let total = 0
      let crc = 0
      for await (const chunks of inRecords(until(signal, body))) {
        const length = chunksLength(chunks)
        for (const chunk of chunks) crc = crc32c(chunk, crc)
        await writeAll(this.#disk, file, [new ByteWriter(8).u32(length).u32(crc).take(), ...chunks], offset)
        offset += 8 + length
        total += length
      }
      const end = new ByteWriter(8).u53(total).take()
      await writeAll(this.#disk, file, [new ByteWriter(8).u32(0).u32(crc32c(end, crc)).take(), end], offset)
      signal.throwIfAborted()
      await syncFile(this.#disk, file, 'snapshot')
      await this.#disk.syncDirectory(this.#directory, 'snapshot-entry')
      signal.throwIfAborted()
    } finally {
      await this.#disk.close(file)
    }
  }

  /** Removes a body that is not named. */
  async discard(id: SnapshotId): Promise<void> {
    assert(this.#bodies.get(id) !== 'named', `snapshot ${id} is named: it goes when another one is`)
    if (this.#bodies.get(id) !== 'staged') return
    await this.remove(id)
  }

  async remove(id: SnapshotId): Promise<void> {
    await this.#disk.remove(this.#path(id))
    this.#bodies.delete(id)
  }

  /** See `Journal.readSnapshot`. */
  async *read(id: SnapshotId): AsyncGenerator<Uint8Array> {
    let file: DiskFile
    try {
      file = await this.#disk.open(this.#path(id))
    } catch (error) {
      if (errorCode(error) === 'ENOENT') throw new JournalFailed(`there is no snapshot body ${id}`, { cause: error })
      throw error
    }
    try {
      yield* this.#records(file)
    } catch (error) {
      if (error instanceof MalformedBytes) throw new CorruptJournal(`${file.path} is damaged: ${error.message}`)
      throw error
    } finally {
      await this.#disk.close(file)
    }
  }

  /** One record behind, so that the last one is handed over only when the total has been checked. */
  async *#records(file: DiskFile): AsyncGenerator<Uint8Array> {
    const header = await this.#disk.read(file, 0, headerBytes)
    if (encodeHeader(this.#group).some((byte, at) => header[at] !== byte))
      throw new MalformedBytes('its header is not that of a body of this journal')
    let offset = headerBytes
    let crc = 0
    let total = 0
    let held: Uint8Array | undefined
    for (;;) {
      const head = new ByteReader(await this.#disk.read(file, offset, 8))
      const length = head.u32()
      const expected = head.u32()
      if (length > mostRecordBytes) throw new MalformedBytes(`a record of ${length} bytes at offset ${offset}`)
      const bytes = await this.#disk.read(file, offset + 8, length === 0 ? trailerBytes - 8 : length)
      crc = crc32c(bytes, crc)
      if (crc !== expected) throw new MalformedBytes(`the checksum of the record at offset ${offset} does not hold`)
      if (length === 0) {
        if (new ByteReader(bytes).u53() !== total)
          throw new MalformedBytes(`it ends after ${total} bytes, which is not its length`)
        if (held !== undefined) yield held
        return
      }
      if (bytes.length !== length) throw new MalformedBytes(`it is cut at offset ${offset}`)
      if (held !== undefined) yield held
      held = bytes
      total += length
      offset += 8 + length
    }
  }

  /** Ends every staging that is under way. */
  async close(): Promise<void> {
    this.#closing.abort(
      new JournalFailed('the journal was closed while a snapshot was being staged: its body is removed'),
    )
    await Promise.all(this.#stages)
  }
}
