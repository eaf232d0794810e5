import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process, named so that a later one with the same number is never taken for it. */
export interface ProcessRecord {
  readonly pid: number
  /** When it started, in the words of the operating system; compared only for equality. */
  readonly started: string
  /** The number of the `conclave up` with which it ends; absent if it was started for good. */
  readonly owner?: number
}

export type ProcessState = 'running' | 'paused' | 'dead'

/** Start times count from the boot: without its id, a record from before a reboot could match. */
const bootId = (): string => {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    return 'unknown'
  }
}

const fromProc = (pid: number): { readonly started: string; readonly state: string } | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in parentheses may hold spaces and parentheses itself: count from the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { started: `${bootId()}:${fields[19]}`, state: fields[0] ?? '' }
  } catch {
    return undefined
  }
}

const fromPs = (pid: number): { readonly started: string; readonly state: string } | undefined => {
  try {
    const line = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    return line === '' ? undefined : { started: line.slice(line.indexOf(' ')).trim(), state: line[0] ?? '' }
  } catch {
    return undefined
  }
}

const look = (pid: number): { readonly started: string; readonly state: string } | undefined => {
  const found = process.platform === 'linux' ? fromProc(pid) : fromPs(pid)
  return found === undefined || found.state === 'Z' || found.state === 'X' ? undefined : found
}

/** The record of a process that lives now. */
export const recordOf = (pid: number): ProcessRecord | undefined => {
  const found = look(pid)
  return found && { pid, started: found.started }
}

export const stateOf = (record: ProcessRecord | undefined): ProcessState => {
  const found = record && look(record.pid)
  if (record === undefined || found === undefined || found.started !== record.started) return 'dead'
  return found.state === 'T' || found.state === 't' ? 'paused' : 'running'
}

/** Whether nothing is left of it: a process that was killed lingers, and may still write, until the system has taken it away. */
export const isGone = (record: ProcessRecord): boolean => {
  const found = process.platform === 'linux' ? fromProc(record.pid) : fromPs(record.pid)
  return found === undefined || found.started !== record.started
}

/** Signals exactly that process. False if it is gone; a foreign process that took over its number is left alone. */
export const signalProcess = (record: ProcessRecord, signal: NodeJS.Signals): boolean => {
  if (stateOf(record) === 'dead') return false
  try {
    process.kill(record.pid, signal)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

export const readRecord = (path: string): ProcessRecord | undefined => {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    const { pid, started, owner } = value as Partial<ProcessRecord>
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 2 || typeof started !== 'string')
      return undefined
    return typeof owner === 'number' ? { pid, started, owner } : { pid, started }
  } catch {
    return undefined
  }
}

export const writeRecord = (path: string, record: ProcessRecord): void =>
  writeFileSync(path, `${JSON.stringify(record)}\n`)
export const removeRecord = (path: string): void => rmSync(path, { force: true })

/** Polls until `done` holds or `ms` have passed; tells which. */
export const waitUntil = async (ms: number, done: () => boolean): Promise<boolean> => {
  const deadline = Date.now() + ms
  while (!done()) {
    if (Date.now() >= deadline) return false
    await sleep(20)
  }
  return true
}

/** Ends a process: asks it, waits `graceMillis`, then kills it. True if it ended by itself. */
export const endProcess = async (record: ProcessRecord, graceMillis: number): Promise<boolean> => {
  const gone = (): boolean => stateOf(record) === 'dead'
  if (gone()) return true
  const paused = stateOf(record) === 'paused'
  signalProcess(record, 'SIGTERM')
  if (paused) signalProcess(record, 'SIGCONT')
  if (await waitUntil(graceMillis, gone)) return true
  signalProcess(record, 'SIGKILL')
  await waitUntil(5_000, gone)
  return false
}

/**
 * Calls `lost` once the process is gone. Polls, so that it works for a process that is neither parent nor child. Does not keep this process alive.
 * @returns a function that stops watching.
 */
export const watchProcess = (record: ProcessRecord, lost: () => void): (() => void) => {
  const timer = setInterval(() => {
    if (stateOf(record) !== 'dead') return
    clearInterval(timer)
    lost()
  }, 250)
  timer.unref()
  return () => clearInterval(timer)
}
