/**
 * A node of a Conclave cluster inside your own process: consensus, a replicated store, and a client that follows the leader.
 *
 * @example
 * ```ts
 * import { startNode } from '@conclave/node'
 *
 * await using node = await startNode({ name: 'a', data: './data/a', listen: '/ip4/127.0.0.1/tcp/0' })
 * const { revision } = await node.kv.put('greeting', 'hello')
 * const entry = await node.kv.get('greeting')
 * console.log(entry?.modRevision === revision) // true
 * ```
 *
 * @packageDocumentation
 */
export type { Client, Kv } from '@conclave/client'
export type { NodeStatus } from '@conclave/client/protocol'
export {
  type LogLevel,
  loadConfig,
  logLevels,
  type NodeConfig,
  type NodeFile,
  nodeFileSchema,
  parseSize,
  profiles,
  resolveConfig,
} from './config.ts'
export * from './engines.ts'
export { DataDirectoryRefused, InvalidConfig } from './errors.ts'
export { initNode } from './init.ts'
export { type ConclaveNode, type Leader, type NodeEvents, startNode } from './node.ts'
