import { concatChunks, nodeId, seededRandom } from '@conclave/interface'
import { limits, timing } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { zab, zabWith } from '../src/index.ts'
import { encodeMessage, type Message } from '../src/messages.ts'
import { makeTransaction, transactionKind } from '../src/transaction.ts'
import { e, Nodes, zxidOf } from './nodes.ts'

const epoch = e(3)
const transaction = (counter: number) =>
  makeTransaction(zxidOf(3, counter), transactionKind.batch, new TextEncoder().encode('x'))
const vote = { leader: nodeId('n2'), epoch: e(2), zxid: zxidOf(2, 4) }
const ping = { type: 'ping', epoch, established: true, round: 2, committed: 8, sent: 0 } as const
const proposal = { type: 'propose', epoch, first: 9, committed: 8 } as const

const told: [Message, string][] = [
  [{ type: 'notification', epoch, round: 5, state: 'LOOKING', vote }, 'LOOKING round 5 vote for n2 (epoch 2, 2.4)'],
  [{ type: 'notification', epoch, round: 5, state: 'LOOKING', vote: undefined }, 'LOOKING round 5 vote for nobody'],
  [{ type: 'cepoch', epoch, acceptedFrom: nodeId('n1') }, 'CEPOCH 3'],
  [{ type: 'newEpoch', epoch }, 'NEWEPOCH 3'],
  [{ type: 'ackEpoch', epoch, currentEpoch: e(2), last: 9, zxid: zxidOf(2, 4) }, 'ACKEPOCH 3: epoch 2, up to 9 (2.4)'],
  [{ type: 'trunc', epoch, last: zxidOf(2, 6), zxid: zxidOf(2, 4) }, 'TRUNC after 2.4, epoch 3'],
  [{ type: 'diff', epoch, position: 9, zxid: zxidOf(2, 4) }, 'DIFF after 9 (2.4), epoch 3'],
  [{ ...proposal, transactions: [] }, 'PROPOSE nothing commit 8 epoch 3'],
  [{ ...proposal, transactions: [transaction(1)] }, 'PROPOSE 9 (3.1) commit 8 epoch 3'],
  [{ ...proposal, transactions: [transaction(1), transaction(2)] }, 'PROPOSE 9..10 (3.2) commit 8 epoch 3'],
  [{ type: 'ack', epoch, position: 9, resume: false }, 'ACK 9 epoch 3'],
  [{ type: 'ack', epoch, position: 9, resume: true }, 'ACK 9 and resume epoch 3'],
  [{ type: 'newLeader', epoch, position: 9 }, 'NEWLEADER 3 up to 9'],
  [{ type: 'ackLeader', epoch }, 'ACKLD 3'],
  [{ type: 'commitLeader', epoch, committed: 9 }, 'COMMITLD 3 up to 9'],
  [{ type: 'commit', epoch, committed: 9 }, 'COMMIT 9 epoch 3'],
  [{ ...ping, lease: false }, 'ping round 2 commit 8 epoch 3'],
  [{ ...ping, lease: true }, 'ping for a lease round 2 commit 8 epoch 3'],
  [{ type: 'pong', epoch, round: 2, pledged: false }, 'pong round 2 epoch 3'],
  [{ type: 'pong', epoch, round: 2, pledged: true }, 'pong with a pledge round 2 epoch 3'],
  [{ type: 'handOver', epoch }, 'hand over epoch 3'],
  [{ type: 'takeOver', epoch }, 'take over epoch 3'],
]

describe('describe', () => {
  it.each(told)('%o', (message, words) => {
    expect(zab.describe?.(concatChunks(encodeMessage(message)))).toBe(words)
  })

  it('says nothing of what does not parse', () => {
    expect(zab.describe?.(new Uint8Array([9]))).toBeUndefined()
  })
})

describe('the factory', () => {
  it('makes engines that read, change members, hand over, and have leases', () => {
    const { founders } = new Nodes(3)
    const init = { self: nodeId('n1'), founders, recovered: { entries: [] }, timing, random: seededRandom(1), limits }
    expect(zab.name).toBe('zab')
    expect(zab.create(init).supports).toEqual({
      snapshots: true,
      reads: true,
      membership: true,
      learners: true,
      transfer: true,
      leases: true,
    })
    const hasty = { ...timing, electionTicks: timing.heartbeatTicks * 3 }
    expect(() => zab.create({ ...init, timing: hasty })).toThrow('at least four heartbeats')
  })

  it('an epoch has room for at least 32 transactions, and for no more than its counter has numbers', () => {
    for (const transactionsPerEpoch of [31, 2 ** 32, 40.5])
      expect(() => zabWith({ transactionsPerEpoch })).toThrow('a whole number from 32 to 4294967295')
    expect(zabWith({ transactionsPerEpoch: 32 }).name).toBe('zab')
  })
})
