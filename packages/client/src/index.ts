/**
 * What an app imports to use a cluster: reads, writes and watches that find the leader, follow it, and say whether an error is definite or unknown.
 *
 * @example
 * ```ts
 * import { connect, textOf } from '@conclave/client'
 *
 * await using client = await connect({ endpoints: ['/ip4/127.0.0.1/tcp/7400/p2p/12D3KooW…'] })
 * const { revision } = await client.kv.put('greeting', 'hello')
 * const swapped = await client.kv.put('greeting', 'hi', { ifRevision: revision })
 * if (!swapped.done) console.log(`somebody was faster, at revision ${swapped.revision}`)
 * const entry = await client.kv.get('greeting')
 * console.log(entry && textOf(entry.value))
 * ```
 *
 * @packageDocumentation
 */

export type { Access, AclNames, LockMode, Problem, Stat, Subscription } from '@conclave/machine-chubby'
export type { KvEntry, KvEvent } from '@conclave/machine-kv'
export type { CallOptions } from './call.ts'
export type { Channel, Connector } from './channel.ts'
export { type Client, type ClientInit, connect, type MemberStatus } from './client.ts'
export type { Dial } from './dialer.ts'
export {
  Aborted,
  ClientClosed,
  Compacted,
  InvalidEndpoint,
  Overloaded,
  Refused,
  SessionExpired,
  Unavailable,
} from './errors.ts'
export {
  type Kv,
  kvMachineNumber,
  type ListOptions,
  type Mismatch,
  type Page,
  type Range,
  type ReadOptions,
  textOf,
  type WatchOptions,
  type WriteOptions,
  type Written,
} from './kv.ts'
export { type LazyClient, lazyClient } from './lazy-client.ts'
export { chubbyMachineNumber } from './locks/client-port.ts'
export type { Duration } from './locks/durations.ts'
export { FileProblem, LockHeld, LockLost, SessionLost, StaleToken } from './locks/errors.ts'
export { createFence, type Fence, type FenceStore, memoryFenceStore, type Proof } from './locks/fence.ts'
export type { File, WriteContents } from './locks/file.ts'
export type { FileEvent, Handle, OpenOptions } from './locks/handle.ts'
export type { Lock } from './locks/lock.ts'
export {
  type LockOptions,
  type ReadFileOptions,
  Session,
  type SessionEvents,
  type SessionOptions,
  type SessionState,
  type WriteFileOptions,
} from './locks/session.ts'
export type { AddOptions, ClusterMembership, MembersOptions, NewMember } from './membership.ts'
export type { LeaderNews, MemberNews, MembershipNews, NodeStatus, ReadLevel } from './protocol.ts'
export type { LocalBalancer, LocalReads, ReadTarget } from './spread.ts'
export type { ClientClock } from './time.ts'
