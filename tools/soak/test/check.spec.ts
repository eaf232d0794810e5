import { describe, expect, test } from 'vitest'
import { check } from '../src/check/index.ts'
import type { Operation, WatchedEvent } from '../src/history.ts'
import type { FinalState } from '../src/messages.ts'

/** Operations of a run in which everything is right; tests break one thing each. */
const good = (): Operation[] => [
  {
    worker: 'a',
    key: 'x',
    kind: 'put',
    value: 'a.1',
    invoked: 10,
    returned: 20,
    outcome: 'ok',
    revision: 1,
    previous: 0,
  },
  { worker: 'b', key: 'x', kind: 'get', invoked: 15, returned: 30, outcome: 'ok', revision: 1, seen: 'a.1' },
  {
    worker: 'a',
    key: 'x',
    kind: 'cas',
    value: 'a.2',
    expected: { revision: 1, value: 'a.1' },
    invoked: 40,
    returned: 50,
    outcome: 'ok',
    revision: 2,
    previous: 1,
  },
  {
    worker: 'b',
    key: 'x',
    kind: 'cas',
    value: 'b.1',
    expected: { revision: 1, value: 'a.1' },
    invoked: 45,
    returned: 60,
    outcome: 'mismatch',
    revision: 2,
  },
  {
    worker: 'a',
    key: 'y',
    kind: 'put',
    value: 'a.3',
    invoked: 70,
    returned: 80,
    outcome: 'unknown',
    error: 'unavailable',
  },
  {
    worker: 'b',
    key: 'y',
    kind: 'put',
    value: 'b.2',
    invoked: 71,
    returned: 81,
    outcome: 'failed',
    error: 'overloaded',
  },
  { worker: 'b', key: 'x', kind: 'delete', invoked: 90, returned: 100, outcome: 'ok', revision: 4, previous: 2 },
  { worker: 'a', key: 'x', kind: 'get', invoked: 110, returned: 120, outcome: 'ok', revision: 0 },
  { worker: 'a', key: 'z', kind: 'delete', invoked: 130, returned: 140, outcome: 'ok', revision: 4, previous: 0 },
  {
    worker: 'a',
    key: 'once/a',
    kind: 'put',
    value: 'a.4',
    invoked: 150,
    returned: 160,
    outcome: 'ok',
    revision: 5,
    previous: 0,
  },
]
const events = (): WatchedEvent[] => [
  { revision: 1, key: 'x', type: 'put', value: 'a.1' },
  { revision: 2, key: 'x', type: 'put', value: 'a.2' },
  { revision: 3, key: 'y', type: 'put', value: 'a.3' },
  { revision: 4, key: 'x', type: 'delete' },
  { revision: 5, key: 'once/a', type: 'put', value: 'a.4' },
]
const node = (name: string): FinalState['nodes'][number] => ({
  name,
  applied: 9,
  hash: 'h',
  entries: [
    { key: 'y', value: 'a.3', revision: 3, version: 1 },
    { key: 'once/a', value: 'a.4', revision: 5, version: 1 },
  ],
})
const final = (): FinalState => ({ revision: 5, watched: true, nodes: [node('n1'), node('n2'), node('n3')] })

const changed = (at: number, change: Partial<Operation>): Operation[] =>
  good().map((operation, index) => (index === at ? { ...operation, ...change } : operation))
const found = (operations: Operation[], log = events(), state = final()): string[] => [
  ...new Set(check(operations, log, state).violations.map(({ check: name }) => name)),
]

describe('the checks of a run', () => {
  test('find nothing where nothing is wrong', () =>
    expect(check(good(), events(), final())).toMatchObject({ violations: [], undecidedKeys: [] }))

  test('an unknown write may have happened, or not', () => {
    const log = events().filter(({ key }) => key !== 'y')
    const renumbered = log.map((event) => (event.revision > 2 ? { ...event, revision: event.revision - 1 } : event))
    const operations = good().map((operation) =>
      (operation.revision ?? 0) > 2 ? { ...operation, revision: (operation.revision ?? 0) - 1 } : operation,
    )
    const entries = [{ key: 'once/a', value: 'a.4', revision: 4, version: 1 }]
    const nodes = final().nodes.map((own) => ({ ...own, entries }))
    expect(found(operations, renumbered, { ...final(), revision: 4, nodes })).toEqual([])
  })

  test.each<[string, string, Operation[], WatchedEvent[]?, FinalState?]>([
    ['a run without operations', 'idle', []],
    ['a run in which most calls failed', 'idle', good().map((operation) => ({ ...operation, outcome: 'failed' }))],
    [
      'a lost write',
      'acknowledged',
      good(),
      events().map((event) => (event.revision === 2 ? { ...event, value: 'other' } : event)),
    ],
    [
      'a write that was applied twice',
      'exactly-once',
      good(),
      [...events(), { revision: 6, key: 'y', type: 'put', value: 'a.3' }],
    ],
    ['a refused write that was applied', 'definite', changed(4, { outcome: 'failed' })],
    ['a swap that was done over something else', 'compare-and-swap', changed(2, { expected: { revision: 0 } })],
    ['a wrong previous revision', 'previous', changed(6, { previous: 1 })],
    ['a write of nobody', 'writes', good().filter((_, at) => at !== 4)],
    ['a stale read', 'order', changed(7, { revision: 2, seen: 'a.2' })],
    ['a stale read, by the answers alone', 'linearizability', changed(7, { revision: 2, seen: 'a.2' })],
    ['a read of what is written later', 'order', changed(1, { revision: 2, seen: 'a.2' })],
    ['a read of what never was', 'order', changed(1, { revision: 3, seen: 'a.3' })],
    [
      'a read that a later one goes behind',
      'order',
      [
        ...good(),
        { worker: 'c', key: 'y', kind: 'get', invoked: 72, returned: 73, outcome: 'ok', revision: 3, seen: 'a.3' },
        { worker: 'c', key: 'y', kind: 'get', invoked: 74, returned: 75, outcome: 'ok', revision: 0 },
      ],
    ],
    ['a write that is ordered before one that had returned', 'order', changed(6, { invoked: 5, returned: 9 })],
    ['a mismatch that was none', 'order', changed(3, { revision: 1, invoked: 55 })],
    [
      'a put that counted twice',
      'exactly-once',
      good(),
      events(),
      {
        ...final(),
        nodes: [{ ...node('n1'), entries: node('n1').entries.map((entry) => ({ ...entry, version: 2 })) }],
      },
    ],
    ['a node that lacks a write', 'lost', good(), events(), { ...final(), nodes: [{ ...node('n1'), entries: [] }] }],
    [
      'a node that has another state',
      'state hash',
      good(),
      events(),
      {
        ...final(),
        nodes: [node('n1'), { ...node('n2'), hash: 'other' }],
      },
    ],
    ['a watch that fell silent', 'watch', good(), events(), { ...final(), watched: false }],
  ])('%s is found', (_, name, operations, log, state) => {
    expect(
      found(
        operations.toSorted((a, b) => a.invoked - b.invoked),
        log,
        state,
      ),
    ).toContain(name)
  })
})
