import * as fs from 'node:fs'
import { promisify } from 'node:util'
import type { Chunks } from '@conclave/interface'
import { type Disk, type DiskDone, type DiskFile, errorCode } from './disk.ts'
import { ownDirectory } from './owner.ts'

interface NodeFile extends DiskFile {
  readonly fd: number
  /** The same file, opened so that a write returns when it is durable. */
  durableFd?: number
}

const fdOf = (file: DiskFile): number => (file as NodeFile).fd
const openFile = promisify(fs.open)
const closeFile = promisify(fs.close)
const statFile = promisify(fs.fstat)
const syncFd = promisify(fs.fsync)
/** Zeros are written in pieces, so that a group's write never waits long behind them for a thread of the pool. */
const zeros = new Uint8Array(1 << 20)

/** What is left of `chunks` after the first `count` bytes. */
const skip = (chunks: Chunks, count: number): Uint8Array[] => {
  const left: Uint8Array[] = []
  let over = count
  for (const chunk of chunks) {
    if (over < chunk.length) left.push(over === 0 ? chunk : chunk.subarray(over))
    over = Math.max(0, over - chunk.length)
  }
  return left
}

/** Repeats a short write, which the system is free to make, until all is written. */
const writeChunks = (fd: number, chunks: Chunks, offset: number, done: DiskDone): void => {
  const after = (error: Error | null, written: number, total: number): void => {
    if (error !== null) done(error)
    else if (written >= total) done()
    else if (written === 0) done(new Error('the system wrote nothing and gave no reason'))
    else writeChunks(fd, skip(chunks, written), offset + written, done)
  }
  const [only] = chunks
  if (chunks.length === 1 && only !== undefined) {
    fs.write(fd, only, 0, only.length, offset, (error, written) => after(error, written, only.length))
    return
  }
  let total = 0
  for (const chunk of chunks) total += chunk.length
  fs.writev(fd, chunks as Uint8Array[], offset, (error, written) => after(error, written, total))
}

const readAt = promisify(fs.read) as unknown as (
  fd: number,
  into: Uint8Array,
  at: number,
  length: number,
  offset: number,
) => Promise<{ bytesRead: number }>

const readWhole = async (fd: number, offset: number, length: number): Promise<Uint8Array> => {
  const into = new Uint8Array(length)
  let have = 0
  while (have < length) {
    const { bytesRead } = await readAt(fd, into, have, length - have, offset + have)
    if (bytesRead === 0) break
    have += bytesRead
  }
  return into.subarray(0, have)
}

/** Elements that one `writev` takes on Linux (IOV_MAX): more would be several writes, and with `O_DSYNC` as many syncs. */
const mostElements = 1024

const writeThenSync = (fd: number, chunks: Chunks, offset: number, done: DiskDone): void =>
  writeChunks(fd, chunks, offset, (error) => {
    if (error !== undefined) done(error)
    // Without its code: an ENOSPC of the sync is no refusal of the write, which could be tried again.
    else
      fs.fdatasync(fd, (failure) => (failure === null ? done() : done(new Error(failure.message, { cause: failure }))))
  })

/**
 * One `writev` with `O_DSYNC`, which is `writev` and `fdatasync` in one trip to the thread pool: measured 10 to 15 % faster, and 10 µs of CPU
 * per group cheaper. Only on Linux, where it promises the same; elsewhere, and for very long lists, the two calls.
 */
const append = (file: NodeFile, chunks: Chunks, offset: number, done: DiskDone): void => {
  if (process.platform !== 'linux' || chunks.length > mostElements) {
    writeThenSync(file.fd, chunks, offset, done)
    return
  }
  try {
    file.durableFd ??= fs.openSync(file.path, fs.constants.O_WRONLY | fs.constants.O_DSYNC)
  } catch (error) {
    setImmediate(done, error instanceof Error ? error : new Error(String(error)))
    return
  }
  writeChunks(file.durableFd, chunks, offset, done)
}

/** The file system of this machine, over `node:fs`. */
export const nodeDisk = (): Disk => ({
  append: (file, chunks, offset, _site, done) => append(file as NodeFile, chunks, offset, done),
  write: (file, chunks, offset, done) => writeChunks(fdOf(file), chunks, offset, done),
  sync: (file, _site, done) => fs.fdatasync(fdOf(file), (error) => (error === null ? done() : done(error))),
  syncDirectory: async (path) => {
    const fd = await openFile(path, 'r')
    try {
      await syncFd(fd)
    } finally {
      await closeFile(fd)
    }
  },
  makeDirectory: (path) => fs.promises.mkdir(path),
  list: (path) => fs.promises.readdir(path),
  kind: async (path) => {
    try {
      return (await fs.promises.stat(path)).isDirectory() ? 'directory' : 'file'
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined
      throw error
    }
  },
  create: async (path): Promise<NodeFile> => ({ path, fd: await openFile(path, 'wx+', 0o600) }),
  open: async (path): Promise<NodeFile> => ({ path, fd: await openFile(path, 'r') }),
  allocate: async (file, bytes) => {
    for (let at = 0; at < bytes; at += zeros.length) {
      const piece = zeros.subarray(0, Math.min(zeros.length, bytes - at))
      await new Promise<void>((resolve, reject) =>
        writeChunks(fdOf(file), [piece], at, (error) => (error === undefined ? resolve() : reject(error))),
      )
    }
  },
  size: async (file) => (await statFile(fdOf(file))).size,
  read: (file, offset, length) => readWhole(fdOf(file), offset, length),
  truncate: (path, bytes) => fs.promises.truncate(path, bytes),
  remove: (path) => fs.promises.rm(path, { force: true }),
  close: async (file) => {
    const { fd, durableFd } = file as NodeFile
    await closeFile(fd)
    if (durableFd !== undefined) await closeFile(durableFd)
  },
  own: ownDirectory,
})
