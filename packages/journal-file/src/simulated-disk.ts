import { type Clock, DataDirectoryInUse, type Random, seededRandom } from '@conclave/interface'
import type { Disk, DiskDone, DiskFile, SyncSite } from './disk.ts'
import { parentOf } from './disk.ts'
import { DiskImage, type ImageOp } from './disk-image.ts'

export interface SimulatedDiskInit {
  /** Decides what survives a crash, and latencies. Default: seeded with 0. */
  readonly random?: Random
  /** Virtual time in which operations complete. Without one they complete in a microtask. */
  readonly clock?: Clock
  /** The longest that an operation takes, in the clock's milliseconds; each takes a random part of it. Default 1. */
  readonly latencyMillis?: number
  /** Bytes that fit; beyond it `ENOSPC`. Default: no limit. */
  readonly capacity?: number
}

/** Faults to be switched on and off while the disk is in use. */
export interface DiskFaults {
  /** Bytes that fit. */
  capacity: number
  /** Syncs fail with EIO: what they should have saved is lost for good, and yet reads back. */
  failSync: boolean
  /** Writes fail with EIO. */
  failWrite: boolean
  /** Writes and syncs are held back while this is true, and go on when it is set to false by `release`. */
  hold: boolean
  /** Syncs at these places report success and do nothing: as if the call were missing in the code. */
  readonly skippedSyncs: Set<SyncSite>
}

/** A disk in memory that can lose what was not synced. */
export interface SimulatedDisk extends Disk {
  readonly faults: DiskFaults
  /** Every change and sync since this disk was made, in order. Applied to an empty `DiskImage` up to any point it gives the disk of that moment. */
  readonly trace: readonly ImageOp[]
  /** This disk came back from a loss of power with a part of some write that was not synced. */
  readonly torn: boolean
  /** Syncs that completed, by place. */
  readonly syncs: ReadonlyMap<SyncSite, number>
  /** Lets go what `faults.hold` held back, and holds no more. */
  release(): void
  /** Loss of power: nothing of this disk completes any more; the disk that comes back holds what survived. */
  crash(random?: Random): SimulatedDisk
  /** The process is killed, the machine goes on: nothing of this disk completes any more; the next one reads what this one read, synced or not. */
  kill(): SimulatedDisk
  /** Flips one bit of a file, on the disk and in what is read. */
  flip(path: string, offset: number, bit: number): void
  /**
   * Bit rot: flips a bit of something that was written and synced since this disk was made, but not of the last two writes to a file: damage there cannot be told
   * from a write that was torn. Returns where; undefined if nothing is old enough.
   */
  rot(random?: Random): string | undefined
  /** What a process reads in a file. */
  contents(path: string): Uint8Array
}

interface SimulatedFile extends DiskFile {
  readonly file: number
}

const failure = (code: string, what: string): Error => Object.assign(new Error(`${code}: ${what}`), { code })
const numberOf = (file: DiskFile): number => (file as SimulatedFile).file

class Simulation {
  readonly image: DiskImage
  readonly trace: ImageOp[] = []
  readonly syncs = new Map<SyncSite, number>()
  readonly faults: DiskFaults
  readonly #init: SimulatedDiskInit
  readonly #owned = new Set<string>()
  readonly #held: (() => void)[] = []
  dead = false

  constructor(init: SimulatedDiskInit, image: DiskImage) {
    this.#init = init
    this.image = image
    this.faults = {
      capacity: init.capacity ?? Number.POSITIVE_INFINITY,
      failSync: false,
      failWrite: false,
      hold: false,
      skippedSyncs: new Set(),
    }
  }

  get random(): Random {
    return this.#init.random ?? fallback
  }

  record(op: ImageOp): void {
    this.image.apply(op)
    this.trace.push(op)
  }

  later(run: () => void): void {
    const live = (): void => {
      if (!this.dead) run()
    }
    const { clock, latencyMillis = 1 } = this.#init
    if (clock === undefined) queueMicrotask(live)
    else clock.after(this.random.next() * latencyMillis, live)
  }

