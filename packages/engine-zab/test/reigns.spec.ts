/** How a reign begins, is renewed, and survives that it was to be given away. */
import { concatChunks, type Member, nodeId, type RequestId } from '@conclave/interface'
import * as torture from '@conclave/torture'
import { changesAreJoint, peer, propose, read, reconfigure, transfer } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { zab, zabWith } from '../src/index.ts'
import { decodeMessage, encodeMessage, type Message } from '../src/messages.ts'
import { zabEpoch } from '../src/zxid.ts'

const subject: torture.Subject<Message> = {
  factory: zab,
  decode: decodeMessage,
  campaigns: ({ type }) => type === 'notification',
  configured: changesAreJoint,
}
type Node = torture.Node<Message>

const give = (node: Node, from: string, message: Message): void =>
  node.turn({ type: 'receive', from: nodeId(from), message: concatChunks(encodeMessage(message)) })

/** It takes the node for the leader, and has promised this epoch to somebody. */
const cepoch = (node: Node, from: string, of: number): void => {
  give(node, from, { type: 'cepoch', epoch: zabEpoch(of), acceptedFrom: of === 0 ? undefined : nodeId('n9') })
}

const outcome = ({ settled }: Node, id: number) => settled.find((settle) => settle.id === id)?.outcome

describe('a node that looks', () => {
  it('bothers the others less and less, also if it finds somebody who does not answer now and then', () => {
    const { node, said } = torture.lone(subject, {})
    const misled = (): void => {
      node.tick(14)
      give(node, 'n2', { type: 'notification', epoch: zabEpoch(9), round: 1, state: 'LEADING', vote: undefined })
      node.tick(15) // a follower that is told nothing looks again
    }
    for (let times = 0; times < 5; times++) misled()
    said.length = 0
    for (let times = 0; times < 10; times++) misled()
    expect(said.filter(({ to, message }) => to === 'n3' && message.type === 'notification')).toHaveLength(10)
  })

  it('takes no vote back for one that was overtaken', () => {
    const { node } = torture.lone(subject, {})
    const votes = (counter: number, leader: string): void => {
      const vote = { leader: nodeId(leader), epoch: zabEpoch(1), zxid: { epoch: zabEpoch(1), counter } }
      give(node, 'n2', { type: 'notification', epoch: zabEpoch(1), round: 1, state: 'LOOKING', vote })
    }
    node.turn({ type: 'peer', id: nodeId('n3'), state: 'up' }) // there is somebody to wait for
    votes(2, 'n2')
    votes(1, 'n3')
    node.tick(10)
    expect(node.status.role).toBe('FOLLOWING')
  })
})

describe('a node that was elected', () => {
  it('has a whole time-out for the promises of its epoch, however long the quorum took', () => {
    const { node, said } = torture.lone(subject, { count: 5 })
    for (const from of ['n2', 'n3']) cepoch(node, from, 0)
    node.tick(25)
    node.holdSyncs = true
    for (const from of ['n2', 'n3']) cepoch(node, from, 0)
    node.tick(20)
    node.sync()
    expect(said.map(({ message }) => message.type)).toContain('newEpoch')
    expect(node.status.role).toBe('LEADING')
  })

  it('begins above what an observer has promised, though its own vote is a quorum', () => {
    const founders = { members: [peer(1), peer(2, 'learner')] }
    const { node } = torture.lone(subject, { founders })
    node.tick(10)
    expect(node.status.leading).toBe(true)
    cepoch(node, 'n2', 100)
    expect(node.status.epoch).toBeGreaterThan(100n)
  })
})

describe('a leader', () => {
  it('leaves counters to end a change of the members, also where only members change', () => {
    const { node } = torture.lone(subject, { count: 1, factory: zabWith({ transactionsPerEpoch: 32 }) })
    node.tick(10)
    for (let id = 1; id <= 60; id++) {
      const member: Omit<Member, 'role'> = { id: node.id, name: `m${id}`, addresses: [] }
      node.turn(reconfigure(id, { type: 'update', member }))
      node.tick()
      expect(Number(String(node.status.detail.zxid).split('.')[1])).toBeLessThanOrEqual(32)
    }
    expect(node.status.epoch).toBeGreaterThan(1n)
  })

  it('has a lease again after a transfer that came to nothing', () => {
    const nodes = new torture.Cluster(subject, 3, { leases: true })
    nodes.rounds(30)
    const leader = nodes.at(3)
    nodes.cut = ({ message }) => message.type === 'handOver'
    leader.turn(transfer(2))
    nodes.rounds(60)
    leader.turn(propose(1), read(2, 'lease'))
    expect(outcome(leader, 2)?.type).toBe('readAt')
    nodes.settle()
    expect(outcome(leader, 1)?.type).toBe('decided')
  })

  it('tells nothing of a read that nobody waits for any more', () => {
    const nodes = new torture.Cluster(subject, 3)
    nodes.rounds(30)
    const leader = nodes.at(3)
    leader.turn(read(1), read(2), { type: 'cancel', id: 1 as RequestId })
    leader.turn(read(3), read(4))
    leader.turn({ type: 'cancel', id: 3 as RequestId })
    nodes.settle()
    expect(leader.settled.map(({ id }) => id)).toEqual([2, 4])
  })
})
