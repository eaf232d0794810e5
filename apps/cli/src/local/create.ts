import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { stringify } from 'yaml'
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
  const { initNode } = await import('@conclave/node')
  mkdirSync(directory, { recursive: true })
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

const writeConfig = (local: LocalCluster, node: LocalNode, { snapshotBytes, tailBytes }: LocalOptions): void => {
  const config = {
    name: node.name,
    cluster: local.cluster,
    data: 'data',
    listen: `/ip4/127.0.0.1/tcp/${node.port}`,
    members: Object.fromEntries(local.nodes.map((member) => [member.name, addressOf(member)])),
    engine: local.engine,
    ...(snapshotBytes === undefined ? {} : { snapshotBytes }),
    ...(tailBytes === undefined ? {} : { tailBytes }),
  }
  writeFileSync(configPath(local, node.name), stringify(config))
}
