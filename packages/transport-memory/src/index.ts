/**
 * A network within one process for tests and simulations: it drops, delays, doubles, reorders, partitions, resets and stalls, as a seed says.
 *
 * @example
 * ```ts
 * import { memoryNetwork } from '@conclave/transport-memory'
 *
 * const network = memoryNetwork({ clock, random: seededRandom(1), faults: { drop: 0.01 } })
 * const transport = network.transport(nodeId('a'))
 * network.partition([[nodeId('a')], [nodeId('b'), nodeId('c')]])
 * ```
 *
 * @packageDocumentation
 */
export { MemoryLinkFailed } from './errors.ts'
export { type Faults, noFaults } from './faults.ts'
export { type MemoryNetwork, type MemoryNetworkInit, memoryNetwork, type NetworkTap } from './network.ts'
