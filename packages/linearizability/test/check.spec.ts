import { describe, expect, test } from 'vitest'
import { check, type KvInput, type KvOutput, kvModel, type Model, type Operation, registerModel } from '../src/index.ts'
import { call, open } from './history.ts'
import { longHistory } from './long-history.ts'

const read = { type: 'read' } as const
const write = (value: number) => ({ type: 'write', value }) as const

describe('bounds', () => {
  /** Twelve writes at once, and after them a read that none of them explains. */
  const hard = [
    ...Array.from({ length: 12 }, (_, at) => call(at, write(at), undefined, 0, 100)),
    call('reader', read, 99, 200, 300),
  ]

  test('what takes too many steps is unknown, the same in every run', () => {
    const result = check(registerModel(0), hard, { maxSteps: 1000 })
    expect(result).toEqual({ verdict: 'unknown', steps: 1000, reason: 'steps', partitions: [''] })
    expect(check(registerModel(0), hard).verdict).toBe('illegal')
  })

  test('what takes too much time is unknown', () => {
    let time = 0
    const now = (): number => time++
    const result = check(registerModel(0), hard, { timeoutMillis: 5, now })
    expect(result).toMatchObject({ verdict: 'unknown', reason: 'time' })
    expect(time).toBeLessThan(10)
  })

  test('one hard part hides no error in another', () => {
    const key = (name: string) => ({ type: 'get', key: name }) as const
    const puts = Array.from(
      { length: 12 },
      (_, at): Operation<KvInput, KvOutput> =>
        call(at, { type: 'put', key: 'hard', value: `${at}` }, { type: 'done' }, 0, 100),
    )
    const wrong = (name: string): Operation<KvInput, KvOutput> =>
      call('reader', key(name), { type: 'got', value: 'x' }, 200, 300)
    expect(check(kvModel, [...puts, wrong('hard')], { maxSteps: 2000 }).verdict).toBe('unknown')
    const result = check(kvModel, [...puts, wrong('hard'), wrong('easy')], { maxSteps: 2000 })
    if (result.verdict !== 'illegal') throw new Error(result.verdict)
    expect(result.window.partition).toBe('key easy')
  })

  test('options and histories that make no sense are refused', () => {
    const model = registerModel(0)
    expect(() => check(model, [call(1, read, 0, 5, 4)])).toThrow(
      'operation 0 returned at 4, before it was invoked at 5',
    )
    expect(() => check(model, [call(1, read, 0, Number.NaN, 4)])).toThrow('times are numbers or bigints')
    expect(() => check(model, [], { maxSteps: 0 })).toThrow('maxSteps')
    expect(() => check(model, [], { timeoutMillis: 1 })).toThrow('pass now')
    expect(() => check(model, [], { timeoutMillis: Number.NaN, now: () => 0 })).toThrow('timeoutMillis')
    const loses: Model<unknown, unknown, unknown> = {
      ...(model as Model<unknown, unknown, unknown>),
      partition: () => [],
    }
    expect(() => check(loses, [call(1, read, 0, 1, 2)])).toThrow('splits 1 operations into parts of 0')
  })
})

describe('times', () => {
  test('a call that returned when another was invoked is concurrent with it', () => {
    const history = (invoked: number) => [call(1, write(1), undefined, 0, 5), call(2, read, 0, invoked, 9)]
    expect(check(registerModel(0), history(5)).verdict).toBe('ok')
    expect(check(registerModel(0), history(6)).verdict).toBe('illegal')
  })

  test('numbers and bigints may be mixed', () => {
    const history = [call(1, write(1), undefined, 0n, 2n ** 60n), call(2, read, 0, 2 ** 61, Number.POSITIVE_INFINITY)]
    expect(check(registerModel(0), history).verdict).toBe('illegal')
  })
})

describe('a hundred thousand calls', () => {
  const calls = 100_000

  test('of ten at once on each of ten keys take a few steps each', () => {
    const history = longHistory({ calls, clients: 100, keys: 10, lostPerMille: 2 })
    const result = check(kvModel, history)
    expect(result.verdict).toBe('ok')
    expect(result.steps).toBeLessThan(15 * calls)
  })

  test('or fewer, with one wrong among them: the window holds that', () => {
    const fewer = calls / 5
    const history = [...longHistory({ calls: fewer, clients: 100, keys: 10, lostPerMille: 2 })]
    const at = history.findIndex(({ output }, index) => index > fewer / 2 && output?.type === 'got')
    const { output, ...rest } = history[at] as Operation<KvInput, KvOutput>
    history[at] = { ...rest, output: { ...(output as Extract<KvOutput, { type: 'got' }>), value: 'from nowhere' } }
    const result = check(kvModel, history)
    if (result.verdict !== 'illegal') throw new Error(result.verdict)
    expect(result.steps).toBeLessThan(15 * fewer)
    expect(result.window.calls.length).toBeLessThan(10)
    expect(result.window.calls.find(({ stuck }) => stuck)?.text).toContain('from nowhere')
  })

  test('on one key without revisions are harder, and still few', () => {
    const history = longHistory({ calls: calls / 5, clients: 8, keys: 1, lostPerMille: 0, bare: true })
    const result = check(kvModel, history)
    expect(result.verdict).toBe('ok')
    expect(result.steps).toBeLessThan(100 * calls)
  })

  test('of which many never returned', () => {
    const writes = Array.from({ length: 40 }, (_, at) => open(`lost ${at}`, write(at), at))
    const history = [...writes, call('a', read, 7, 100, 101), call('a', read, 31, 102, 103)]
    expect(check(registerModel(0), history).steps).toBeLessThan(5000)
    const back = [...history, call('b', read, 7, 104, 105)]
    const result = check(registerModel(0), back)
    expect(result.verdict).toBe('illegal')
    expect(result.steps).toBeLessThan(10_000)
  })
})
