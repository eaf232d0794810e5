import { open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ListStore } from './list-store.ts'

/** What is longer than this was not written by a follower. */
const mostBytes = 64 * 1024 * 1024

const syncDirectory = async (path: string): Promise<void> => {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

const writeSynced = async (path: string, text: string): Promise<void> => {
  const handle = await open(path, 'wx', 0o644)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Keeps a text in a file, which is written beside it, synced, and renamed. Its directory has to be there. */
export const fileListStore = (path: string): ListStore => ({
  load: async () => {
    try {
      const { size } = await stat(path)
      if (size > mostBytes) throw new RangeError(`${path} has ${size} bytes: it is no list of instances`)
      return await readFile(path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  },
  save: async (text) => {
    // Several programs may keep the same list.
    const temporary = `${path}.${crypto.randomUUID()}.tmp`
    try {
      await writeSynced(temporary, text)
      await rename(temporary, path)
    } catch (error) {
      await unlink(temporary).catch(() => {})
      throw error
    }
    await syncDirectory(dirname(path))
  },
})
