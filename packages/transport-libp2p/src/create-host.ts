import type { Host, HostInit } from './host.ts'

/**
 * Starts a host. libp2p is loaded by the first call (about 0.3 s).
 * @throws Error if it cannot listen on one of the addresses, or one of them does not parse.
 */
export const createHost = async (init: HostInit): Promise<Host> => {
  const { startLibp2pHost } = await import('./libp2p-host.ts')
  return startLibp2pHost(init)
}
