/** What is refused at the borders: messages that are malformed, cut, flipped, or lie, and disks that do not fit together. */
import { AssertionFailed, concatChunks, nodeId, seededRandom } from '@conclave/interface'
import { add, Disk, limits, propose, read, timing } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { encodeMessage, encodeSnapshotHeader, type Message, type PeerState } from '../src/messages.ts'
import { decodeMeta, encodeMeta } from '../src/meta.ts'
import { makeTransaction, transactionKind } from '../src/transaction.ts'
import { noZxid } from '../src/zxid.ts'
import {
  e,
  elected,
  following,
  give,
  leading,
  lone,
  type Node,
  Nodes,
  outcomesOf,
  promised,
  proposal,
  zxidOf,
} from './nodes.ts'

const n1 = nodeId('n1')
const n2 = nodeId('n2')
const bytesOf = (message: Message) => concatChunks(encodeMessage(message)).slice()

/** One of each message, with small numbers: many of them could be. */
const anyMessages = (below: (n: number) => number): Message[] => {
  const epoch = e(1 + below(3))
  const zxid = below(3) === 0 ? noZxid : zxidOf(1 + below(epoch), 1 + below(3))
  const [position, committed, flag] = [zxid.counter + below(3), below(4), below(2) === 0]
  const states: readonly PeerState[] = ['LOOKING', 'FOLLOWING', 'LEADING']
  const leader = nodeId(`n${1 + below(4)}`)
  const zxids = [zxidOf(epoch, 1 + below(3))]
  return [
    { type: 'notification', epoch, round: below(3), state: states[below(3)] ?? 'LOOKING', vote: undefined },
    { type: 'notification', epoch, round: below(3), state: 'LOOKING', vote: { leader, epoch, zxid } },
    { type: 'cepoch', epoch, acceptedFrom: leader },
    { type: 'newEpoch', epoch },
    { type: 'ackEpoch', epoch, currentEpoch: e(below(epoch + 1)), last: position, zxid },
    { type: 'trunc', epoch, last: zxidOf(1, 1 + below(3)), zxid },
    { type: 'diff', epoch, position, zxid },
    proposal(epoch, 1 + below(4), zxids, { committed }),
    { type: 'ack', epoch, position, resume: flag },
    { type: 'newLeader', epoch, position },
    { type: 'ackLeader', epoch },
    { type: 'commitLeader', epoch, committed },
    { type: 'commit', epoch, committed },
    { type: 'ping', epoch, established: flag, lease: below(2) === 0, round: below(3), committed, sent: below(5) },
    { type: 'pong', epoch, round: below(3), pledged: flag },
    { type: 'handOver', epoch },
    { type: 'takeOver', epoch },
  ]
}

/** Nodes in every role and phase. */
const everyRole: readonly (() => Node)[] = [
  () => lone().node,
  () => promised(1).node,
  () => following(1).node,
  () => elected().node,
  () => leading().node,
  () => leading({ leases: true }).node,
]

