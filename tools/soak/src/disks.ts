/**
 * Where the nodes keep their data: a directory each, or, with root, a small file system each (ext4 in a file of the same disk, mounted as a loop
 * device), which can be filled up without harm to anybody else.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { mkdir, open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Ledger } from './ledger.ts'

const run = promisify(execFile)
const diskBytes = 192 * 1024 * 1024

export class Disk {
  /** For the node alone. */
  readonly data: string
  readonly #root: string
  readonly #mounted: boolean
  #full = false

  private constructor(root: string, mounted: boolean) {
    this.#root = root
    this.data = join(root, 'data')
    this.#mounted = mounted
  }

  static async plain(directory: string, name: string): Promise<Disk> {
    const root = join(directory, name)
    await mkdir(root)
    return new Disk(root, false)
  }

  /** @throws Error if loop devices cannot be mounted here. */
  static async mounted(directory: string, name: string, ledger: Ledger): Promise<Disk> {
    const root = join(directory, name)
    const image = join(directory, `${name}.img`)
    await mkdir(root)
    const file = await open(image, 'w')
    await file.truncate(diskBytes)
    await file.close()
    await run('mkfs.ext4', ['-q', '-m', '0', image])
    ledger.mount(root)
    await run('mount', ['-o', 'loop,noatime', image, root])
    return new Disk(root, true)
  }

  get canFill(): boolean {
    return this.#mounted
  }
  get full(): boolean {
    return this.#full
  }

  get #ballast(): string {
    return join(this.#root, 'ballast')
  }

  /** Takes every block that is left. */
  async fill(): Promise<void> {
    this.#full = true
    const { bavail, bsize } = await statfs(this.#root)
    // What the node takes in the meantime may make this fail; what follows takes the rest.
    await run('fallocate', ['-l', String(Math.max(1, bavail * bsize)), this.#ballast]).catch(() => undefined)
    const file = await open(this.#ballast, 'a')
    try {
      for (let written = 0; written < diskBytes; written += 65_536) await file.write(new Uint8Array(65_536))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    } finally {
      await file.close()
    }
  }

  async free(): Promise<void> {
    await rm(this.#ballast, { force: true })
    this.#full = false
  }
}

/** Why file systems of our own cannot be had; undefined if they can be tried. */
export const loopObstacle = (): string | undefined => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'mounting takes root on Linux'
  if (spawnSync('mkfs.ext4', ['-V'], { stdio: 'ignore' }).error !== undefined) return 'mkfs.ext4 is not installed'
  if (spawnSync('losetup', ['-f'], { stdio: 'ignore' }).status !== 0) return 'there are no loop devices'
  return undefined
}

/** The kind of file system that holds a directory, such as `ext4`. */
export const fileSystemOf = (directory: string): string => {
  try {
    return execFileSync('findmnt', ['-no', 'FSTYPE,SOURCE', '-T', directory], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}
