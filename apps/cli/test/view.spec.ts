import type { NodeStatus } from '@conclave/client/protocol'
import { describe, expect, test } from 'vitest'
import { changes, cut, renderScreen } from '../src/up-screen.ts'
import {
  engineTrouble,
  isSplitByEngine,
  leaderOf,
  type NodeView,
  rateMeter,
  renderTable,
  rowsOf,
  viewsJson,
} from '../src/view.ts'

const status = (more: Partial<NodeStatus>): NodeStatus => ({
  id: 'x',
  name: 'x',
  cluster: 'c',
  engine: 'raft',
  role: 'follower',
  leading: false,
  epoch: '4',
  decided: 17,
  applied: 16,
  last: 17,
  snapshot: 0,
  members: [],
  ...more,
})
const node = (name: string, more: Partial<NodeView>): NodeView => ({
  name,
  id: name,
  address: `/ip4/127.0.0.1/tcp/1/p2p/${name}`,
  state: 'running',
  ...more,
})
const plain = (_style: string, text: string): string => text

const views = [
  node('n1', { status: status({ role: 'leader', leading: true, epoch: '3' }) }),
  node('n2', { status: status({ role: 'leader', leading: true, epoch: '4' }) }),
  node('n3', { state: 'dead' }),
]

describe('what is seen of a cluster', () => {
  test('has one leader: the one under the highest epoch; a deposed one is called that', () => {
    expect(leaderOf(views)?.name).toBe('n2')
    expect(viewsJson(views)).toMatchObject({
      leader: 'n2',
      nodes: [{ role: 'deposed' }, { role: 'leader' }, { role: 'dead', state: 'dead' }],
    })
  })

  test('has no leader if nobody leads, or only a paused one', () => {
    expect(viewsJson([node('n1', { status: status({}) })])).toMatchObject({ leader: null })
    expect(leaderOf([{ ...views[1], state: 'paused' } as NodeView])).toBeUndefined()
  })

  test('is a table', () => {
    expect(renderTable(rowsOf(views, new Map([['n2', 12.4]])), plain)).toEqual([
      'node  role     epoch  commit  applied  writes/s  address',
      'n1    deposed      3      17       16         -  /ip4/127.0.0.1/tcp/1/p2p/n1',
      'n2    leader       4      17       16        12  /ip4/127.0.0.1/tcp/1/p2p/n2',
      'n3    dead         -       -        -         -  /ip4/127.0.0.1/tcp/1/p2p/n3',
    ])
  })

  test('says what is wrong if the nodes run different engines, seen from each or told by one', () => {
    const of = (...engines: readonly string[]) =>
      engines.map((engine, at) => node(`n${at + 1}`, { status: status({ engine }) }))
    expect(engineTrouble(of('raft', 'raft', 'raft'))).toBeUndefined()
    expect(engineTrouble(of('raft', 'paxos', 'raft'))).toBe(
      'all members of a cluster must run the same engine. n1, n3: engine "raft"; n2: engine "paxos"',
    )
    const otherEngines = [{ id: 'x', name: 'n2', engine: 'paxos' }]
    const told = [node('n1', { status: status({ otherEngines }) }), node('n2', { state: 'unreachable' })]
    expect(engineTrouble(told)).toContain('n1: engine "raft"; n2: engine "paxos"')
    // It was started anew, with the right one.
    expect(engineTrouble([...told.slice(0, 1), ...of('raft', 'raft').slice(1)])).toBeUndefined()
  })

  test('is split by engine if no majority runs the same', () => {
    const of = (...engines: readonly string[]) =>
      engines.map((engine, at) => node(`n${at + 1}`, { status: status({ engine }) }))
    expect(isSplitByEngine(of('raft', 'raft', 'paxos'))).toBe(false)
    expect(isSplitByEngine(of('raft', 'paxos'))).toBe(true)
    expect(isSplitByEngine(of('raft', 'paxos', 'vsr'))).toBe(true)
    // The third may run either.
    expect(isSplitByEngine([...of('raft', 'paxos'), node('n3', {})])).toBe(false)
    expect(isSplitByEngine([...of('raft'), node('n2', { state: 'dead' }), node('n3', { state: 'dead' })])).toBe(false)
  })

  test('tells writes per second from two looks, and nothing after a restart', () => {
    const meter = rateMeter()
    const at = (commands: number): NodeView[] => [node('n1', { status: status({ commands }) })]
    expect([...meter(at(100), 0)]).toEqual([])
    expect([...meter(at(350), 500)]).toEqual([['n1', 500]])
    expect([...meter(at(10), 1000)]).toEqual([])
  })
})

describe('the screen of up', () => {
  test('fits a narrow terminal, addresses without ids', () => {
    const lines = renderScreen(
      { directory: '/d', cluster: 'c', engine: 'raft', nodes: [] },
      views,
      new Map(),
      ['n2 leads'],
      plain,
      80,
    )
    expect(lines.every((line) => line.length <= 80)).toBe(true)
    expect(lines.join('\n')).toContain('/ip4/127.0.0.1/tcp/1\n')
    expect(lines).toContain('n2 leads')
  })

  test('cuts lines by what is visible', () => {
    expect(cut('\u001b[32mabcdef\u001b[0m', 3)).toBe('\u001b[32mabc\u001b[0m')
  })

  test('tells what changed', () => {
    const after = [node('n1', { state: 'paused' }), node('n2', {}), node('n3', {})]
    expect(changes(views, after, undefined, 'n2')).toEqual(['n1 is paused', 'n3 is back', 'no leader'])
  })
})
