/** Anomalies that have names. */
import { describe, expect, test } from 'vitest'
import {
  check,
  type KvStoreInput,
  type KvStoreOutput,
  kvModel,
  kvStoreModel,
  lockModel,
  type Operation,
  queueModel,
  registerModel,
} from '../src/index.ts'
import { call, open } from './history.ts'

const get = (key: string) => ({ type: 'get', key }) as const
const put = (key: string, value: string, ifRevision?: bigint) => ({ type: 'put', key, value, ifRevision }) as const
const got = (value: string | null, modRevision?: bigint, revision?: bigint) =>
  ({ type: 'got', value, modRevision, revision }) as const
const done = (revision?: bigint, previous?: bigint) => ({ type: 'done', revision, previous }) as const

const texts = <Input, Output>(result: ReturnType<typeof check<unknown, Input, Output>>): readonly string[] => {
  if (result.verdict !== 'illegal') throw new Error(`the verdict is ${result.verdict}`)
  return result.window.calls.map(({ text, stuck }) => (stuck ? `✗ ${text}` : text))
}

describe('reads', () => {
  test('stale read: the leader of a minority answers from what it has', () => {
    const history = [
      call('a', put('k', 'old'), done(1n, 0n), 0, 10),
      call('a', put('k', 'new'), done(2n, 1n), 20, 30),
      call('b', get('k'), got('old', 1n, 1n), 40, 50),
    ]
    expect(texts(check(kvModel, history))).toEqual(['put k "new" → done @2', '✗ get k → "old" @1'])
    // The same without revisions.
    const bare = [
      call('a', put('k', 'old'), done(), 0, 10),
      call('a', put('k', 'new'), done(), 20, 30),
      call('b', get('k'), got('old'), 40, 50),
    ]
    expect(texts(check(kvModel, bare))).toEqual(['put k "old" → done', 'put k "new" → done', '✗ get k → "old"'])
    // While the second write is under way, either may be read.
    const under = bare.map((operation, at) => (at === 1 ? { ...operation, returned: 45 } : operation))
    expect(check(kvModel, under).verdict).toBe('ok')
  })

  test('dirty read: a value is read whose write was refused', () => {
    const history = [
      call('a', put('k', 'one'), done(1n, 0n), 0, 10),
      call('b', put('k', 'two', 7n), { type: 'mismatch', current: 1n } as const, 20, 30),
      call('c', get('k'), got('two', 2n, 2n), 25, 40),
    ]
    expect(texts(check(kvModel, history))).toEqual(['✗ get k → "two" @2'])
  })

  test('reads that go back and forth, of a write whose outcome nobody knows', () => {
    const history = [
      call('a', put('k', 'one'), done(), 0, 1),
      open('b', put('k', 'two'), 2),
      call('c', get('k'), got('two'), 3, 4),
      call('d', get('k'), got('one'), 5, 6),
    ]
    expect(texts(check(kvModel, history))).toEqual(['put k "one" → done', 'get k → "two"', '✗ get k → "one"'])
  })

  test('lost write: it was acknowledged, and a new leader never heard of it', () => {
    const history = [
      call('a', put('k', 'one'), done(1n, 0n), 0, 1),
      call('b', get('k'), got(null, undefined, 0n), 2, 3),
    ]
    expect(texts(check(kvModel, history))).toEqual(['put k "one" → done @1', '✗ get k → nothing'])
  })
})

describe('writes', () => {
  test('lost update: two read the same, both write what they made of it', () => {
    const history = [
      call('a', put('n', '1'), done(1n, 0n), 0, 1),
      call('b', put('n', '2', 1n), done(2n, 1n), 2, 5),
      call('c', put('n', '2', 1n), done(3n, 1n), 3, 6),
    ]
    expect(check(kvModel, history).verdict).toBe('illegal')
    const cas = { type: 'cas', expected: 1, value: 2 } as const
    const bare = [call('b', cas, true, 2, 5), call('c', cas, true, 3, 6)]
    expect(texts(check(registerModel(1), bare))).toEqual(['cas 1 to 2 → true', '✗ cas 1 to 2 → true'])
  })

  test('ABA: compare-and-swap by value cannot tell, by revision it can', () => {
    const swap = { type: 'cas', key: 'k', expected: 'A', value: 'C' } as const
    const rounds = [
      call('a', put('k', 'A'), done(1n, 0n), 0, 1),
      call('b', put('k', 'B'), done(2n, 1n), 2, 3),
      call('b', put('k', 'A'), done(3n, 2n), 4, 5),
    ]
    expect(check(kvModel, [...rounds, call('a', swap, done(4n, 3n), 6, 7)]).verdict).toBe('ok')
    expect(check(kvModel, [...rounds, call('a', put('k', 'C', 1n), done(4n, 3n), 6, 7)]).verdict).toBe('illegal')
  })

  test('applied twice: a retried command has its effect again, after another one', () => {
    const history = [
      call('a', put('k', 'one'), done(1n, 0n), 0, 9),
      call('b', put('k', 'two'), done(2n, 1n), 10, 11),
      call('b', get('k'), got('one', 3n, 3n), 12, 13),
    ]
    expect(check(kvModel, history).verdict).toBe('illegal')
  })

  test('two keys with one revision are for the whole store to see', () => {
    const history = [call('a', put('k', 'one'), done(1n, 0n), 0, 1), call('b', put('l', 'two'), done(1n, 0n), 0, 1)]
    expect(check(kvModel, history).verdict).toBe('ok')
    expect(check(kvStoreModel(), history).verdict).toBe('illegal')
  })
})

