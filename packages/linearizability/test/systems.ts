/** Systems that are right, to make histories with; and what clients ask of them. */
import type { Epoch, LogTime, Position } from '@conclave/interface'
import {
  decodeGetReply,
  decodeWriteReply,
  encodeDelete,
  encodeKey,
  encodePut,
  encodeQuery,
  kvMachine,
} from '@conclave/machine-kv'
import fc from 'fast-check'
import {
  type KvInput,
  type KvOutput,
  type KvStoreInput,
  type KvStoreOutput,
  kvModel,
  kvStoreModel,
  type LockInput,
  type LockOutput,
  lockModel,
  type Model,
  type QueueInput,
  type QueueOutput,
  queueModel,
  type RegisterInput,
  type RegisterOutput,
  type RegisterValue,
  registerModel,
} from '../src/index.ts'

export interface System<State, Input, Output> {
  readonly model: Model<State, Input, Output>
  readonly inputs: fc.Arbitrary<Input>
  /** What such a call could return, right or wrong. */
  readonly outputs: (input: Input) => fc.Arbitrary<Output>
  /** A fresh one. It does one call after another. */
  readonly start: () => (input: Input) => Output
}

const small = fc.integer({ min: 0, max: 3 })
const token = small.map(BigInt)

export const register: System<RegisterValue, RegisterInput, RegisterOutput> = {
  model: registerModel(0),
  inputs: fc.oneof(
    fc.constant({ type: 'read' } as const),
    small.map((value) => ({ type: 'write', value }) as const),
    fc.tuple(small, small).map(([expected, value]) => ({ type: 'cas', expected, value }) as const),
  ),
  outputs: ({ type }) => (type === 'read' ? small : type === 'cas' ? fc.boolean() : fc.constant(undefined)),
  start: () => {
    let now: RegisterValue = 0
    return (input) => {
      if (input.type === 'read') return now
      const does = input.type === 'write' || input.expected === now
      if (does) now = input.value
      return input.type === 'cas' ? does : undefined
    }
  },
}

export const queue: System<readonly (string | number)[], QueueInput, QueueOutput> = {
  model: queueModel,
  inputs: fc.oneof(
    small.map((value) => ({ type: 'enqueue', value }) as const),
    fc.constant({ type: 'dequeue' } as const),
  ),
  outputs: ({ type }) => (type === 'dequeue' ? fc.option(small) : fc.constant(undefined)),
  start: () => {
    const waiting: (string | number)[] = []
    return (input) => {
      if (input.type === 'dequeue') return waiting.shift() ?? null
      waiting.push(input.value)
      return undefined
    }
  },
}

const lockInputs: fc.Arbitrary<LockInput> = fc.oneof(
  fc.constant({ type: 'acquire' } as const),
  token.map((given) => ({ type: 'release', token: given }) as const),
  token.map((given) => ({ type: 'check', token: given }) as const),
)

const startLock = (): ((input: LockInput) => LockOutput) => {
  let holder: bigint | undefined
  let last = 0n
  return (input) => {
    if (input.type === 'acquire') {
      if (holder !== undefined) return null
      last += 1n
      holder = last
      return last
    }
    const holds = holder === input.token
    if (holds && input.type === 'release') holder = undefined
    return holds
  }
}

const lockOutputs = ({ type }: LockInput): fc.Arbitrary<LockOutput> =>
  type === 'acquire' ? fc.option(token) : fc.boolean()

export const lock: System<unknown, LockInput, LockOutput> = {
  model: lockModel(),
  inputs: lockInputs,
  outputs: lockOutputs,
  start: startLock,
} as System<unknown, LockInput, LockOutput>

export const expiringLock = { ...lock, model: lockModel({ expires: true }) } as System<unknown, LockInput, LockOutput>

