/**
 * What programs build on locks, each on the API of sessions alone: leader election, semaphore, read-write lock, barrier, counter, queue, group membership, and the registry of services.
 *
 * @example
 * ```ts
 * import { connect } from '@conclave/client'
 * import { Election } from '@conclave/client/recipes'
 *
 * await using client = await connect({ endpoints })
 * await using session = await client.session()
 * await using leadership = await new Election(session, '/ls/local/scheduler').campaign('host-a:8080')
 * console.log(leadership.token) // higher than that of every leader before
 * ```
 *
 * @packageDocumentation
 */
export { Barrier } from './recipes/barrier.ts'
export { Counter } from './recipes/counter.ts'
export { Election, type Leadership, type Proclaimed } from './recipes/election.ts'
export { Group, type Member } from './recipes/group.ts'
export { type Item, Queue } from './recipes/queue.ts'
export { ReadWriteLock } from './recipes/read-write-lock.ts'
export { Semaphore } from './recipes/semaphore.ts'
export { fileListStore } from './services/file-list-store.ts'
export { type FollowOptions, followService, type ServiceFollower } from './services/follow-service.ts'
export {
  checkedInstance,
  checkedServiceName,
  type Health,
  type InstanceChange,
  type InstanceInit,
  type ServiceInstance,
} from './services/instance.ts'
export type { InvalidInstance } from './services/instance-record.ts'
export {
  type KeepOptions,
  type KeptRegistration,
  keepRegistered,
  type RegistrationState,
} from './services/keep-registered.ts'
export type { ListStore } from './services/list-store.ts'
export {
  defaultRegistryPath,
  type ListInstancesOptions,
  type Registration,
  ServiceRegistry,
  type ServiceSummary,
  type WatchInstancesOptions,
} from './services/registry.ts'
export type { SessionSource } from './services/renewed-session.ts'
export type { FreshList, ServiceList, StaleList } from './services/service-list.ts'
