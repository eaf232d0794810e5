import type { Socket } from 'node:net'

/** Without the mapping of IPv4 into IPv6. Empty if the connection is gone already. */
export const clientAddress = ({ remoteAddress = '' }: Socket): string =>
  remoteAddress.startsWith('::ffff:') ? remoteAddress.slice('::ffff:'.length) : remoteAddress
