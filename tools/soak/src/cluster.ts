/** The nodes of a run, on their hosts and their disks. */
import { mkdir } from 'node:fs/promises'
import { initNode } from '@conclave/node'
import { Disk } from './disks.ts'
import type { Ledger } from './ledger.ts'
import type { Network } from './network.ts'
import { NodeProcess } from './node-process.ts'

export const clusterName = 'soak'

export interface ClusterInit {
  readonly names: readonly string[]
  readonly network: Network
  readonly disks: 'loop' | 'plain'
  readonly directory: string
  readonly ledger: Ledger
  readonly failed: (problem: string) => void
}

export interface Cluster {
  readonly nodes: readonly NodeProcess[]
  /** Multiaddrs with ids, for clients. */
  readonly endpoints: readonly string[]
}

/** Makes identities, configurations and disks; nothing is started. */
export const makeCluster = async (init: ClusterInit): Promise<Cluster> => {
  const { names, network, directory, ledger } = init
  const disks = new Map<string, Disk>()
  const ids = new Map<string, string>()
  for (const name of names) {
    const disk = init.disks === 'loop' ? await Disk.mounted(directory, name, ledger) : await Disk.plain(directory, name)
    await mkdir(disk.data)
    disks.set(name, disk)
    ids.set(name, (await initNode({ name, data: disk.data, cluster: clusterName })).id)
  }
  const multiaddr = ({ host, port }: { readonly host: string; readonly port: number }): string =>
    `/ip4/${host}/tcp/${port}`
  const nodes = names.map((name) => {
    const disk = disks.get(name) as Disk
    const members = names.map((peer) => [peer, `${multiaddr(network.addressFor(name, peer))}/p2p/${ids.get(peer)}`])
    const config = {
      name,
      cluster: clusterName,
      data: disk.data,
      listen: multiaddr(network.address(name)),
      members: Object.fromEntries(members),
      // Small, so that a node that was away for seconds needs a snapshot.
      snapshotBytes: '256KiB',
      tailBytes: '32KiB',
      insecureClients: true,
      log: 'info',
    }
    const surprise = init.failed
    return new NodeProcess({ name, within: network.within(name), config, directory, disk, ledger, surprise })
  })
  const endpoints = names.map((name) => `${multiaddr(network.address(name))}/p2p/${ids.get(name)}`)
  return { nodes, endpoints }
}
