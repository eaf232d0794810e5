/** Messages that the network delivers late, or twice, while a follower comes anew to the leader that it had. */
import { concatChunks, type NodeId, nodeId } from '@conclave/interface'
import * as torture from '@conclave/torture'
import { type Flying, propose } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { zab } from '../src/index.ts'
import { decodeMessage, encodeMessage, type Message } from '../src/messages.ts'
import { makeTransaction, transactionKind } from '../src/transaction.ts'
import { noZxid, type Zxid, zabEpoch } from '../src/zxid.ts'

const subject: torture.Subject<Message> = {
  factory: zab,
  decode: decodeMessage,
  campaigns: ({ type }) => type === 'notification',
}
const [n2, n3] = [nodeId('n2'), nodeId('n3')]
const zxid = (epoch: number, counter: number): Zxid => ({ epoch: zabEpoch(epoch), counter })

describe('a follower that comes anew', () => {
  it('forgets nothing that it has acknowledged, though the TRUNC of its first coming is late', () => {
    const { node, reply } = torture.lone(subject, {})
    const tell = (from: NodeId, message: Message): void =>
      node.turn({ type: 'receive', from, message: concatChunks(encodeMessage(message)) })
    /** It follows `from`, and has promised it this epoch. */
    const comes = (from: NodeId, of: number): void => {
      const [epoch, vote] = [zabEpoch(of), { leader: from, epoch: zabEpoch(of), zxid: noZxid }]
      tell(from, { type: 'notification', epoch, round: 1, state: 'LEADING', vote })
      tell(from, { type: 'newEpoch', epoch })
    }
    const gets = (from: NodeId, first: number, { epoch, counter }: Zxid): void => {
      const transaction = makeTransaction({ epoch, counter }, transactionKind.batch, new Uint8Array(3))
      tell(from, { type: 'propose', epoch, first, committed: 0, transactions: [transaction] })
    }
    comes(n3, 1)
    tell(n3, { type: 'diff', epoch: zabEpoch(1), position: 0, zxid: noZxid })
    gets(n3, 1, zxid(1, 1))
    gets(n3, 2, zxid(1, 2))
    node.turn({ type: 'peer', id: n3, state: 'down' })

    comes(n2, 2) // whose history ends with 1.1
    const trunc: Message = { type: 'trunc', epoch: zabEpoch(2), last: zxid(1, 2), zxid: zxid(1, 1) }
    tell(n2, trunc)
    expect(reply()).toMatchObject({ type: 'ackEpoch', last: 1 })
    tell(n2, { type: 'diff', epoch: zabEpoch(2), position: 1, zxid: zxid(1, 1) })
    gets(n2, 2, zxid(2, 1))
    expect(reply()).toMatchObject({ type: 'ack', position: 2 })

    node.turn({ type: 'peer', id: n2, state: 'down' })
    comes(n2, 2)
    tell(n2, trunc)
    expect(node.status.last).toBe(2)
    expect(node.status.detail.zxid).toBe('2.1')
  })

  it('is brought up to date, though its CEPOCH was lost and a NEWEPOCH of its first coming is late', () => {
    const nodes = new torture.Cluster(subject, 3)
    let newEpoch: Flying<Message> | undefined
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
