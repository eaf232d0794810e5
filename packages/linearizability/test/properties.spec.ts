import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { check, type Operation } from '../src/index.ts'
import { bruteForce, isWitness } from './brute.ts'
import { histories } from './histories.ts'
import { kvStore, systems } from './systems.ts'

const numRuns = 400

/** Nothing is known of it: open, from before everything. */
const freed = ({ client, input }: Operation<unknown, unknown>): Operation<unknown, unknown> => ({
  client,
  input,
  invoked: -1,
})

const stretch = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }))

describe.each(Object.entries(systems))('%s', (_, system) => {
  const { model } = system
  const made = histories(system, 7)

  test('the verdict is that of brute force, and says how it went', () => {
    let ok = 0
    let illegal = 0
    fc.assert(
      fc.property(made, ({ operations, right }) => {
        const result = check(model, operations)
        const expected = bruteForce(model, operations) ? 'ok' : 'illegal'
        expect(result.verdict).toBe(expected)
        if (right) expect(expected).toBe('ok')
        if (result.verdict !== 'ok') return void illegal++
        ok++
        for (const { name, operations: order } of result.orders) {
          const part = model.partition?.(operations).find((one) => one.name === name)?.operations ?? operations
          expect(isWitness(model, part, order)).toBe(true)
        }
      }),
      { numRuns },
    )
    expect(Math.min(ok, illegal)).toBeGreaterThan(numRuns / 50)
  })

  test('another open call makes nothing illegal, nor does it to forget what a call returned', () => {
    fc.assert(
      fc.property(made, system.inputs, fc.nat(20), fc.nat(6), ({ operations }, input, invoked, forgotten) => {
        if (check(model, operations).verdict !== 'ok') return
        expect(check(model, [...operations, { client: 9, input, invoked }]).verdict).toBe('ok')
        const less = operations.map((operation, at) =>
          at === forgotten
            ? { client: operation.client, input: operation.input, invoked: operation.invoked }
            : operation,
        )
        expect(check(model, less).verdict).toBe('ok')
      }),
      { numRuns },
    )
  })

  test('shorter calls make nothing legal', () => {
    fc.assert(
      fc.property(made, fc.array(stretch, { minLength: 7, maxLength: 7 }), ({ operations }, stretches) => {
        const longer = operations.map((operation, at) => {
          const [before, after] = stretches[at] ?? [0, 0]
          const { invoked, returned } = operation as { invoked: number; returned?: number }
          return {
            ...operation,
            invoked: invoked - before,
            ...(returned === undefined ? {} : { returned: returned + after }),
          }
        })
        if (check(model, longer).verdict === 'illegal') expect(check(model, operations).verdict).toBe('illegal')
      }),
      { numRuns },
    )
  })

  test('a window is illegal whatever the other calls did, and each of its calls is needed', () => {
    fc.assert(
      fc.property(made, ({ operations }) => {
        const result = check(model, operations)
        if (result.verdict !== 'illegal') return
        const { window } = result
        const part = model.partition?.(operations).find(({ name }) => name === window.partition)?.operations
        const kept = new Set(window.calls.map(({ operation }) => operation))
        const [stuck] = window.calls.filter((one) => one.stuck).map(({ operation }) => operation)
        const end = stuck?.returned ?? 0
        const history = (part ?? operations)
          .filter(({ invoked }) => invoked <= end)
          .map((operation) => (kept.has(operation) ? operation : freed(operation)))
        expect(window.earlier).toBe(0)
        expect(window.calls.length + window.leftOut).toBe(history.length)
        expect(bruteForce(model, history, ({ returned }) => returned !== undefined && returned <= end)).toBe(false)
        for (const { operation } of window.calls) {
          if (operation === stuck) continue
          const less = history.map((one) => (one === operation ? freed(one) : one))
          const must = (one: Operation<unknown, unknown>): boolean => one === stuck || (one.returned ?? end) < end
          expect(bruteForce(model, less, must)).toBe(true)
        }
      }),
      { numRuns },
    )
  })

  test('longer histories get the same verdict without what the model tells to spare work', () => {
    const { readOnly: _reads, tooLate: _late, ...plain } = model
    fc.assert(
      fc.property(histories(system, 18), ({ operations, right }) => {
        const slow = check(plain, operations, { maxSteps: 200_000 })
        const fast = check(model, operations)
        if (right) expect(fast.verdict).toBe('ok')
        if (slow.verdict !== 'unknown') expect(fast.verdict).toBe(slow.verdict)
      }),
      { numRuns },
    )
  })

  test('too few steps give no verdict, or the right one', () => {
    fc.assert(
      fc.property(made, fc.integer({ min: 1, max: 12 }), ({ operations }, maxSteps) => {
        const whole = check(model, operations)
        const short = check(model, operations, { maxSteps })
        if (short.verdict === 'unknown') expect(whole.steps).toBeGreaterThan(0)
        else expect(short.verdict).toBe(whole.verdict)
      }),
      { numRuns },
    )
  })
})

test('what is linearizable as a whole store is so key by key', () => {
  fc.assert(
    fc.property(histories(kvStore, 9), ({ operations }) => {
      if (check(kvStore.model, operations).verdict !== 'ok') return
      expect(check(systems.kv?.model ?? kvStore.model, operations as never).verdict).toBe('ok')
    }),
    { numRuns: 1000 },
  )
})
