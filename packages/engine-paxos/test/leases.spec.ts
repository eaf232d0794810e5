/** "Paxos Made Live", section 5.2: a leader that holds a lease reads without asking anybody, and nobody else can lead meanwhile. */
import { nodeId } from '@conclave/interface'
import { propose, read, timing } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import type { Body } from '../src/messages.ts'
import { ballotOf, give, lone, type Node, Nodes } from './nodes.ts'

const n1 = nodeId('n1')
const n3 = nodeId('n3')
const outcome = (node: Node, id: number) => node.settled.find((settled) => settled.id === id)?.outcome
const asking: Body = { type: 'heartbeat', round: 1, lease: true }
const prepare = (given = ballotOf(0, 0)): Body => ({ type: 'prepare', from: 1, cursor: 1, given })
/** Milliseconds of a pledge. */
const pledged = timing.electionTicks * timing.tickMillis

/** n1 leads, and has heard pledges of both others. */
const leased = (): { nodes: Nodes; leader: Node } => {
  const nodes = new Nodes(3, { leases: true })
  const leader = nodes.elect(1)
  nodes.rounds(8)
  return { nodes, leader }
}

describe('a lease', () => {
  it('serves a read at once, while a linearizable one takes its round', () => {
    const { nodes, leader } = leased()
    nodes.cut = () => true
    leader.turn(read(1, 'lease'), read(2))
    expect(outcome(leader, 1)).toEqual({ type: 'readAt', position: 1 })
    nodes.settle()
    expect(outcome(leader, 2)).toBeUndefined()
  })

  it('is off by default: then a read takes a round whatever its level', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.rounds(8)
    leader.turn(read(1, 'lease'))
    expect(outcome(leader, 1)).toBeUndefined()
    nodes.settle()
    expect(outcome(leader, 1)).toMatchObject({ type: 'readAt' })
  })

  it('begins when its round was sent, and ends a tenth before the pledges do', () => {
    const { nodes, leader } = leased()
    nodes.cut = () => true
    const begun = leader.now
    leader.now = begun + pledged * 0.9 - timing.heartbeatTicks * timing.tickMillis - 1
    leader.turn(read(1, 'lease'))
    expect(outcome(leader, 1)).toMatchObject({ type: 'readAt' })
    leader.now = begun + pledged * 0.9 + 1
    leader.turn(read(2, 'lease'))
    expect(outcome(leader, 2)).toBeUndefined()
  })

  it('is judged by the present time: a process that was stopped does not read by what it believed before', () => {
    const { nodes, leader } = leased()
    leader.now += 60_000
    nodes.cut = () => true
    leader.turn(read(1, 'lease'))
    expect(outcome(leader, 1)).toBeUndefined()
  })

  it('rests on a quorum of pledges, not on answers without one', () => {
    const nodes = new Nodes(3, { leases: true })
    const leader = nodes.elect(1)
    nodes.isolate(1)
    leader.now += 10_000
    leader.tick(5)
    for (const id of ['n2', 'n3'])
      give(leader, id, { type: 'heartbeatReply', round: 3, pledged: false }, ballotOf(1, 1))
    leader.turn(read(1, 'lease'))
    expect(outcome(leader, 1)).toBeUndefined()
  })

  it('is not served before the reign is open', () => {
    const nodes = new Nodes(3, { leases: true })
    nodes.cut = ({ message }) => message.type === 'accept'
    const leader = nodes.elect(1)
    nodes.rounds(8)
    leader.turn(read(1, 'lease'))
    expect(outcome(leader, 1)).toBeUndefined()
  })

  it('is given up before the reign is given away', () => {
    const { nodes, leader } = leased()
    nodes.cut = ({ message }) => message.type === 'prepare'
    leader.turn({ type: 'transfer', to: n3 })
    nodes.settle()
    leader.turn(read(1, 'lease'))
    expect(outcome(leader, 1)).not.toEqual({ type: 'readAt', position: 1 })
    nodes.heal()
    nodes.rounds(10)
    expect(nodes.at(3).status.leading).toBe(true)
  })

  it('of one configuration says nothing of the next', () => {
    const { nodes, leader } = leased()
    leader.turn({ type: 'reconfigure', id: 1 as never, change: { type: 'remove', id: n3 } })
    const held: string[] = []
    nodes.watch = ({ message }) => message.configuration === 1 && held.push(message.type)
    nodes.cut = ({ message }) => message.configuration === 1 && message.type === 'heartbeatReply'
    nodes.settle()
    expect(leader.status).toMatchObject({ leading: true, detail: { configuration: 1 } })
    leader.turn(read(2, 'lease'))
    nodes.settle()
    expect(outcome(leader, 2)).toBeUndefined()
    nodes.heal()
    nodes.rounds(8)
    nodes.cut = () => true
    leader.turn(read(3, 'lease'))
    expect(outcome(leader, 3)).toMatchObject({ type: 'readAt' })
  })
})

