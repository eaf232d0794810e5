/**
 * Branded scalars. A brand costs nothing at run time; it keeps a term from being passed where a position is meant.
 */
declare const brand: unique symbol
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** A node's identity: its libp2p peer id in base58 (or any stable string in tests). Never reused, never an address. */
export type NodeId = Brand<string, 'NodeId'>
/**
 * The reign under which something was decided: a Raft term, a Paxos ballot, a Zab epoch. Ordered, otherwise opaque:
 * only the engine that made it may take it apart. Never negative; 0n is "before any reign".
 */
export type Epoch = Brand<bigint, 'Epoch'>
/**
 * A place in the one total order. The first decided entry is at 1; 0 means "nothing yet". A safe integer
 * (at a million entries a second it lasts 285 years).
 */
export type Position = Brand<number, 'Position'>
/** A slot of the journal. Engines map positions to slots one to one. A safe integer, from 1 up. */
export type Slot = Brand<number, 'Slot'>
/** Names one write of the engine within this run of the process. Consecutive, from 1 up. */
export type WriteId = Brand<number, 'WriteId'>
/** Names one proposal, read or reconfiguration that the replica handed to its engine within this run of the process. */
export type RequestId = Brand<number, 'RequestId'>
/** Names a staged snapshot body. 1 to 64 characters of `[0-9a-z-]`: it is used as a file name. */
export type SnapshotId = Brand<string, 'SnapshotId'>
/** Monotonic time in milliseconds since an arbitrary origin; may have a fraction. It never goes backwards and has nothing to do with the wall clock. */
export type Monotonic = Brand<number, 'Monotonic'>
/**
 * Log time in milliseconds: the leaders' accumulated monotonic time, carried by the log itself. The only time that a
 * state machine knows. It never goes backwards; time during which the cluster was down does not count.
 */
export type LogTime = Brand<number, 'LogTime'>

const safe = (value: number, what: string, least: number): number => {
  if (!Number.isSafeInteger(value) || value < least)
    throw new RangeError(`${what} must be a safe integer of at least ${least}, got ${value}`)
  return value
}

/** @throws RangeError if `id` is empty or longer than 128 characters. */
export const nodeId = (id: string): NodeId => {
  if (id.length === 0 || id.length > 128) throw new RangeError(`a node id has 1 to 128 characters, got ${id.length}`)
  return id as NodeId
}
/** @throws RangeError if negative. */
export const epoch = (value: bigint): Epoch => {
  if (value < 0n) throw new RangeError(`an epoch is not negative, got ${value}`)
  return value as Epoch
}
/** @throws RangeError unless a safe integer ≥ 0. */
export const position = (value: number): Position => safe(value, 'a position', 0) as Position
/** @throws RangeError unless a safe integer ≥ 1. */
export const slot = (value: number): Slot => safe(value, 'a slot', 1) as Slot
/** @throws RangeError unless a safe integer ≥ 1. */
export const writeId = (value: number): WriteId => safe(value, 'a write id', 1) as WriteId
/** @throws RangeError unless a safe integer ≥ 0. */
export const requestId = (value: number): RequestId => safe(value, 'a request id', 0) as RequestId
/** @throws RangeError unless 1 to 64 characters of `[0-9a-z-]`. */
export const snapshotId = (id: string): SnapshotId => {
  if (!/^[0-9a-z-]{1,64}$/.test(id))
    throw new RangeError(`a snapshot id has 1 to 64 characters of [0-9a-z-], got ${JSON.stringify(id.slice(0, 80))}`)
  return id as SnapshotId
}
