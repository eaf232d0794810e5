/**
 * What a disk holds, with the difference between what a process reads and what survives: pure, so that a recorded history can be applied up
 * to any point and crashed there as often as one likes.
 */
import { assert, type Random } from '@conclave/interface'
import { parentOf } from './disk.ts'

const sector = 512

/** One change, in the order in which they were made. Files are numbered: a path may be removed and made again. */
export type ImageOp =
  | { readonly type: 'directory'; readonly path: string }
  | { readonly type: 'create'; readonly path: string; readonly file: number }
  | { readonly type: 'remove'; readonly path: string }
  | { readonly type: 'write'; readonly file: number; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly type: 'allocate'; readonly file: number; readonly length: number }
  | { readonly type: 'truncate'; readonly file: number; readonly length: number }
  | { readonly type: 'sync'; readonly file: number }
  /** A sync that failed: what it should have saved is gone for good, and yet reads back. */
  | { readonly type: 'lose'; readonly file: number }
  | { readonly type: 'syncDirectory'; readonly path: string }

type FileOp = Extract<ImageOp, { type: 'write' | 'allocate' | 'truncate' }>
type EntryOp = Extract<ImageOp, { type: 'directory' | 'create' | 'remove' }>

/** An array that grows. */
class Bytes {
  #bytes: Uint8Array
  length: number

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.length = bytes.length
  }

  resize(length: number): void {
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, this.#bytes.length * 2))
      grown.set(this.#bytes.subarray(0, this.length))
      this.#bytes = grown
    } else if (length < this.length) this.#bytes.fill(0, length, this.length)
    this.length = length
  }

  set(bytes: Uint8Array, offset: number): void {
    if (offset + bytes.length > this.length) this.resize(offset + bytes.length)
    this.#bytes.set(bytes, offset)
  }

  view(from = 0, to = this.length): Uint8Array {
    return this.#bytes.subarray(from, Math.min(to, this.length))
  }

  copy(): Bytes {
    return new Bytes(this.view().slice())
  }
}

interface FileImage {
  readonly durable: Bytes
  /** What a process reads. */
  readonly cache: Bytes
  pending: FileOp[]
}

const applyToBytes = (bytes: Bytes, op: FileOp): void => {
  if (op.type === 'write') bytes.set(op.bytes, op.offset)
  else if (op.type === 'truncate') bytes.resize(op.length)
  else if (op.length > bytes.length) bytes.resize(op.length)
}

/** Lets each sector of a write survive on its own, some of them only up to a byte within. Returns whether a part of it survived, and not all. */
const scatter = (bytes: Bytes, op: Extract<FileOp, { type: 'write' }>, odds: number, random: Random): boolean => {
  let survived = 0
  for (let from = 0; from < op.bytes.length; ) {
    const to = Math.min(op.bytes.length, from + sector - ((op.offset + from) % sector))
    if (random.next() < odds) {
      const torn = random.next() < 0.1 ? from + Math.floor(random.next() * (to - from)) : to
      if (torn > from) bytes.set(op.bytes.subarray(from, torn), op.offset + from)
      survived += torn - from
    }
    from = to
  }
  return survived > 0 && survived < op.bytes.length
}

type Entry = number | 'directory'

const applyToEntries = (entries: Map<string, Entry>, op: EntryOp): void => {
  if (op.type === 'remove') entries.delete(op.path)
  else entries.set(op.path, op.type === 'create' ? op.file : 'directory')
}

export class DiskImage {
  /** It came out of a crash with a part of some write. */
  torn = false
  readonly #files = new Map<number, FileImage>()
  readonly #durable = new Map<string, Entry>()
  readonly #cache = new Map<string, Entry>()
  #pending: EntryOp[] = []
  #nextFile = 1

  newFile(): number {
    return this.#nextFile++
  }

  entry(path: string): Entry | undefined {
    return path === '/' || path === '.' ? 'directory' : this.#cache.get(path)
  }

  names(directory: string): string[] {
    const prefix = directory.endsWith('/') ? directory : `${directory}/`
    const names: string[] = []
    for (const path of this.#cache.keys())
      if (path.startsWith(prefix) && !path.slice(prefix.length).includes('/')) names.push(path.slice(prefix.length))
    return names.sort()
  }

  /** Where a file stands now; undefined if it was removed. */
  pathOf(file: number): string | undefined {
    for (const [path, entry] of this.#cache) if (entry === file) return path
    return undefined
  }

  /** A view of what a process reads in a file. */
  read(file: number, from?: number, to?: number): Uint8Array {
    return this.#file(file).cache.view(from, to)
  }

  /** Bytes that the files take. */
  get used(): number {
    let used = 0
    for (const entry of this.#cache.values()) if (entry !== 'directory') used += this.#file(entry).cache.length
    return used
  }

  #file(file: number): FileImage {
    const found = this.#files.get(file)
    assert(found !== undefined, `file ${file} exists`)
    return found
  }

  apply(op: ImageOp): void {
    switch (op.type) {
      case 'directory':
      case 'create':
      case 'remove':
        if (op.type === 'create') {
          this.#files.set(op.file, {
            durable: new Bytes(new Uint8Array()),
            cache: new Bytes(new Uint8Array()),
            pending: [],
          })
          this.#nextFile = Math.max(this.#nextFile, op.file + 1)
        }
        applyToEntries(this.#cache, op)
        this.#pending.push(op)
        return
      case 'write':
      case 'allocate':
      case 'truncate': {
        const file = this.#file(op.file)
        applyToBytes(file.cache, op)
        file.pending.push(op)
        return
      }
      case 'sync': {
        const file = this.#file(op.file)
        for (const pending of file.pending) applyToBytes(file.durable, pending)
        file.pending = []
        return
      }
      case 'lose':
        this.#file(op.file).pending = []
        return
      case 'syncDirectory':
        this.#pending = this.#pending.filter((pending) => {
          if (parentOf(pending.path) !== op.path) return true
          applyToEntries(this.#durable, pending)
          return false
        })
    }
  }

  /**
   * The disk after a loss of power: what was synced, and of the rest a part that `random` picks: each directory entry and each sector on its own.
   * This image stays as it is.
   */
  crash(random: Random): DiskImage {
    const after = new DiskImage()
    const entries = new Map(this.#durable)
    const entryOdds = pickOdds(random)
    for (const op of this.#pending) if (random.next() < entryOdds) applyToEntries(entries, op)
    const reachable = (path: string): boolean =>
      parentOf(path) === path || (entries.get(path) === 'directory' && reachable(parentOf(path)))
    for (const [path, entry] of entries) {
      if (!reachable(parentOf(path))) continue
      after.#durable.set(path, entry)
      after.#cache.set(path, entry)
      if (entry !== 'directory') after.#files.set(entry, this.#survivor(entry, random, after))
    }
    after.#nextFile = this.#nextFile
    return after
  }

  #survivor(number: number, random: Random, after: DiskImage): FileImage {
    const file = this.#file(number)
    const durable = file.durable.copy()
    const odds = pickOdds(random)
    for (const op of file.pending) {
      if (op.type === 'write') after.torn = scatter(durable, op, odds, random) || after.torn
      else if (random.next() < odds) applyToBytes(durable, op)
    }
    return { durable, cache: durable.copy(), pending: [] }
  }
}

/** Often nothing or all of it, otherwise some. */
const pickOdds = (random: Random): number => ([0, 0.5, 0.9, 1] as const)[Math.floor(random.next() * 4)] ?? 1