describe('a pledge', () => {
  it('answers no prepare of others, not even after a reset of the link, until it is over', () => {
    const { node, said } = lone()
    give(node, 'n2', asking, ballotOf(1, 2))
    node.turn({ type: 'peer', id: nodeId('n2'), state: 'down' })
    said.length = 0
    give(node, 'n3', prepare(), ballotOf(2, 3))
    expect(said).toEqual([])
    give(node, 'n3', { type: 'canvass' }, ballotOf(2, 3))
    expect(said.at(-1)?.message).toMatchObject({ type: 'canvassReply', granted: false })
    node.now += pledged
    give(node, 'n3', prepare(), ballotOf(2, 3))
    expect(said.at(-1)?.message).toMatchObject({ type: 'promise' })
  })

  it('holds for a node itself: it does not prepare, whatever it is granted', () => {
    const { node, said } = lone()
    give(node, 'n2', asking, ballotOf(1, 2))
    node.turn({ type: 'peer', id: nodeId('n2'), state: 'down' })
    for (let i = 0; i < 10; i++) node.turn({ type: 'tick' }) // no time passes
    give(node, 'n3', { type: 'canvassReply', asked: ballotOf(2, 1), granted: true }, ballotOf(1, 2))
    expect(said.filter(({ message }) => message.type === 'canvass')).not.toEqual([])
    expect(said.filter(({ message }) => message.type === 'prepare')).toEqual([])
    expect(node.status.role).toBe('acceptor')
  })

  it('leaves only when it is on disk that pledges are made, and a node that starts again keeps quiet as long as one may last', () => {
    const nodes = new Nodes(3)
    const node = nodes.at(1)
    give(node, 'n2', { type: 'heartbeat', round: 0, lease: false }, ballotOf(1, 2))
    nodes.flying = []
    node.holdSyncs = true
    give(node, 'n2', asking, ballotOf(1, 2))
    expect(nodes.flying).toEqual([])
    node.holdSyncs = false
    node.sync()
    expect(nodes.flying.at(-1)?.message).toMatchObject({ type: 'heartbeatReply', pledged: true })
    const again = nodes.restart(1)
    again.now = 5_000
    again.turn({ type: 'tick' })
    nodes.flying = []
    give(again, 'n3', prepare(), ballotOf(2, 3))
    expect(nodes.flying).toEqual([])
    again.now += pledged
    give(again, 'n3', prepare(), ballotOf(2, 3))
    expect(nodes.flying.at(-1)?.message).toMatchObject({ type: 'promise' })
  })

  it('a node that never pledged answers at once after a restart', () => {
    const nodes = new Nodes(3)
    give(nodes.at(1), 'n2', { type: 'heartbeat', round: 0, lease: false }, ballotOf(1, 2))
    give(nodes.restart(1), 'n3', prepare(), ballotOf(2, 3))
    expect(nodes.flying.at(-1)?.message).toMatchObject({ type: 'promise' })
  })

  it('gives way to who was asked by the leader itself, but not to one that was asked in an earlier reign', () => {
    const { node, said } = lone()
    give(node, 'n2', asking, ballotOf(2, 2))
    said.length = 0
    give(node, 'n3', prepare(ballotOf(1, 1)), ballotOf(3, 3))
    expect(said).toEqual([])
    give(node, 'n3', prepare(ballotOf(2, 2)), ballotOf(3, 3))
    expect(said.at(-1)?.message).toMatchObject({ type: 'promise', ballot: ballotOf(3, 3) })
  })

  it('nobody leads while another holds a lease, whatever their links and ticks do', () => {
    const { nodes, leader } = leased()
    nodes.isolate(1)
    for (const n of [2, 3]) nodes.at(n).turn({ type: 'peer', id: n1, state: 'down' })
    for (let i = 0; i < 300; i++) {
      for (const n of [2, 3]) nodes.at(n).turn({ type: 'tick' }) // their clocks stand still
      nodes.settle()
    }
    expect([2, 3].some((n) => nodes.at(n).status.leading)).toBe(false)
    leader.turn(propose(1), read(2, 'lease'))
    expect(outcome(leader, 2)).toMatchObject({ type: 'readAt' })
    nodes.rounds(100)
    expect([2, 3].some((n) => nodes.at(n).status.leading)).toBe(true)
  })
})
