import { readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import type { ListStore } from './list-store.ts'

/** What is longer than this was not written by a follower. */
const mostBytes = 64 * 1024 * 1024

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
      await writeFile(temporary, text, { flag: 'wx', flush: true })
      await rename(temporary, path)
    } catch (error) {
      await unlink(temporary).catch(() => {})
      throw error
    }
  },
})
