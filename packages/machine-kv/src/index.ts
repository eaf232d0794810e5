/**
 * A revisioned key-value store as a deterministic state machine. Every write that has an effect has a revision, one above the one before;
 * a write may require the revision of what it replaces; watches tell every write from a revision on, in order and without gaps, as far back as a
 * bounded history goes. Formats: docs/formats/kv.md.
 *
 * @example
 * ```ts
 * import { decodeWriteReply, encodeKey, encodePut, kvMachine } from '@conclave/machine-kv'
 *
 * const machine = kvMachine()
 * const reply = machine.apply(encodePut(encodeKey('greeting'), new TextEncoder().encode('hello')), context)
 * decodeWriteReply(reply) // { status: 'done', revision: 1n, previous: 0n }
 * ```
 *
 * @packageDocumentation
 */
export {
  type Condition,
  decodeWriteReply,
  encodeDelete,
  encodePut,
  kvOperations,
  kvStatus,
  type WriteReply,
} from './commands.ts'
export type { HistoryLimits } from './history.ts'
export {
  decodeKey,
  encodeBound,
  encodeKey,
  type Interval,
  keyInterval,
  maxKeyBytes,
  maxValueBytes,
  prefixInterval,
  successor,
} from './keys.ts'
export { type KvMachineInit, kvMachine } from './machine.ts'
export {
  type CountReply,
  decodeCountReply,
  decodeGetReply,
  decodeInfoReply,
  decodeListReply,
  encodeQuery,
  type GetReply,
  type InfoReply,
  type KvEntry,
  type KvQuery,
  kvQueries,
  type ListReply,
  maxListBytes,
  maxListEntries,
} from './queries.ts'
export { decodeEvents, encodeWatch, type KvEvent, type KvEvents, type KvWatch } from './watches.ts'
