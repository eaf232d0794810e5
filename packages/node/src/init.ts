import type { NodeId } from '@conclave/interface'
import { loadOrCreateIdentity } from '@conclave/transport-libp2p'
import { identityPath, prepareDirectory } from './data-directory.ts'

/**
 * Makes the data directory and the identity of a node, or finds those that are there. The node itself need not run; the id goes into
 * every member's configuration.
 * @throws DataDirectoryRefused if the directory belongs to another node.
 */
export const initNode = async (init: {
  readonly name: string
  readonly data: string
  readonly cluster?: string
}): Promise<{ readonly id: NodeId }> => {
  await prepareDirectory(init.data, init.name, init.cluster ?? 'conclave')
  const { id } = await loadOrCreateIdentity(identityPath(init.data))
  return { id }
}
