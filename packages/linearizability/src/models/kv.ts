import { type Model, partitionBy, type UnknownOutput, unknownOutput } from '../model.ts'

export type KvInput =
  | { readonly type: 'get'; readonly key: string }
  /** `ifRevision`: only if the key's `modRevision` is this; 0n: only if the key does not exist. */
  | { readonly type: 'put'; readonly key: string; readonly value: string; readonly ifRevision?: bigint | undefined }
  | { readonly type: 'delete'; readonly key: string; readonly ifRevision?: bigint | undefined }
  /** Writes `value` if the value is `expected`; null: if the key does not exist. */
  | { readonly type: 'cas'; readonly key: string; readonly expected: string | null; readonly value: string }

/** What a reply does not carry, or the test does not record, is left out and not checked. */
export type KvOutput =
  | {
      readonly type: 'got'
      /** null: the key does not exist. */
      readonly value: string | null
      /** Revision of the write that put the value there; 0n if the key does not exist. */
      readonly modRevision?: bigint | undefined
      /** Revision of the store when it was read. */
      readonly revision?: bigint | undefined
    }
  | {
      /** The write was done. */
      readonly type: 'done'
      /** Revision of the store after it; of this write, unless it deleted a key that was not there. */
      readonly revision?: bigint | undefined
      /** `modRevision` of what was there before; 0n: nothing was. */
      readonly previous?: bigint | undefined
    }
  /** The condition did not hold, and nothing was written. `current` is the key's `modRevision`. */
  | { readonly type: 'mismatch'; readonly current?: bigint | undefined }

/** One key. */
export interface KvState {
  /** null: the key does not exist. */
  readonly value: string | null
  /** The key's `modRevision`, 0n if it does not exist; undefined: it is above `above`, and no reply has told it. */
  readonly modified: bigint | undefined
  readonly above: bigint
  /** The highest revision of the store that a call on this key has seen. */
  readonly seen: bigint
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)

/** Takes what a reply tells of the key's `modRevision`. @returns undefined if that cannot be. */
const bind = (state: KvState, modified: bigint | undefined): KvState | undefined => {
  if (modified === undefined || modified === state.modified) return state
  if (state.modified !== undefined || modified <= state.above) return undefined
  return { ...state, modified, above: 0n, seen: max(state.seen, modified) }
}

const get = (state: KvState, output: KvOutput | UnknownOutput): KvState | undefined => {
  if (output === unknownOutput) return state
  if (output.type !== 'got' || output.value !== state.value) return undefined
  const bound = bind(state, output.modRevision)
  const { revision } = output
  if (bound === undefined || revision === undefined || revision === bound.seen) return bound
  return revision < bound.seen ? undefined : { ...bound, seen: revision }
}

/** @returns the state after a write that was done. */
const write = (
  state: KvState,
  value: string | null,
  revision: bigint | undefined,
  previous: bigint | undefined,
): KvState | undefined => {
  const bound = bind(state, previous)
  if (bound === undefined) return undefined
  if (value === null && bound.value === null) {
    if (revision === undefined) return bound
    return revision < bound.seen ? undefined : { ...bound, seen: revision }
  }
  // A value whose revision nobody has told has one all the same: the next write comes after it.
  const least = bound.modified === undefined ? max(bound.seen, bound.above + 1n) : bound.seen
  if (revision !== undefined && revision <= least) return undefined
  const seen = revision ?? bound.seen
  if (value === null) return { value, modified: 0n, above: 0n, seen }
  return { value, modified: revision, above: revision === undefined ? seen : 0n, seen }
}

/** The condition of a write: whether it holds, and what holds if it does. */
const condition = (state: KvState, input: KvInput): KvState | undefined => {
  if (input.type === 'cas') return input.expected === state.value ? state : undefined
  return input.type === 'get' ? state : bind(state, input.ifRevision)
}

const mismatch = (state: KvState, input: KvInput, current: bigint | undefined): KvState | undefined => {
  const bound = bind(state, current)
  if (bound === undefined || input.type === 'get') return undefined
  if (input.type === 'cas') return input.expected === bound.value ? undefined : bound
  // With an unknown revision the condition may have failed on any other; that it was not this one is not kept.
  return input.ifRevision === undefined || input.ifRevision === bound.modified ? undefined : bound
}

