import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import type { Listen } from './options.ts'

/** Rejects with the system's error: the port is taken, or not allowed. */
export const listenOn = async (server: Server, { host = '127.0.0.1', port }: Listen): Promise<AddressInfo> => {
  // Without a host Node takes `::`, and every address of IPv4 on a machine without IPv6.
  server.listen(host === '::' ? { port } : { host, port })
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a server of TCP has an address of IP')
  return address
}

/** Accepts nothing new; resolves once all connections are closed. Whoever calls it sees to that. */
export const closed = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()))