describe('messages that cannot be', () => {
  it('malformed ones are counted, and change nothing', () => {
    for (const make of everyRole) {
      const node = make()
      const { role, epoch, detail } = node.status
      node.turn({ type: 'receive', from: n2, message: new Uint8Array([1, 99, 0, 0, 0, 0, 0, 0, 0, 0]) })
      expect(node.status).toMatchObject({ malformed: 1, role, epoch, detail })
    }
  })

  it('whatever is cut off or flipped stops the node by an assertion, or not at all', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seededRandom(seed)
      const below = (n: number) => Math.floor(random.next() * n)
      for (const make of everyRole) {
        const node = make()
        for (const message of anyMessages(below)) {
          const bytes = bytesOf(message)
          const at = below(bytes.length)
          bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8))
          const from = nodeId(`n${2 + below(3)}`)
          for (const what of [bytes, bytes.slice(0, at)])
            expectNoCrash(() => node.turn({ type: 'receive', from, message: what }))
        }
      }
    }
  })

  it('so do messages that parse, and lie', () => {
    let malformed = 0
    for (let seed = 1; seed <= 300; seed++) {
      const random = seededRandom(seed)
      const below = (n: number) => Math.floor(random.next() * n)
      const node = (everyRole[seed % everyRole.length] ?? everyRole[0])?.()
      if (node === undefined) throw new Error('there are roles')
      for (let i = 0; i < 30; i++) {
        const messages = anyMessages(below)
        const message = messages[below(messages.length)]
        if (message === undefined || !expectNoCrash(() => give(node, `n${2 + below(3)}`, message))) break
        if (below(5) === 0) expectNoCrash(() => node.turn(propose(i), read(100 + i), add(200 + i, 5, 'voter')))
        if (below(3) === 0) node.tick()
      }
      malformed += node.status.malformed
    }
    expect(malformed).toBe(0)
  })

  it('answers to what was never asked, and from nobody, change nothing', () => {
    const { node } = leading()
    node.turn(propose(1), read(2))
    for (const from of ['n3', 'n9']) {
      give(node, from, { type: 'ack', epoch: e(1), position: 99, resume: true })
      give(node, from, { type: 'ackLeader', epoch: e(1) })
      give(node, from, { type: 'pong', epoch: e(1), round: 99, pledged: true })
      give(node, from, { type: 'ackEpoch', epoch: e(1), currentEpoch: e(0), last: 0, zxid: noZxid })
    }
    give(node, 'n9', { type: 'cepoch', epoch: e(9), acceptedFrom: n2 })
    expect(node.settled).toEqual([])
    expect(node.status).toMatchObject({ epoch: 1n, decided: 1 })
  })

  it('an acknowledgement of more than there is counts for nothing', () => {
    const { node } = leading()
    node.turn(propose(1))
    give(node, 'n2', { type: 'ack', epoch: e(1), position: 3, resume: false })
    expect(outcomesOf(node, 1)).toEqual([])
  })

  it('a commit of more than is here reaches only what is here', () => {
    const { node } = following(1)
    give(node, 'n2', proposal(1, 1, [zxidOf(1, 1)], { committed: 7 }))
    give(node, 'n2', { type: 'commit', epoch: e(1), committed: 9 })
    expect(node.status.decided).toBe(1)
  })
})

/** @returns whether it went well. */
const expectNoCrash = (step: () => void): boolean => {
  try {
    step()
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(AssertionFailed)
    return false
  }
}

describe('disks that do not fit together', () => {
  const meta = encodeMeta({ acceptedEpoch: e(1), acceptedFrom: n1, currentEpoch: e(1), pledged: false })
  const transaction = (epoch: number, counter: number) =>
    concatChunks(makeTransaction(zxidOf(epoch, counter), transactionKind.batch, new Uint8Array(1)).encoded)

  it('a hole in the history', () => {
    const disk = new Disk()
    disk.meta = meta
    disk.slots.set(2, transaction(1, 2))
    expect(() => lone({ disk })).toThrow('the journal has slot 2 after 0')
  })

  it('a history of an epoch that was never accepted', () => {
    const disk = new Disk()
    disk.meta = meta
    disk.slots.set(1, transaction(2, 1))
    expect(() => lone({ disk })).toThrow('the history ends with 2.1, but the epoch that was accepted is 1')
  })

  it('a snapshot that is not where the journal says', () => {
    const disk = new Disk()
    const { membership } = lone().node.status
    const header = encodeSnapshotHeader({ epoch: e(1), position: 3, zxid: zxidOf(1, 3), membership })
    disk.meta = meta
    disk.snapshot = { id: 's' as never, position: 4 as never, header }
    expect(() => lone({ disk })).toThrow('the journal names a snapshot at 4, its header says 3')
  })

  it('a node without any metadata begins before the first epoch', () => {
    expect(decodeMeta(undefined)).toMatchObject({ acceptedEpoch: 0, currentEpoch: 0 })
    expect(lone().node.status).toMatchObject({ epoch: 0n, decided: 0 })
  })
})

describe('bounds', () => {
  it('no message is larger than the limit', () => {
    const nodes = new Nodes(3, { limits: { ...limits, messageBytes: 500 } })
    let most = 0
    nodes.watch = ({ bytes }) => {
      most = Math.max(most, bytes.length)
    }
    const leader = nodes.elect(1)
    nodes.isolate(3)
    for (let id = 1; id <= 20; id++) leader.turn(propose(id, 'x'.repeat(id * 22)))
    nodes.settle()
    nodes.heal()
    nodes.rounds(timing.electionTicks)
    expect(nodes.at(3).status.decided).toBe(21)
    expect(most).toBeGreaterThan(480)
    expect(most).toBeLessThanOrEqual(500)
  })
})
