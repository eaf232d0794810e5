/** Messages that the network delivers late, or twice, while a follower comes anew to the leader that it had. */
import { nodeId } from '@conclave/interface'
import { propose } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import type { Message } from '../src/messages.ts'
import { noZxid } from '../src/zxid.ts'
import { e, type Flying, give, hint, Nodes, promised, proposal, zxidOf } from './nodes.ts'

const [n2, n3] = [nodeId('n2'), nodeId('n3')]

describe('a follower that comes anew', () => {
  it('forgets nothing that it has acknowledged, though the TRUNC of its first coming is late', () => {
    const { node, reply } = promised(1)
    give(node, 'n2', { type: 'diff', epoch: e(1), position: 0, zxid: noZxid })
    give(node, 'n2', proposal(1, 1, [zxidOf(1, 1), zxidOf(1, 2)]))
    node.turn({ type: 'peer', id: n2, state: 'down' })

    give(node, 'n3', hint) // whose history ends with 1.1
    give(node, 'n3', { type: 'newEpoch', epoch: e(2) })
    const trunc: Message = { type: 'trunc', epoch: e(2), last: zxidOf(1, 2), zxid: zxidOf(1, 1) }
    give(node, 'n3', trunc)
    expect(reply()).toMatchObject({ type: 'ackEpoch', last: 1 })
    give(node, 'n3', { type: 'diff', epoch: e(2), position: 1, zxid: zxidOf(1, 1) })
    give(node, 'n3', proposal(2, 2, [zxidOf(2, 1)]))
    expect(reply()).toMatchObject({ type: 'ack', position: 2 })

    node.turn({ type: 'peer', id: n3, state: 'down' })
    give(node, 'n3', hint)
    give(node, 'n3', { type: 'newEpoch', epoch: e(2) })
    give(node, 'n3', trunc)
    expect(node.status.last).toBe(2)
    expect(node.status.detail.zxid).toBe('2.1')
  })

  it('is brought up to date, though its CEPOCH was lost and a NEWEPOCH of its first coming is late', () => {
    const nodes = new Nodes(3)
    let newEpoch: Flying | undefined
    nodes.watch = (flying) => {
      if (flying.message.type === 'newEpoch' && flying.to === n2) newEpoch = flying
    }
    nodes.rounds(20)
    const leader = nodes.at(3) // of equal histories the one with the highest id
    expect(leader.status.leading).toBe(true)
    if (newEpoch === undefined) throw new Error('n2 was told no epoch')
    nodes.isolate(1)

    const isolated = nodes.cut
    nodes.cut = (flying) => isolated(flying) || flying.message.type === 'cepoch'
    nodes.at(2).turn({ type: 'peer', id: n3, state: 'down' })
    nodes.at(2).turn({ type: 'peer', id: n3, state: 'up' })
    nodes.settle()
    nodes.deliver(newEpoch)
    nodes.cut = isolated
    nodes.rounds(20)

    leader.turn(propose(1))
    nodes.rounds(20)
    expect(leader.settled.map(({ outcome }) => outcome.type)).toEqual(['decided'])
  })
})
