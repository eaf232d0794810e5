import type { Chunks } from '@conclave/interface'

/** An open file of a `Disk`. Opaque to the journal. */
export interface DiskFile {
  readonly path: string
}

/**
 * The places from which the journal asks for durability, by name: so that a test can take each one away and see that data is then lost.
 * - `group`: a group of operations, before it is acknowledged.
 * - `segment`: header and allocation of a new segment, before a group goes there.
 * - `segment-entry`: its entry in the journal's directory.
 * - `snapshot`: a staged body, before it can be named; `snapshot-entry`: its entry in `snapshots/`.
 * - `parent`: the entry of the journal's directory in the directory above.
 */
export type SyncSite = 'group' | 'segment' | 'segment-entry' | 'snapshot' | 'snapshot-entry' | 'parent'

export type DiskDone = (error?: Error) => void

/**
 * All file access of the journal, so that tests can lose unsynced writes, reorder sectors, fill the disk and fail syncs. Errors carry
 * `code` as Node's do: `ENOSPC`, `EIO`, `ENOENT`. Callbacks never run before the call has returned.
 */
export interface Disk {
  /**
   * `write`, then `sync`, in one call: the hot path. A system can do it with one operation, and so wake the process once. After `ENOSPC` the
   * same bytes may be written there again; any other error says nothing about what is on the disk.
   */
  append(file: DiskFile, chunks: Chunks, offset: number, site: SyncSite, done: DiskDone): void
  /** Writes all of `chunks` at `offset`. The bytes do not change until `done`. */
  write(file: DiskFile, chunks: Chunks, offset: number, done: DiskDone): void
  /** `fdatasync`: everything written to `file` before this call survives a loss of power once `done` is called without an error. */
  sync(file: DiskFile, site: SyncSite, done: DiskDone): void
  /** `fsync` of a directory: the entries made or removed before survive. */
  syncDirectory(path: string, site: SyncSite): Promise<void>
  /** @throws EEXIST if it exists. Its parent exists. */
  makeDirectory(path: string): Promise<void>
  /** The names in a directory. @throws ENOENT. */
  list(path: string): Promise<string[]>
  /** What a path is; undefined if nothing is there. */
  kind(path: string): Promise<'file' | 'directory' | undefined>
  /** Creates a file to write and read. @throws EEXIST if it exists. */
  create(path: string): Promise<DiskFile>
  /** Opens a file to read. It stays readable after `remove`. @throws ENOENT. */
  open(path: string): Promise<DiskFile>
  /** Allocates `bytes` of zeros from the start of an empty file. @throws ENOSPC. */
  allocate(file: DiskFile, bytes: number): Promise<void>
  size(file: DiskFile): Promise<number>
  /** Up to `length` bytes; fewer only at the end of the file. */
  read(file: DiskFile, offset: number, length: number): Promise<Uint8Array>
  /** Cuts a file to `bytes`. */
  truncate(path: string, bytes: number): Promise<void>
  /** Harmless if it is not there. */
  remove(path: string): Promise<void>
  close(file: DiskFile): Promise<void>
  /**
   * Makes this process the one owner of a directory and returns what gives it up.
   * @throws DataDirectoryInUse if a live process, this one included, owns it.
   */
  own(directory: string): Promise<() => Promise<void>>
}

/** The `code` of a system error. */
export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** Joins path elements with `/`, which every platform that Node runs on understands. */
export const join = (directory: string, name: string): string =>
  directory.endsWith('/') ? `${directory}${name}` : `${directory}/${name}`

/** The directory above; `/` and `.` are their own ends. */
export const parentOf = (path: string): string => {
  const trimmed = path.replace(/\/+$/, '')
  if (trimmed === '' && path !== '') return '/'
  const cut = trimmed.lastIndexOf('/')
  if (cut > 0) return trimmed.slice(0, cut)
  return cut === 0 ? '/' : '.'
}

/** `write` and `sync` as promises, for where speed is no concern. */
export const writeAll = (disk: Disk, file: DiskFile, chunks: Chunks, offset: number): Promise<void> =>
  new Promise((resolve, reject) =>
    disk.write(file, chunks, offset, (error) => (error === undefined ? resolve() : reject(error))),
  )
export const syncFile = (disk: Disk, file: DiskFile, site: SyncSite): Promise<void> =>
  new Promise((resolve, reject) => disk.sync(file, site, (error) => (error === undefined ? resolve() : reject(error))))

/** The whole of a file. */
export const readFile = async (disk: Disk, path: string): Promise<Uint8Array> => {
  const file = await disk.open(path)
  try {
    return await disk.read(file, 0, await disk.size(file))
  } finally {
    await disk.close(file)
  }
}

/** The same disk with syncs that do nothing: what `durability: 'memory'` means. */
export const withoutSync = (disk: Disk, defer: (run: () => void) => void): Disk => ({
  append: (file, chunks, offset, _site, done) => disk.write(file, chunks, offset, done),
  write: (file, chunks, offset, done) => disk.write(file, chunks, offset, done),
  sync: (_file, _site, done) => defer(() => done()),
  syncDirectory: async () => {},
  makeDirectory: (path) => disk.makeDirectory(path),
  list: (path) => disk.list(path),
  kind: (path) => disk.kind(path),
  create: (path) => disk.create(path),
  open: (path) => disk.open(path),
  allocate: (file, bytes) => disk.allocate(file, bytes),
  size: (file) => disk.size(file),
  read: (file, offset, length) => disk.read(file, offset, length),
  truncate: (path, bytes) => disk.truncate(path, bytes),
  remove: (path) => disk.remove(path),
  close: (file) => disk.close(file),
  own: (directory) => disk.own(directory),
})
