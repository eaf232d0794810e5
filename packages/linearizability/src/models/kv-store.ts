import { type Model, unknownOutput } from '../model.ts'
import { describeKvInput, describeKvOutput, type KvInput, type KvOutput } from './kv.ts'

type KvWrite = Exclude<KvInput, { readonly type: 'get' }>

export type KvStoreInput =
  | KvInput
  /** Several keys at once. */
  | { readonly type: 'getMany'; readonly keys: readonly string[] }
  /** Keys from `from` on and before `to` (empty: no end), in byte order of UTF-8, at most `limit`. */
  | { readonly type: 'list'; readonly from: string; readonly to: string; readonly limit?: number | undefined }
  /** All or nothing: conditions compare with what was there before, and all writes share one revision. Each key once. */
  | { readonly type: 'batch'; readonly writes: readonly KvWrite[] }

export interface KvStoreEntry {
  readonly key: string
  /** Left out if the reply carries keys only. */
  readonly value?: string | undefined
  readonly modRevision?: bigint | undefined
}

export type KvStoreOutput =
  | KvOutput
  | { readonly type: 'gotMany'; readonly values: readonly (string | null)[]; readonly revision?: bigint | undefined }
  | {
      readonly type: 'listed'
      readonly entries: readonly KvStoreEntry[]
      /** The list was cut: by `limit`, or by a bound of the reply's size. */
      readonly more?: boolean | undefined
      readonly revision?: bigint | undefined
    }

export interface KvStoreState {
  readonly revision: bigint
  readonly entries: ReadonlyMap<string, { readonly value: string; readonly modified: bigint }>
  /** What `Model.key` gives. */
  readonly text: string
}

export interface KvStoreInit {
  /**
   * Replies carry revisions: every write that has an effect has one, one above the one before, and the history holds all writes. False: revisions are
   * not looked at, and conditions on them are refused. Default true.
   */
  readonly revisions?: boolean
}

/** UTF-8 orders as code points do; UTF-16, and so `<`, does not. */
const compareKeys = (a: string, b: string): number => {
  if (a === b) return 0
  const left = Array.from(a, (point) => point.codePointAt(0) as number)
  const right = Array.from(b, (point) => point.codePointAt(0) as number)
  const differs = left.findIndex((point, at) => point !== right[at])
  return differs < 0 ? -1 : (left[differs] as number) - (right[differs] ?? -1)
}

const stateOf = (revision: bigint, entries: KvStoreState['entries']): KvStoreState => {
  const rows = [...entries].map(([key, { value, modified }]) => [key, value, `${modified}`])
  rows.sort((a, b) => ((a[0] as string) < (b[0] as string) ? -1 : 1))
  return { revision, entries, text: `${revision} ${JSON.stringify(rows)}` }
}

const same = <T>(told: T | undefined, actual: T): boolean => told === undefined || told === actual

/** @returns the key's `modRevision` if the condition does not hold; undefined if it does. */
const mismatchOf = ({ entries }: KvStoreState, write: KvWrite): bigint | undefined => {
  const entry = entries.get(write.key)
  const holds =
    write.type === 'cas' ? (entry?.value ?? null) === write.expected : same(write.ifRevision, entry?.modified ?? 0n)
  return holds ? undefined : (entry?.modified ?? 0n)
}

const written = (state: KvStoreState, writes: readonly KvWrite[], counts: boolean): KvStoreState => {
  const effective = writes.filter((write) => write.type !== 'delete' || state.entries.has(write.key))
  if (effective.length === 0) return state
  const revision = counts ? state.revision + 1n : 0n
  const entries = new Map(state.entries)
  for (const write of effective) {
    if (write.type === 'delete') entries.delete(write.key)
    else entries.set(write.key, { value: write.value, modified: revision })
  }
  return stateOf(revision, entries)
}

const list = (
  { entries }: KvStoreState,
  { from, to, limit }: Extract<KvStoreInput, { readonly type: 'list' }>,
): readonly Required<KvStoreEntry>[] =>
  [...entries]
    .filter(([key]) => compareKeys(key, from) >= 0 && (to === '' || compareKeys(key, to) < 0))
    .sort(([a], [b]) => compareKeys(a, b))
    .slice(0, limit)
    .map(([key, { value, modified }]) => ({ key, value, modRevision: modified }))

type Listed = Extract<KvStoreOutput, { readonly type: 'listed' }>
type ListInput = Extract<KvStoreInput, { readonly type: 'list' }>

const fitsList = (state: KvStoreState, input: ListInput, output: Listed): boolean => {
  const { entries: told, more } = output
  const all = list(state, { ...input, limit: undefined })
  const expected = list(state, input)
  // A page may end early, but then it says that there is more.
  if (more === true ? told.length > expected.length : told.length !== expected.length) return false
  if (more !== undefined && more !== told.length < all.length) return false
  return told.every(({ key, value, modRevision }, at) => {
    const entry = expected[at]
    return entry !== undefined && key === entry.key && same(value, entry.value) && same(modRevision, entry.modRevision)
  })
}

