/**
 * One owner per data directory, by files alone. The owner holds `lock-G` for the highest generation G; whoever finds its owner dead links
 * `lock-(G+1)`, which only one process can do, and then looks again: a process that acted on an old listing sees the higher generation
 * and steps back. So taking over a stale lock has no window in which two processes believe that they own it.
 *
 * A process is known by pid, boot id and start time (field 22 of /proc/PID/stat): a pid that was reused, another boot, or a container's
 * pid 1 after a restart is not the owner that wrote the file. Processes that share the directory must share a pid namespace.
 */
import { randomBytes } from 'node:crypto'
import { link, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { DataDirectoryInUse } from '@conclave/interface'
import { errorCode, join } from './disk.ts'

interface Owner {
  readonly pid: number
  readonly boot: string
  /** Clock ticks after boot; empty where there is no /proc. */
  readonly start: string
}

const orEmpty = (read: Promise<string>): Promise<string> => read.catch(() => '')
const bootId = async (): Promise<string> => (await orEmpty(readFile('/proc/sys/kernel/random/boot_id', 'utf8'))).trim()

/**
 * Empty for a process that is gone, also one that its parent has not waited for yet. Such a zombie may have threads that still end a write: then it is
 * not gone. The command in field 2 may hold spaces and parentheses: count from the last `)`, which field 3 follows.
 */
const startTime = async (pid: number): Promise<string> => {
  const stat = await orEmpty(readFile(`/proc/${pid}/stat`, 'utf8'))
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, threads, start] = [fields[0], fields[17], fields[19]]
  return state === 'Z' && Number(threads) <= 1 ? '' : (start ?? '')
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

/** Undefined if the file is gone; null if it is damaged (a loss of power right after it was made), which is as good as stale. */
const readOwner = async (path: string): Promise<Owner | null | undefined> => {
  try {
    const found: unknown = JSON.parse(await readFile(path, 'utf8'))
    if (typeof found !== 'object' || found === null || !('pid' in found) || !('boot' in found) || !('start' in found))
      return null
    const { pid, boot, start } = found
    if (!Number.isSafeInteger(pid) || (pid as number) < 1 || typeof boot !== 'string' || typeof start !== 'string')
      return null
    return { pid: pid as number, boot, start }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    if (error instanceof SyntaxError) return null
    throw error
  }
}

const isLive = async (path: string, owner: Owner, self: Owner): Promise<boolean> => {
  if (owner.boot !== self.boot || !alive(owner.pid)) return false
  // Without /proc a pid is all that is known: our own pid in a file that we do not hold is a leftover.
  if (owner.start === '') return owner.pid !== self.pid || held.has(path)
  return (await startTime(owner.pid)) === owner.start
}

/** The lock files that this process holds: all that tells its own leftovers apart where there is no /proc. */
const held = new Set<string>()

const generations = async (directory: string): Promise<number[]> =>
  (await readdir(directory))
    .map((name) => /^lock-(\d{1,15})$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b)

/** Links `temporary` as the next generation, unless a live owner or another process is in the way. Undefined: look again. */
const tryToOwn = async (directory: string, temporary: string, self: Owner): Promise<string | undefined> => {
  const highest = (await generations(directory)).at(-1) ?? 0
  if (highest > 0) {
    const path = join(directory, `lock-${highest}`)
    const owner = await readOwner(path)
    if (owner === undefined) return undefined
    if (owner !== null && (await isLive(path, owner, self))) {
      const who = owner.pid === self.pid ? `this process (pid ${owner.pid})` : `process ${owner.pid}`
      throw new DataDirectoryInUse(`${directory} is in use by ${who}: stop it first, or use another data directory`)
    }
  }
  const mine = join(directory, `lock-${highest + 1}`)
  try {
    await link(temporary, mine)
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return undefined
    throw error
  }
  const seen = await generations(directory)
  if (seen.some((generation) => generation > highest + 1)) {
    await rm(mine, { force: true })
    return undefined
  }
  for (const generation of seen)
    if (generation <= highest) await rm(join(directory, `lock-${generation}`), { force: true })
  return mine
}

/** @throws DataDirectoryInUse if a live process owns `directory`. Resolves to what gives it up. */
export const ownDirectory = async (directory: string): Promise<() => Promise<void>> => {
  const self: Owner = { pid: process.pid, boot: await bootId(), start: await startTime(process.pid) }
  const temporary = join(directory, `lock.${self.pid}.${randomBytes(6).toString('hex')}`)
  await writeFile(temporary, `${JSON.stringify(self)}\n`, { mode: 0o600, flag: 'wx' })
  try {
    for (let attempt = 0; attempt < 100; attempt++) {
      const mine = await tryToOwn(directory, temporary, self)
      if (mine === undefined) continue
      held.add(mine)
      return async () => {
        if (held.delete(mine)) await rm(mine, { force: true })
      }
    }
  } finally {
    await rm(temporary, { force: true })
  }
  throw new DataDirectoryInUse(`${directory} is contended by other processes that are starting: try again`)
}
