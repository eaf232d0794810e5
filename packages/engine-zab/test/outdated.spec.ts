/** What a follower is told is judged by what its sender has promised since. */
import { concatChunks, type NodeId, nodeId } from '@conclave/interface'
import * as torture from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { zab } from '../src/index.ts'
import { decodeMessage, encodeMessage, encodeSnapshotHeader, type Message, type PeerState } from '../src/messages.ts'
import { makeTransaction, transactionKind } from '../src/transaction.ts'
import { noZxid, type Zxid, zabEpoch } from '../src/zxid.ts'

const subject: torture.Subject<Message> = {
  factory: zab,
  decode: decodeMessage,
  campaigns: ({ type }) => type === 'notification',
}
const [n2, n3] = [nodeId('n2'), nodeId('n3')]
const zxid = (epoch: number, counter: number): Zxid => ({ epoch: zabEpoch(epoch), counter })

/** n1 of three, as a follower. */
const follower = () => {
  const { node, reply } = torture.lone(subject, {})
  const tell = (from: NodeId, message: Message): void =>
    node.turn({ type: 'receive', from, message: concatChunks(encodeMessage(message)) })
  const notify = (from: NodeId, of: number, state: PeerState): void => {
    const epoch = zabEpoch(of)
    tell(from, { type: 'notification', epoch, round: 1, state, vote: { leader: from, epoch, zxid: noZxid } })
  }
  /** It follows `from`, and has promised it this epoch. */
  const comes = (from: NodeId, of: number): void => {
    notify(from, of, 'LEADING')
    tell(from, { type: 'newEpoch', epoch: zabEpoch(of) })
  }
  const gets = (from: NodeId, first: number, { epoch, counter }: Zxid): void => {
    const transaction = makeTransaction({ epoch, counter }, transactionKind.batch, new Uint8Array(3))
    tell(from, { type: 'propose', epoch, first, committed: 0, transactions: [transaction] })
  }
  return { node, reply, tell, notify, comes, gets }
}

describe('a follower', () => {
  it('stays with its leader, though what that said before it led is late', () => {
    const { node, tell, notify, comes } = follower()
    const epoch = zabEpoch(2)
    comes(n2, 2)
    tell(n2, { type: 'diff', epoch, position: 0, zxid: noZxid })
    tell(n2, { type: 'newLeader', epoch, position: 0 })
    tell(n2, { type: 'commitLeader', epoch, committed: 0 })
    notify(n2, 1, 'LOOKING')
    const ping = { type: 'ping', established: true, lease: false, round: 0, committed: 0, sent: 0 } as const
    tell(n2, { ...ping, epoch: zabEpoch(1) }) // of an earlier reign
    expect(node.status).toMatchObject({ role: 'FOLLOWING', leader: n2 })
    notify(n2, 2, 'LOOKING')
    expect(node.status.role).toBe('LOOKING')
  })

  it('acknowledges no more than a snapshot holds, before it is known where the histories part', () => {
    const { node, reply, tell, comes, gets } = follower()
    comes(n3, 1)
    tell(n3, { type: 'diff', epoch: zabEpoch(1), position: 0, zxid: noZxid })
    gets(n3, 1, zxid(1, 1))
    gets(n3, 2, zxid(1, 2))
    node.turn({ type: 'peer', id: n3, state: 'down' })

    comes(n2, 2)
    const { membership } = node.status
    const header = encodeSnapshotHeader({ epoch: zabEpoch(2), position: 1, zxid: zxid(1, 1), membership })
    node.turn({ type: 'snapshotReceived', from: n2, id: torture.snapshotId('s1'), header })
    expect(reply()).toMatchObject({ type: 'ack', position: 1 })
    expect(node.status).toMatchObject({ decided: 1, last: 2 })
  })
})