/** Does the reply to a read fit the state? Revisions in it are removed before if they do not count. */
const fitsRead = (state: KvStoreState, input: KvStoreInput, output: KvStoreOutput): boolean => {
  if (output.type === 'done' || output.type === 'mismatch' || !same(output.revision, state.revision)) return false
  if (input.type === 'get' && output.type === 'got') {
    const entry = state.entries.get(input.key)
    return output.value === (entry?.value ?? null) && same(output.modRevision, entry?.modified ?? 0n)
  }
  if (input.type === 'getMany' && output.type === 'gotMany')
    return (
      output.values.length === input.keys.length &&
      input.keys.every((key, at) => output.values[at] === (state.entries.get(key)?.value ?? null))
    )
  return input.type === 'list' && output.type === 'listed' && fitsList(state, input, output)
}

const stepWrites = (
  state: KvStoreState,
  writes: readonly KvWrite[],
  output: KvStoreOutput | typeof unknownOutput,
  counts: boolean,
): KvStoreState | undefined => {
  const mismatches = writes.map((write) => mismatchOf(state, write)).filter((current) => current !== undefined)
  const met = mismatches.length === 0
  if (output === unknownOutput) return met ? written(state, writes, counts) : state
  if (output.type === 'mismatch')
    return met || (output.current !== undefined && !mismatches.includes(output.current)) ? undefined : state
  if (output.type !== 'done' || !met) return undefined
  const after = written(state, writes, counts)
  const [write] = writes
  const previous = (write && state.entries.get(write.key)?.modified) ?? 0n
  return same(output.revision, after.revision) && same(output.previous, previous) ? after : undefined
}

const withoutRevisions = (input: KvStoreInput, output: KvStoreOutput): KvStoreOutput => {
  const writes = input.type === 'batch' ? input.writes : [input]
  if (writes.some((write) => 'ifRevision' in write && write.ifRevision !== undefined))
    throw new RangeError('a condition on a revision cannot be checked without revisions')
  switch (output.type) {
    case 'got':
      return { type: 'got', value: output.value }
    case 'done':
    case 'mismatch':
      return { type: output.type }
    case 'gotMany':
      return { type: 'gotMany', values: output.values }
    case 'listed':
      return {
        ...output,
        entries: output.entries.map(({ key, value }) => ({ key, value })),
        revision: undefined,
      }
  }
}

const quoted = (value: string | null): string => (value === null ? 'nothing' : JSON.stringify(value))

const describeInput = (input: KvStoreInput): string => {
  switch (input.type) {
    case 'getMany':
      return `get ${input.keys.join(' ')}`
    case 'list':
      return `list ${quoted(input.from)} to ${input.to === '' ? 'the end' : quoted(input.to)}`
    case 'batch':
      return input.writes.map(describeKvInput).join(' and ')
    default:
      return describeKvInput(input)
  }
}

const describeOutput = (output: KvStoreOutput | typeof unknownOutput): string => {
  if (output === unknownOutput) return describeKvOutput(output)
  switch (output.type) {
    case 'gotMany':
      return output.values.map(quoted).join(' ')
    case 'listed':
      return output.entries.map(({ key, value }) => (value === undefined ? key : `${key} ${quoted(value)}`)).join(', ')
    default:
      return describeKvOutput(output)
  }
}

/**
 * A key-value store as a whole: also reads of several keys and batches, and revisions without gaps or doubles. It cannot be split by key, so it is for
 * histories of a few thousand calls and a few hundred keys; `kvModel` is for long ones.
 */
export const kvStoreModel = ({
  revisions = true,
}: KvStoreInit = {}): Model<KvStoreState, KvStoreInput, KvStoreOutput> => ({
  name: 'kv store',
  initial: () => stateOf(0n, new Map()),
  step(state, input, given) {
    const output = revisions || given === unknownOutput ? given : withoutRevisions(input, given)
    switch (input.type) {
      case 'get':
      case 'getMany':
      case 'list':
        return output === unknownOutput || fitsRead(state, input, output) ? state : undefined
      case 'batch':
        return stepWrites(state, input.writes, output, revisions)
      default:
        return stepWrites(state, [input], output, revisions)
    }
  },
  readOnly: ({ type }) => type === 'get' || type === 'getMany' || type === 'list',
  key: ({ text }) => text,
  describeOperation: (input, output) => `${describeInput(input)} → ${describeOutput(output)}`,
  describeState({ entries, revision }) {
    const rows = [...entries].map(([key, { value }]) => `${key} ${quoted(value)}`).sort()
    const shown = rows.length > 6 ? [...rows.slice(0, 5), `${rows.length - 5} more keys`] : rows
    return `${shown.join(', ') || 'nothing'}${revisions ? ` @${revision}` : ''}`
  },
})
