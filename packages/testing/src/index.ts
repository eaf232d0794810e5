/**
 * A cluster inside your test: real engine, replica, store and client in one process, with the journal and the network in memory. Ready in well
 * under a second; nodes can be killed, paused and cut off from each other.
 *
 * @example
 * ```ts
 * import { textOf } from '@conclave/client'
 * import { testCluster } from '@conclave/testing'
 *
 * await using cluster = await testCluster({ nodes: 3 })
 * const client = await cluster.client()
 * await client.kv.put('greeting', 'hello')
 * await cluster.leader()?.kill()
 * const entry = await client.kv.get('greeting') // answered by the next leader
 * console.log(entry && textOf(entry.value))
 * ```
 *
 * @packageDocumentation
 */

export { type ClientOptions, type TestCluster, type TestClusterInit, testCluster } from './cluster.ts'
export { CallTimedOut, NodeNotRunning, NoLeader } from './errors.ts'
export type { TestNode, TestNodeState } from './node.ts'
