import { spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { CommandFailed, exitCodes } from '../exit.ts'
import {
  clusterPath,
  configPath,
  type LocalCluster,
  type LocalNode,
  lockPath,
  logPath,
  nodeDirectory,
  processPath,
  upPath,
} from './cluster.ts'
import {
  endProcess,
  isGone,
  type ProcessRecord,
  type ProcessState,
  readRecord,
  recordOf,
  removeRecord,
  stateOf,
  waitUntil,
  writeRecord,
} from './process.ts'

/** V8 would let its space for young objects grow to 128 MiB, half of what a node under load holds; see docs/performance.md. */
const youngObjects = '--max-semi-space-size=16'
/** A node gets this long to close by itself. */
const graceMillis = 5_000
/** What is left of a killed process gets this long to go, before its successor is started. */
const goneMillis = 10_000
/** Longer than any command holds the lock. */
const namelessMillis = 60_000
/** A log file larger than this is set aside when its node starts; one old file is kept. */
const logBytes = 16 * 1024 * 1024

export interface LocalProcess {
  readonly node: LocalNode
  readonly state: ProcessState
  readonly record: ProcessRecord | undefined
}

export const processOf = (local: LocalCluster, node: LocalNode): LocalProcess => {
  const record = readRecord(processPath(local, node.name))
  const state = stateOf(record)
  return { node, state, record: state === 'dead' ? undefined : record }
}

export const processesOf = (local: LocalCluster): LocalProcess[] => local.nodes.map((node) => processOf(local, node))

/** The `conclave up` that runs in the foreground, if there is one. */
export const supervisorOf = (directory: string): ProcessRecord | undefined => {
  const record = readRecord(upPath(directory))
  return stateOf(record) === 'dead' ? undefined : record
}

/** Whether the holder of a lock has died. One that names nobody (a full disk, a kill in the wrong moment) is judged by its age. */
const abandoned = (path: string): boolean => {
  const holder = readRecord(path)
  if (holder !== undefined) return stateOf(holder) === 'dead'
  const written = statSync(path, { throwIfNoEntry: false })
  return written !== undefined && Date.now() - written.mtimeMs > namelessMillis
}

/**
 * Holds the directory's lock while `run` runs, so that two commands do not start the same node twice.
 * @throws CommandFailed if another command holds it for ten seconds.
 */
export const withLock = async <T>(directory: string, run: () => Promise<T>): Promise<T> => {
  const path = lockPath(directory)
  const own = recordOf(process.pid)
  const take = (): boolean => {
    try {
      writeFileSync(path, `${JSON.stringify(own)}\n`, { flag: 'wx' })
      return true
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // It is the file that locks, not what it says: a cluster can be stopped on a full disk too.
      if (code === 'ENOSPC' && existsSync(path)) return true
      if (code !== 'EEXIST') throw error
      if (abandoned(path)) rmSync(path, { force: true })
      return false
    }
  }
  if (!(await waitUntil(10_000, take))) {
    throw new CommandFailed(
      exitCodes.error,
      'busy',
      `another command is changing ${directory}`,
      `If none is, remove ${path}.`,
    )
  }
  try {
    return await run()
  } finally {
    rmSync(path, { force: true })
  }
}

const openLog = (path: string): number => {
  if (existsSync(path) && statSync(path).size > logBytes) renameSync(path, `${path}.1`)
  return openSync(path, 'a')
}

/**
 * Starts one node as a process of its own. It leaves the terminal, and ends when `owner` ends, if there is one.
 * @returns its record, which is also written to its directory.
 */
export const startProcess = async (
  local: LocalCluster,
  node: LocalNode,
  owner?: ProcessRecord,
): Promise<ProcessRecord> => {
  const before = readRecord(processPath(local, node.name))
  if (before !== undefined) await waitUntil(goneMillis, () => isGone(before))
  const log = openLog(logPath(local, node.name))
  const [, script = ''] = process.argv
  const owned = owner === undefined ? [] : ['--owner', `${owner.pid}/${owner.started}`]
  try {
    const child = spawn(
      process.execPath,
      [...process.execArgv, youngObjects, script, 'node', 'start', '--config', configPath(local, node.name), ...owned],
      { detached: true, stdio: ['ignore', log, log] },
    )
    child.unref()
    const record = child.pid === undefined ? undefined : recordOf(child.pid)
    if (record === undefined)
      throw new CommandFailed(
        exitCodes.error,
        'not-started',
        `node ${node.name} did not start`,
        `See ${logPath(local, node.name)}.`,
      )
    try {
      writeRecord(processPath(local, node.name), owner === undefined ? record : { ...record, owner: owner.pid })
    } catch (error) {
      // Nobody would find it again to stop it.
      child.kill('SIGKILL')
      throw error
    }
    return record
  } finally {
    closeSync(log)
  }
}

/** Starts every node that is dead. Tells which. */
export const startDead = async (local: LocalCluster, owner?: ProcessRecord): Promise<LocalNode[]> => {
  const dead = processesOf(local).filter(({ state }) => state === 'dead')
  await Promise.all(dead.map(({ node }) => startProcess(local, node, owner)))
  return dead.map(({ node }) => node)
}

/** Ends every node, or those of one owner, gracefully first. Tells which were running, and which of them had to be killed. */
export const stopAll = async (
  local: LocalCluster,
  owner?: ProcessRecord,
): Promise<{ readonly stopped: string[]; readonly killed: string[] }> => {
  const stopped: string[] = []
  const killed: string[] = []
  const ours = processesOf(local).filter(({ record }) => owner === undefined || record?.owner === owner.pid)
  await Promise.all(
    ours.map(async ({ node, record }) => {
      if (record !== undefined) {
        const graceful = await endProcess(record, graceMillis)
        stopped.push(node.name)
        if (!graceful) killed.push(node.name)
      }
      removeRecord(processPath(local, node.name))
    }),
  )
  return { stopped: stopped.sort(), killed: killed.sort() }
}

/** Ends the foreground `up`, if there is one, and waits until it has closed its nodes. */
export const stopSupervisor = async (directory: string): Promise<boolean> => {
  const supervisor = supervisorOf(directory)
  if (supervisor === undefined) return false
  await endProcess(supervisor, 2 * graceMillis)
  removeRecord(upPath(directory))
  return true
}

/**
 * Removes the files of a stopped cluster: what conclave made, nothing else.
 * @returns whether the directory itself is gone; it stays if something foreign is in it.
 * @throws CommandFailed if the directory holds no cluster of ours.
 */
export const purge = (local: LocalCluster): boolean => {
  if (!existsSync(clusterPath(local.directory))) {
    throw new CommandFailed(
      exitCodes.error,
      'not-a-cluster',
      `${local.directory} holds no cluster.json: nothing was removed`,
    )
  }
  for (const { name } of local.nodes) rmSync(nodeDirectory(local, name), { recursive: true, force: true })
  for (const path of [upPath(local.directory), lockPath(local.directory), clusterPath(local.directory)])
    rmSync(path, { force: true })
  if (readdirSync(local.directory).length > 0) return false
  rmdirSync(local.directory)
  return true
}

/** `up.json` of this process. */
export const recordSupervisor = (directory: string): ProcessRecord => {
  const own = recordOf(process.pid)
  if (own === undefined)
    throw new CommandFailed(exitCodes.error, 'no-process-table', 'this system does not say when a process started')
  writeRecord(upPath(directory), own)
  return own
}