  /** Like `later`, but it can be held back. */
  hot(run: () => void): void {
    this.later(() => {
      if (this.faults.hold) this.#held.push(run)
      else run()
    })
  }

  release(): void {
    this.faults.hold = false
    for (const run of this.#held.splice(0)) this.later(run)
  }

  turn<T>(run: () => T): Promise<T> {
    return new Promise((resolve, reject) =>
      this.later(() => {
        try {
          resolve(run())
        } catch (error) {
          reject(error)
        }
      }),
    )
  }

  write(file: number, chunks: readonly Uint8Array[], offset: number, done: DiskDone): void {
    if (this.faults.failWrite) {
      this.hot(() => done(failure('EIO', 'write')))
      return
    }
    let length = 0
    for (const chunk of chunks) length += chunk.length
    if (this.#lacks(file, offset + length)) {
      this.hot(() => done(failure('ENOSPC', 'write')))
      return
    }
    const bytes = new Uint8Array(length)
    let at = 0
    for (const chunk of chunks) {
      bytes.set(chunk, at)
      at += chunk.length
    }
    this.record({ type: 'write', file, offset, bytes })
    this.hot(() => done())
  }

  #lacks(file: number, length: number): boolean {
    if (this.faults.capacity === Number.POSITIVE_INFINITY) return false
    const more = length - this.image.read(file).length
    return more > 0 && this.image.used + more > this.faults.capacity
  }

  allocate(file: number, length: number): void {
    if (this.#lacks(file, length)) throw failure('ENOSPC', 'allocate')
    this.record({ type: 'allocate', file, length })
  }

  sync(file: number, site: SyncSite, done: DiskDone): void {
    this.hot(() => {
      if (this.faults.failSync) {
        this.record({ type: 'lose', file })
        done(failure('EIO', 'fdatasync'))
        return
      }
      this.#count(site)
      if (!this.faults.skippedSyncs.has(site)) this.record({ type: 'sync', file })
      done()
    })
  }

  syncDirectory(path: string, site: SyncSite): void {
    if (this.faults.failSync) throw failure('EIO', 'fsync of a directory')
    if (this.image.entry(path) !== 'directory') throw failure('ENOENT', path)
    this.#count(site)
    if (!this.faults.skippedSyncs.has(site)) this.record({ type: 'syncDirectory', path })
  }

  #count(site: SyncSite): void {
    this.syncs.set(site, (this.syncs.get(site) ?? 0) + 1)
  }

  fileAt(path: string): number {
    const entry = this.image.entry(path)
    if (typeof entry !== 'number') throw failure('ENOENT', path)
    return entry
  }

  make(op: Extract<ImageOp, { type: 'directory' | 'create' }>): void {
    if (this.image.entry(op.path) !== undefined) throw failure('EEXIST', op.path)
    if (this.image.entry(parentOf(op.path)) !== 'directory') throw failure('ENOENT', op.path)
    this.record(op)
  }

  own(directory: string): () => Promise<void> {
    if (this.#owned.has(directory)) throw new DataDirectoryInUse(`${directory} is in use on this simulated disk`)
    this.#owned.add(directory)
    return async () => {
      this.#owned.delete(directory)
    }
  }

  /** Synced writes that later ones to the same file follow, of files that are still there. */
  #old(): Extract<ImageOp, { type: 'write' }>[] {
    const old: Extract<ImageOp, { type: 'write' }>[] = []
    const later = new Map<number, { writes: number; synced: boolean }>()
    for (let at = this.trace.length - 1; at >= 0; at--) {
      const op = this.trace[at]
      if (op?.type !== 'write' && op?.type !== 'sync') continue
      const seen = later.get(op.file) ?? { writes: 0, synced: false }
      later.set(op.file, seen)
      if (op.type === 'sync') seen.synced = true
      else if (++seen.writes > 2 && seen.synced && op.bytes.length > 0) old.push(op)
    }
    return old.filter(({ file }) => this.image.pathOf(file) !== undefined)
  }

