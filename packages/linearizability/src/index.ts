/**
 * Checks whether a history of concurrent calls is linearizable, and shows the part that is not. Pure: no clock, no I/O, no dependencies.
 *
 * @example
 * ```ts
 * import { check, drawText, registerModel } from '@conclave/linearizability'
 *
 * const result = check(registerModel(0), [
 *   { client: 1, input: { type: 'write', value: 4 }, output: undefined, invoked: 1, returned: 3 },
 *   { client: 2, input: { type: 'read' }, output: 0, invoked: 5, returned: 6 },
 * ])
 * if (result.verdict === 'illegal') console.log(drawText(result.window))
 * ```
 *
 * @packageDocumentation
 */
export type { Now } from './budget.ts'
export { type CheckOptions, check, type Verdict } from './check.ts'
export { drawSvg } from './draw-svg.ts'
export { drawText } from './draw-text.ts'
export {
  type Model,
  type Operation,
  type Partition,
  partitionBy,
  type Time,
  type UnknownOutput,
  unknownOutput,
} from './model.ts'
export { type KvInput, type KvOutput, type KvState, kvModel } from './models/kv.ts'
export {
  type KvStoreEntry,
  type KvStoreInit,
  type KvStoreInput,
  type KvStoreOutput,
  type KvStoreState,
  kvStoreModel,
} from './models/kv-store.ts'
export { type LockInit, type LockInput, type LockOutput, type LockState, lockModel } from './models/lock.ts'
export { type QueueInput, type QueueOutput, type QueueValue, queueModel } from './models/queue.ts'
export { type RegisterInput, type RegisterOutput, type RegisterValue, registerModel } from './models/register.ts'
export type { Window, WindowCall } from './window.ts'
