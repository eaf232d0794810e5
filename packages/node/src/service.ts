/**
 * What serves clients at a node, apart from identity, configuration and libp2p: for programs that compose a replica themselves.
 *
 * @packageDocumentation
 */
export { localChannels } from './channels.ts'
export { ClientService } from './client-service.ts'
export { nodeStatus, type StatusContext } from './node-status.ts'
export type { Asked, Changed, Served, ServedChannel, ServedMembership, Submitted } from './served.ts'
export { servedCalls, servedMembership } from './serving.ts'
