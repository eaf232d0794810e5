/** The nodes of a run, on their hosts and their disks. */
import { mkdir, rm } from 'node:fs/promises'
import { initNode } from '@conclave/node'
import { Disk } from './disks.ts'
import type { Ledger } from './ledger.ts'
import type { Network } from './network.ts'
import { NodeProcess } from './node-process.ts'

export const clusterName = 'soak'

export interface ClusterInit {
  readonly engine: string
  readonly names: readonly string[]
  readonly network: Network
  readonly disks: 'loop' | 'plain'
  readonly leases: boolean
  readonly directory: string
  readonly ledger: Ledger
  readonly failed: (problem: string) => void
}

const multiaddr = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `/ip4/${host}/tcp/${port}`

const newIdentity = (name: string, disk: Disk): Promise<{ readonly id: string }> =>
  initNode({ name, data: disk.data, cluster: clusterName })

export class Cluster {
  readonly nodes: readonly NodeProcess[]
  readonly #init: ClusterInit
  #births = 0

  private constructor(init: ClusterInit, nodes: readonly NodeProcess[]) {
    this.#init = init
    this.nodes = nodes
  }

  /** Makes identities, configurations and disks; nothing is started. */
  static async make(init: ClusterInit): Promise<Cluster> {
    const { names, network, directory, ledger } = init
    const nodes: NodeProcess[] = []
    for (const name of names) {
      const disk =
        init.disks === 'loop' ? await Disk.mounted(directory, name, ledger) : await Disk.plain(directory, name)
      await mkdir(disk.data)
      const member = { name, id: (await newIdentity(name, disk)).id }
      const within = network.within(name)
      nodes.push(new NodeProcess({ name, member, within, directory, disk, ledger, surprise: init.failed }))
    }
    const cluster = new Cluster(init, nodes)
    for (const node of nodes) node.configure(cluster.#configOf(node, {}))
    return cluster
  }

  /** Where a node is, for clients: its multiaddr with its id. */
  endpointOf({ name, member }: NodeProcess): string {
    return `${multiaddr(this.#init.network.address(name))}/p2p/${member.id}`
  }

  #configOf(node: NodeProcess, more: object): object {
    const { engine, network, leases } = this.#init
    const members = this.nodes.map(({ name, member }) => [
      member.name,
      `${multiaddr(network.addressFor(node.name, name))}/p2p/${member.id}`,
    ])
    return {
      name: node.member.name,
      cluster: clusterName,
      engine,
      data: node.disk.data,
      listen: multiaddr(network.address(node.name)),
      members: Object.fromEntries(members),
      // Small, so that a node that was away for seconds needs a snapshot.
      snapshotBytes: '256KiB',
      tailBytes: '32KiB',
      insecureClients: true,
      log: 'info',
      ...(leases ? { leases } : {}),
      ...more,
    }
  }

  /** The machine lost its disk: its node comes back with nothing, as somebody whom the cluster has yet to add. It is started. */
  async rebirth(node: NodeProcess): Promise<void> {
    await node.hold(async () => {
      await rm(node.disk.data, { recursive: true, force: true })
      await mkdir(node.disk.data)
      this.#births += 1
      const name = `${node.name}-${this.#births}`
      node.member = { name, id: (await newIdentity(name, node.disk)).id }
      node.configure(this.#configOf(node, { join: true }))
    })
    node.start()
  }
}