const stepKey = (state: KvState, input: KvInput, output: KvOutput | UnknownOutput): KvState | undefined => {
  if (input.type === 'get') return get(state, output)
  if (output !== unknownOutput && output.type === 'mismatch') return mismatch(state, input, output.current)
  if (output !== unknownOutput && output.type !== 'done') return undefined
  const met = condition(state, input)
  const value = input.type === 'delete' ? null : input.value
  if (output === unknownOutput) return met === undefined ? state : write(met, value, undefined, undefined)
  return met && write(met, value, output.revision, output.previous)
}

/** Has the write of this revision been overtaken? The next one has a revision above all that have been seen. */
const gone = (state: KvState, modified: bigint | undefined): boolean =>
  modified !== undefined &&
  modified !== 0n &&
  modified !== state.modified &&
  modified <= (state.modified === undefined ? state.above : state.seen)

const tooLate = (state: KvState, input: KvInput, output: KvOutput): boolean => {
  switch (output.type) {
    case 'got':
      return (output.revision ?? state.seen) < state.seen || gone(state, output.modRevision)
    case 'done': {
      const effective = input.type !== 'delete' || (output.previous !== undefined && output.previous > 0n)
      const { revision } = output
      if (revision !== undefined && (revision < state.seen || (effective && revision === state.seen))) return true
      return gone(state, output.previous)
    }
    case 'mismatch':
      return gone(state, output.current)
  }
}

const shown = (value: string | null): string => (value === null ? 'nothing' : JSON.stringify(value))

export const describeKvInput = (input: KvInput): string => {
  switch (input.type) {
    case 'get':
      return `get ${input.key}`
    case 'cas':
      return `cas ${input.key} ${shown(input.expected)} to ${shown(input.value)}`
    case 'put':
    case 'delete': {
      const what = input.type === 'put' ? `put ${input.key} ${shown(input.value)}` : `delete ${input.key}`
      return input.ifRevision === undefined ? what : `${what} if @${input.ifRevision}`
    }
  }
}

export const describeKvOutput = (output: KvOutput | UnknownOutput): string => {
  if (output === unknownOutput) return '?'
  switch (output.type) {
    case 'got':
      return shown(output.value) + (output.modRevision === undefined ? '' : ` @${output.modRevision}`)
    case 'done':
      return output.revision === undefined ? 'done' : `done @${output.revision}`
    case 'mismatch':
      return output.current === undefined ? 'mismatch' : `mismatch @${output.current}`
  }
}

/**
 * A key-value store with compare-and-swap by value or by revision, checked key by key. It fits the commands and replies of `@conclave/machine-kv`, and any
 * store that has less: revisions that replies do not carry are not checked.
 *
 * Revisions count the writes of the whole store, and a part knows one key. So nothing here says that they have no gaps. What holds on one key alone:
 * they rise with every write, none is below a revision that an earlier call on the key has seen, conditions compare with the `modRevision` of the key,
 * and `previous` is that as well. A write of unknown outcome has a revision that nobody knows, until a later reply tells it.
 *
 * That two keys were never given the same revision, and that reads of several keys are consistent, is for `kvStoreModel` to check.
 * A history begins with an empty store; of one that does not, begin with a `put` for each key.
 */
export const kvModel: Model<KvState, KvInput, KvOutput> = {
  name: 'kv',
  initial: () => ({ value: null, modified: 0n, above: 0n, seen: 0n }),
  step: stepKey,
  tooLate,
  readOnly: ({ type }) => type === 'get',
  key: ({ value, modified, above, seen }) =>
    `${modified ?? '?'} ${above} ${seen} ${value === null ? '-' : `=${value}`}`,
  partition: (operations) => partitionBy(operations, ({ key }) => `key ${key}`),
  describeOperation: (input, output) => `${describeKvInput(input)} → ${describeKvOutput(output)}`,
  describeState: ({ value, modified }) =>
    value === null ? 'no value' : `${shown(value)}${modified === undefined ? '' : ` @${modified}`}`,
}
