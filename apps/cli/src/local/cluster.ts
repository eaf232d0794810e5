/**
 * A local cluster is a directory, `.conclave` by default:
 *
 * - `cluster.json`: names, ports and ids, chosen once;
 * - `up.json`: the process of `conclave up`, while it runs in the foreground;
 * - `NODE/config.yaml`, `NODE/data/`, `NODE/node.log`, `NODE/process.json`.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { CommandFailed, exitCodes } from '../exit.ts'

export interface LocalNode {
  readonly name: string
  readonly id: string
  readonly port: number
}

export interface LocalCluster {
  /** Absolute. */
  readonly directory: string
  readonly cluster: string
  readonly engine: string
  readonly nodes: readonly LocalNode[]
}

export const defaultDirectory = '.conclave'
export const clusterPath = (directory: string): string => join(directory, 'cluster.json')
export const upPath = (directory: string): string => join(directory, 'up.json')
export const lockPath = (directory: string): string => join(directory, 'up.lock')
export const nodeDirectory = (cluster: { readonly directory: string }, name: string): string =>
  join(cluster.directory, name)
export const configPath = (cluster: LocalCluster, name: string): string =>
  join(nodeDirectory(cluster, name), 'config.yaml')
export const logPath = (cluster: LocalCluster, name: string): string => join(nodeDirectory(cluster, name), 'node.log')
export const processPath = (cluster: LocalCluster, name: string): string =>
  join(nodeDirectory(cluster, name), 'process.json')
export const addressOf = (node: LocalNode): string => `/ip4/127.0.0.1/tcp/${node.port}/p2p/${node.id}`

const isNode = (value: unknown): value is LocalNode => {
  const { name, id, port } = (value ?? {}) as Partial<LocalNode>
  return typeof name === 'string' && /^n\d+$/.test(name) && typeof id === 'string' && Number.isInteger(port)
}

/** @throws CommandFailed if there is a `cluster.json` that this version did not write. */
export const readCluster = (directory: string): LocalCluster | undefined => {
  const path = clusterPath(directory)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
  try {
    const { version, cluster, engine, nodes } = JSON.parse(text) as Record<string, unknown>
    if (
      version === 1 &&
      typeof cluster === 'string' &&
      typeof engine === 'string' &&
      Array.isArray(nodes) &&
      nodes.every(isNode)
    ) {
      return { directory: resolve(directory), cluster, engine, nodes }
    }
  } catch {
    // Falls through to the one message for everything that is not ours.
  }
  throw new CommandFailed(
    exitCodes.error,
    'not-a-cluster',
    `${path} was not written by this version of conclave`,
    'Name another directory with --data.',
  )
}

/** Replaces `cluster.json` in one step. */
export const writeCluster = (local: LocalCluster): void => {
  const { directory, ...rest } = local
  const path = clusterPath(directory)
  writeFileSync(`${path}.new`, `${JSON.stringify({ version: 1, ...rest }, undefined, 2)}\n`)
  renameSync(`${path}.new`, path)
}

/** The nearest `.conclave` with a cluster in it, from `from` upwards. */
export const nearestCluster = (from: string): string | undefined => {
  for (let at = resolve(from); ; at = dirname(at)) {
    const directory = join(at, defaultDirectory)
    if (existsSync(clusterPath(directory))) return directory
    if (dirname(at) === at) return undefined
  }
}

/** The cluster of `--data`, or the nearest one. @throws CommandFailed (3) if there is none. */
export const requireCluster = (data: string | undefined, cwd = process.cwd()): LocalCluster => {
  const directory = data ?? nearestCluster(cwd)
  const found = directory === undefined ? undefined : readCluster(directory)
  if (found !== undefined) return found
  throw new CommandFailed(
    exitCodes.refused,
    'no-cluster',
    data === undefined ? `no ${defaultDirectory} directory here or above` : `no cluster in ${data}`,
    'Start one with: conclave up -d',
  )
}

/** @throws CommandFailed (3) with the names that there are. */
export const requireNode = (local: LocalCluster, name: string): LocalNode => {
  const found = local.nodes.find((node) => node.name === name)
  if (found !== undefined) return found
  const names = local.nodes.map((node) => node.name).join(', ')
  throw new CommandFailed(
    exitCodes.refused,
    'no-such-node',
    `no node ${name} in ${local.directory}`,
    `There are ${names}.`,
  )
}