  rot(random: Random): string | undefined {
    const old = this.#old()
    const hit = old[Math.floor(random.next() * old.length)]
    const path = hit && this.image.pathOf(hit.file)
    if (hit === undefined || path === undefined) return undefined
    const offset = hit.offset + Math.floor(random.next() * hit.bytes.length)
    this.flip(hit.file, offset, Math.floor(random.next() * 8))
    return `${path} at ${offset}`
  }

  flip(file: number, offset: number, bit: number): void {
    const byte = this.image.read(file, offset, offset + 1)[0] ?? 0
    this.record({ type: 'write', file, offset, bytes: Uint8Array.of(byte ^ (1 << bit)) })
    this.record({ type: 'sync', file })
  }

  /** Power is lost, or the process: this disk goes dumb. */
  end(image: DiskImage): SimulatedDisk {
    this.dead = true
    return around(new Simulation(this.#init, image))
  }
}

const fallback = seededRandom(0)

const around = (sim: Simulation): SimulatedDisk => ({
  faults: sim.faults,
  trace: sim.trace,
  syncs: sim.syncs,
  torn: sim.image.torn,
  release: () => sim.release(),
  crash: (random = sim.random) => sim.end(sim.image.crash(random)),
  kill: () => sim.end(sim.image),
  flip: (path, offset, bit) => sim.flip(sim.fileAt(path), offset, bit),
  rot: (random = sim.random) => sim.rot(random),
  contents: (path) => sim.image.read(sim.fileAt(path)).slice(),
  append: (file, chunks, offset, site, done) =>
    sim.write(numberOf(file), chunks, offset, (error) => {
      if (error === undefined) sim.sync(numberOf(file), site, done)
      else done(error)
    }),
  write: (file, chunks, offset, done) => sim.write(numberOf(file), chunks, offset, done),
  sync: (file, site, done) => sim.sync(numberOf(file), site, done),
  syncDirectory: (path, site) => sim.turn(() => sim.syncDirectory(path, site)),
  makeDirectory: (path) => sim.turn(() => sim.make({ type: 'directory', path })),
  list: (path) =>
    sim.turn(() => {
      if (sim.image.entry(path) !== 'directory') throw failure('ENOENT', path)
      return sim.image.names(path)
    }),
  kind: (path) =>
    sim.turn(() => {
      const entry = sim.image.entry(path)
      return entry === undefined ? undefined : entry === 'directory' ? 'directory' : 'file'
    }),
  create: (path) =>
    sim.turn(() => {
      const file = sim.image.newFile()
      sim.make({ type: 'create', path, file })
      return { path, file }
    }),
  open: (path) => sim.turn(() => ({ path, file: sim.fileAt(path) })),
  allocate: (file, bytes) => sim.turn(() => sim.allocate(numberOf(file), bytes)),
  size: (file) => sim.turn(() => sim.image.read(numberOf(file)).length),
  read: (file, offset, length) => sim.turn(() => sim.image.read(numberOf(file), offset, offset + length).slice()),
  truncate: (path, bytes) => sim.turn(() => sim.record({ type: 'truncate', file: sim.fileAt(path), length: bytes })),
  remove: (path) =>
    sim.turn(() => {
      if (sim.image.entry(path) !== undefined) sim.record({ type: 'remove', path })
    }),
  close: () => sim.turn(() => {}),
  own: (directory) => sim.turn(() => sim.own(directory)),
})

/** A disk in memory that loses, tears and reorders what was not synced, fills up and fails on demand. Deterministic: the same seed gives the same disk. */
export const simulatedDisk = (init: SimulatedDiskInit = {}): SimulatedDisk =>
  around(new Simulation(init, new DiskImage()))

/** A disk that comes back with what `image` holds. */
export const diskOf = (image: DiskImage, init: SimulatedDiskInit = {}): SimulatedDisk =>
  around(new Simulation(init, image))