describe('several keys', () => {
  const both = { type: 'getMany', keys: ['k', 'l'] } as const
  const batch = { type: 'batch', writes: [put('k', 'x'), put('l', 'x')] } as const

  test('fractured read: half of a batch is seen', () => {
    const seen = (values: readonly (string | null)[]): readonly Operation<KvStoreInput, KvStoreOutput>[] => [
      call('a', batch, done(1n), 0, 9),
      call('b', both, { type: 'gotMany', values }, 1, 8),
    ]
    expect(check(kvStoreModel(), seen(['x', null])).verdict).toBe('illegal')
    expect(check(kvStoreModel(), seen(['x', 'x'])).verdict).toBe('ok')
    expect(check(kvStoreModel(), seen([null, null])).verdict).toBe('ok')
  })

  test('a list is in byte order, and a page that ends early says so', () => {
    const history = [
      call('a', put('\u{1f600}', 'x'), done(1n, 0n), 0, 1),
      call('a', put('\uffee', 'y'), done(2n, 0n), 2, 3),
    ]
    const list = { type: 'list', from: '', to: '', limit: 9 } as const
    const page = (keys: readonly string[], more: boolean) =>
      check(kvStoreModel(), [
        ...history,
        call('b', list, { type: 'listed', entries: keys.map((key) => ({ key })), more, revision: 2n } as const, 4, 5),
      ]).verdict
    expect(page(['\uffee', '\u{1f600}'], false)).toBe('ok')
    expect(page(['\u{1f600}', '\uffee'], false)).toBe('illegal')
    expect(page(['\uffee'], true)).toBe('ok')
    expect(page(['\uffee'], false)).toBe('illegal')
    expect(page(['\uffee', '\u{1f600}'], true)).toBe('illegal')
  })
})

describe('locks', () => {
  const acquire = { type: 'acquire' } as const

  test('two holders: the first has not released', () => {
    const history = [call('a', acquire, 1n, 0, 1), call('b', acquire, 2n, 2, 3)]
    expect(texts(check(lockModel(), history))).toEqual(['acquire → 1', '✗ acquire → 2'])
    expect(check(lockModel({ expires: true }), history).verdict).toBe('ok')
  })

  test('a holder that was overtaken while it slept is not served', () => {
    const history = [
      call('a', acquire, 1n, 0, 1),
      call('b', acquire, 2n, 2, 3),
      call('a', { type: 'check', token: 1n } as const, true, 4, 5),
    ]
    expect(check(lockModel({ expires: true }), history).verdict).toBe('illegal')
  })

  test('a token that does not rise fences nobody', () => {
    const history = [call('a', acquire, 2n, 0, 1), call('b', acquire, 2n, 2, 3)]
    expect(check(lockModel({ expires: true }), history).verdict).toBe('illegal')
  })
})

test('a queue delivers nothing twice and nothing out of order', () => {
  const add = (value: string, at: number) => call('a', { type: 'enqueue', value } as const, undefined, at, at + 1)
  const take = (value: string | null, at: number) => call('b', { type: 'dequeue' } as const, value, at, at + 1)
  expect(check(queueModel, [add('x', 0), add('y', 2), take('x', 4), take('y', 6), take(null, 8)]).verdict).toBe('ok')
  expect(check(queueModel, [add('x', 0), add('y', 2), take('y', 4), take('x', 6)]).verdict).toBe('illegal')
  expect(texts(check(queueModel, [add('x', 0), take('x', 2), take('x', 4)]))).toEqual([
    'dequeue → "x"',
    '✗ dequeue → "x"',
  ])
})