const key = fc.constantFrom('a', 'b')
const value = fc.constantFrom('x', 'y', 'z')
const revision = fc.bigInt({ min: 0n, max: 4n })
const kvInputs: fc.Arbitrary<Exclude<KvInput, { readonly type: 'cas' }>> = fc.oneof(
  key.map((at) => ({ type: 'get', key: at }) as const),
  fc.tuple(key, value).map(([at, to]) => ({ type: 'put', key: at, value: to }) as const),
  fc
    .tuple(key, value, revision)
    .map(([at, to, ifRevision]) => ({ type: 'put', key: at, value: to, ifRevision }) as const),
  key.map((at) => ({ type: 'delete', key: at }) as const),
  fc.tuple(key, revision).map(([at, ifRevision]) => ({ type: 'delete', key: at, ifRevision }) as const),
)

const text = new TextEncoder()
const plain = new TextDecoder()
const context = { position: 1 as Position, time: 0 as LogTime, epoch: 1n as Epoch }

/** The store that Conclave runs. It has no compare-and-swap by value. */
const startStore = (): ((input: KvInput) => KvOutput) => {
  const machine = kvMachine()
  return (input) => {
    const bytes = encodeKey(input.key)
    if (input.type === 'get') {
      const { entry, revision: at } = decodeGetReply(machine.query(encodeQuery({ type: 'get', key: bytes })))
      if (entry === undefined) return { type: 'got', value: null, revision: at }
      return { type: 'got', value: plain.decode(entry.value), modRevision: entry.modRevision, revision: at }
    }
    if (input.type === 'cas') throw new Error('the store has no compare-and-swap by value')
    const command =
      input.type === 'put'
        ? encodePut(bytes, text.encode(input.value), input.ifRevision)
        : encodeDelete(bytes, input.ifRevision)
    const reply = decodeWriteReply(machine.apply(command, context))
    if (reply.status === 'done') return { type: 'done', revision: reply.revision, previous: reply.previous }
    if (reply.status === 'mismatch') return { type: 'mismatch', current: reply.current }
    throw new Error(reply.status)
  }
}

const kvOutputs = (input: KvInput): fc.Arbitrary<KvOutput> =>
  input.type === 'get'
    ? fc.record({ type: fc.constant('got' as const), value: fc.option(value, { nil: null }), revision })
    : fc.oneof(
        fc.record({ type: fc.constant('done' as const), revision, previous: revision }),
        fc.record({ type: fc.constant('mismatch' as const), current: revision }),
      )

export const kv = { model: kvModel, inputs: kvInputs, outputs: kvOutputs, start: startStore } as System<
  unknown,
  KvInput,
  KvOutput
>

export const kvStore = {
  model: kvStoreModel(),
  inputs: kvInputs,
  outputs: kvOutputs,
  start: startStore,
} as unknown as System<unknown, KvStoreInput, KvStoreOutput>

const startPlainStore = (): ((input: KvInput) => KvOutput) => {
  const values = new Map<string, string>()
  return (input) => {
    const now = values.get(input.key) ?? null
    if (input.type === 'get') return { type: 'got', value: now }
    if (input.type === 'cas' && input.expected !== now) return { type: 'mismatch' }
    if (input.type === 'delete') values.delete(input.key)
    else values.set(input.key, input.value)
    return { type: 'done' }
  }
}

/** Without revisions, with compare-and-swap by value. */
export const plainKv = {
  model: kvModel,
  inputs: fc.oneof(
    key.map((at) => ({ type: 'get', key: at }) as const),
    fc.tuple(key, value).map(([at, to]) => ({ type: 'put', key: at, value: to }) as const),
    fc
      .tuple(key, fc.option(value), value)
      .map(([at, expected, to]) => ({ type: 'cas', key: at, expected, value: to }) as const),
    key.map((at) => ({ type: 'delete', key: at }) as const),
  ),
  outputs: ({ type }: KvInput) =>
    type === 'get'
      ? fc.record({ type: fc.constant('got' as const), value: fc.option(value) })
      : fc.constantFrom({ type: 'done' } as const, { type: 'mismatch' } as const),
  start: startPlainStore,
} as System<unknown, KvInput, KvOutput>

export const plainKvStore = { ...plainKv, model: kvStoreModel({ revisions: false }) } as unknown as System<
  unknown,
  KvStoreInput,
  KvStoreOutput
>

export const systems = { register, queue, lock, expiringLock, kv, kvStore, plainKv, plainKvStore } as unknown as Record<
  string,
  System<unknown, unknown, unknown>
>
