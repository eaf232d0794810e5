import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { CommandFailed, exitCodes } from '../exit.ts'
import { addressOf, configPath, type LocalCluster, type LocalNode, nodeDirectory, writeCluster } from './cluster.ts'

const listen = (): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(server))
  })

/** Ports that are free now; held all at once, so that they differ. */
export const freePorts = async (count: number): Promise<number[]> => {
  const servers = await Promise.all(Array.from({ length: count }, listen))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

export interface LocalOptions {
  readonly directory: string
  readonly nodes: number
  readonly engine: string
  readonly cluster: string
  /** Bytes or a size such as `64KiB`; the node's default if absent. */
  readonly snapshotBytes?: string
  readonly tailBytes?: string
}

/** Chooses names, ports and identities, and writes a configuration per node; `cluster.json` comes last, so that a cluster is there whole or not at all. */
export const createCluster = async (options: LocalOptions): Promise<LocalCluster> => {
  const { directory, engine, cluster } = options
  const { initNode, resolveConfig } = await import('@conclave/node')
  // Before anything is made: a cluster with a wrong size in its files could only be removed again.
  resolveConfig({ name: 'n1', data: directory, listen: '/ip4/127.0.0.1/tcp/0', ...sizesOf(options) })
  makeDirectory(directory)
  const ports = await freePorts(options.nodes)
  const nodes: LocalNode[] = []
  for (const [index, port] of ports.entries()) {
    const name = `n${index + 1}`
    const { id } = await initNode({ name, cluster, data: join(nodeDirectory({ directory }, name), 'data') })
    nodes.push({ name, id, port })
  }
  const local: LocalCluster = { directory, cluster, engine, nodes }
  for (const node of nodes) writeConfig(local, node, options)
  writeCluster(local)
  return local
}

const makeDirectory = (directory: string): void => {
  try {
    mkdirSync(directory, { recursive: true })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandFailed(
      exitCodes.error,
      'no-directory',
      `cannot make the directory ${directory}: ${reason}`,
      'Name another one with --data.',
    )
  }
}

const sizesOf = ({
  snapshotBytes,
  tailBytes,
}: LocalOptions): Partial<Record<'snapshotBytes' | 'tailBytes', string>> => ({
  ...(snapshotBytes === undefined ? {} : { snapshotBytes }),
  ...(tailBytes === undefined ? {} : { tailBytes }),
})

const writeConfig = (local: LocalCluster, node: LocalNode, options: LocalOptions): void => {
  const config = {
    name: node.name,
    cluster: local.cluster,
    data: 'data',
    listen: `/ip4/127.0.0.1/tcp/${node.port}`,
    members: Object.fromEntries(local.nodes.map((member) => [member.name, addressOf(member)])),
    engine: local.engine,
    ...sizesOf(options),
  }
  writeFileSync(configPath(local, node.name), stringify(config))
}
