/**
 * Sentences of "Zab: High-performance broadcast for primary-backup systems" (Junqueira, Reed, Serafini, DSN 2011; A1 to A3: its algorithms) and of ZooKeeper's
 * bugs, and what holds if they do.
 */
import { concatChunks, type Monotonic, nodeId } from '@conclave/interface'
import { batches, propose, timing } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { encodeMessage } from '../src/messages.ts'
import { decodeMeta } from '../src/meta.ts'
import { decodeTransaction } from '../src/transaction.ts'
import { noZxid, showZxid } from '../src/zxid.ts'
import {
  e,
  elected,
  following,
  give,
  hint,
  leading,
  lone,
  type Node,
  Nodes,
  outcomesOf,
  promised,
  proposal,
  told,
  zxidOf,
} from './nodes.ts'

const n2 = nodeId('n2')
const n3 = nodeId('n3')
const metaOf = ({ disk }: Node) => decodeMeta(disk.meta)
const zxidsOf = ({ disk }: Node) => [...disk.slots.values()].map((bytes) => showZxid(decodeTransaction(bytes).zxid))
const cepoch = (epoch: number, acceptedFrom = n3) =>
  ({ type: 'cepoch', epoch: e(epoch), acceptedFrom: epoch === 0 ? undefined : acceptedFrom }) as const
const report = (epoch: number, currentEpoch: number, last: number, zxid = noZxid) =>
  ({ type: 'ackEpoch', epoch: e(epoch), currentEpoch: e(currentEpoch), last, zxid }) as const

/** n1 has 1.1, 1.2, 1.3 and 2.1 on its disk, of which it does not know whether they are committed. */
const withHistory = () => {
  const made = following(2)
  give(made.node, 'n2', proposal(2, 1, [zxidOf(1, 1), zxidOf(1, 2), zxidOf(1, 3), zxidOf(2, 1)]))
  return made
}

describe('phase 1: discovery', () => {
  it('the CEPOCH by which a node learns that it leads counts: it need not be said again', () => {
    const { node, said } = lone()
    node.tick(timing.heartbeatTicks)
    give(node, 'n2', cepoch(4))
    expect(node.status).toMatchObject({ role: 'LEADING', epoch: 5n })
    expect(told(said, 'newEpoch')).toEqual([{ type: 'newEpoch', epoch: 5 }])
  })

  it('A1: the new epoch is later than all that a quorum has promised', () => {
    const { node } = lone({ count: 5 })
    give(node, 'n2', cepoch(3)) // not yet a quorum
    for (const [id, epoch] of [
      ['n3', 7],
      ['n2', 3],
    ] as const)
      give(node, id, cepoch(epoch))
    expect(node.status).toMatchObject({ role: 'LEADING', epoch: 8n })
  })

  it('A1: NEWEPOCH leaves only when the leader has the epoch on its own disk, and its promise counts only then', () => {
    const { node, said } = lone()
    node.holdSyncs = true
    give(node, 'n2', cepoch(0))
    expect(told(said, 'newEpoch')).toEqual([])
    give(node, 'n2', report(1, 0, 0))
    expect(node.status.detail.phase).toBe('discovery')
    node.sync()
    expect(told(said, 'newEpoch')).toHaveLength(1)
    expect(node.status.detail.phase).toBe('synchronization')
  })

  it('1. acceptedEpoch is on disk before ACK-E leaves, and a restart does not forget it', () => {
    const { node, said } = lone()
    give(node, 'n2', hint)
    node.holdSyncs = true
    give(node, 'n2', { type: 'newEpoch', epoch: e(7) })
    expect(told(said, 'ackEpoch')).toEqual([])
    node.sync()
    expect(told(said, 'ackEpoch')).toEqual([report(7, 0, 0)])
    const again = lone({ disk: node.disk })
    give(again.node, 'n3', hint)
    give(again.node, 'n3', { type: 'newEpoch', epoch: e(6) })
    expect(told(again.said, 'ackEpoch')).toEqual([])
    expect(metaOf(again.node)).toMatchObject({ acceptedEpoch: 7, acceptedFrom: n2 })
  })

  it('A1: only a later epoch is accepted; the same one, said again, is acknowledged again', () => {
    const { node, said } = promised(4)
    give(node, 'n2', { type: 'newEpoch', epoch: e(3) })
    expect(told(said, 'ackEpoch')).toHaveLength(1)
    give(node, 'n2', { type: 'newEpoch', epoch: e(4) })
    expect(told(said, 'ackEpoch')).toHaveLength(2)
  })

  it('two prospective leaders may choose the same epoch: whoever has promised it to one does not promise it to the other, after a restart as well', () => {
    const { node } = promised(4)
    const again = lone({ disk: node.disk })
    give(again.node, 'n3', hint)
    give(again.node, 'n3', { type: 'newEpoch', epoch: e(4) })
    expect(told(again.said, 'ackEpoch')).toEqual([])
    // What it has promised, and to whom, it tells: n3 can make a later epoch.
    again.node.tick(timing.heartbeatTicks)
    expect(told(again.said, 'cepoch').at(-1)).toEqual({ type: 'cepoch', epoch: 4, acceptedFrom: 'n2' })
  })

  it('who has promised as much to another makes a prospective leader choose again', () => {
    const { node, said } = elected()
    expect(node.status.epoch).toBe(1n)
    give(node, 'n3', cepoch(1))
    expect(node.status).toMatchObject({ role: 'LEADING', epoch: 2n })
    expect(told(said, 'newEpoch').map(({ epoch }) => epoch)).toEqual([1, 2, 2])
    give(node, 'n2', report(1, 0, 0)) // a promise of the first attempt says nothing of the second
    expect(node.status.detail.phase).toBe('discovery')
  })

  it('2. the initial history is that of the highest currentEpoch, then the highest zxid: a leader that finds one ahead of it in every quorum abdicates', () => {
    for (const [currentEpoch, last, zxid, abdicates] of [
      [1, 1, zxidOf(1, 1), true], // a later currentEpoch
      [0, 1, zxidOf(1, 1), true], // a higher zxid
      [0, 0, noZxid, false],
    ] as const) {
      const { node } = elected()
      give(node, 'n2', report(1, currentEpoch, last, zxid))
      give(node, 'n3', report(1, currentEpoch, last, zxid))
      expect(node.status.role).toBe(abdicates ? 'LOOKING' : 'LEADING')
      expect(node.status.detail.phase).toBe(abdicates ? 'election' : 'synchronization')
    }
  })

  it('a later currentEpoch outweighs a higher zxid', () => {
    const made = lone({ disk: withHistory().node.disk })
    give(made.node, 'n2', cepoch(2, n2))
    give(made.node, 'n2', report(3, 1, 9, zxidOf(1, 9)))
    expect(made.node.status.detail).toMatchObject({ phase: 'synchronization', zxid: '2.1', currentEpoch: 3 })
  })

  it('one that is ahead does not count, and does not hinder a quorum of others', () => {
    const { node } = elected()
    give(node, 'n3', cepoch(0))
    give(node, 'n2', report(1, 1, 1, zxidOf(1, 1)))
    expect(node.status.detail.phase).toBe('discovery')
    give(node, 'n3', report(1, 0, 0))
    expect(node.status.detail.phase).toBe('synchronization')
  })

  it('a prospective leader that finds no quorum gives up, and looks again', () => {
    const { node } = elected()
    node.tick(timing.electionTicks)
    expect(node.status.role).toBe('LOOKING')
  })

  it('whose own disk does not answer does not stand again before it does', () => {
    const { node, said } = lone()
    node.holdSyncs = true
    give(node, 'n2', cepoch(0))
    node.tick(timing.electionTicks)
    expect(told(said, 'notification').at(-1)).toMatchObject({ state: 'LOOKING', vote: undefined })
    node.sync()
    node.tick(2 * timing.electionTicks)
    expect(told(said, 'notification').at(-1)).toMatchObject({ vote: { leader: 'n1' } })
  })
})

describe('phase 2: synchronization', () => {
  it('3. NEWLEADER: the history is on disk, then currentEpoch, then it is acknowledged (ZOOKEEPER-3911, -4643, -4646, -4785)', () => {
    const { node, said } = promised(1)
    give(node, 'n2', { type: 'diff', epoch: e(1), position: 0, zxid: noZxid })
    node.holdSyncs = true
    const before = node.effects.length
    give(node, 'n2', proposal(1, 1, [zxidOf(1, 1)]))
    give(node, 'n2', { type: 'newLeader', epoch: e(1), position: 1 })
    expect(told(said, 'ackLeader')).toEqual([])
    const ops = node.effects.slice(before).flatMap(({ write }) => write?.ops ?? [])
    expect(ops.map(({ type }) => type)).toEqual(['put', 'meta'])
    expect(metaOf(node).currentEpoch).toBe(0)
    node.sync()
    expect(metaOf(node).currentEpoch).toBe(1)
    expect(told(said, 'ackLeader')).toHaveLength(1)
  })

  it('3. both in one turn are one write, the history first', () => {
    const { node } = promised(1)
    give(node, 'n2', { type: 'diff', epoch: e(1), position: 0, zxid: noZxid })
    for (const message of [proposal(1, 1, [zxidOf(1, 1)]), { type: 'newLeader', epoch: e(1), position: 1 } as const])
      node.engine.step(
        { type: 'receive', from: n2, message: concatChunks(encodeMessage(message)) },
        node.now as Monotonic,
      )
    expect(node.engine.drain().write?.ops.map(({ type }) => type)).toEqual(['put', 'meta'])
  })

  it('3. NEWLEADER for a history that is not here yet is not acknowledged: what is missing is asked for', () => {
    const { node, said } = promised(1)
    give(node, 'n2', { type: 'diff', epoch: e(1), position: 0, zxid: noZxid })
    give(node, 'n2', { type: 'newLeader', epoch: e(1), position: 2 })
    expect(told(said, 'ackLeader')).toEqual([])
    expect(told(said, 'ack')).toEqual([{ type: 'ack', epoch: 1, position: 0, resume: true }])
    expect(metaOf(node).currentEpoch).toBe(0)
  })

  it("A2: the leader's own acknowledgement counts only when it is on disk", () => {
    const { node } = elected()
    node.holdSyncs = true
    give(node, 'n2', report(1, 0, 0))
    give(node, 'n2', { type: 'ackLeader', epoch: e(1) })
    expect(node.status).toMatchObject({ leading: false, detail: { phase: 'synchronization' } })
    node.sync()
    expect(node.status).toMatchObject({ leading: true, detail: { phase: 'broadcast' } })
  })

  it('A2: but a quorum of others is one without it', () => {
    const { node } = lone({ count: 5 })
    for (const id of ['n2', 'n3', 'n2']) give(node, id, cepoch(0))
    give(node, 'n2', report(1, 0, 0))
    node.holdSyncs = true
    give(node, 'n4', cepoch(0))
    for (const id of ['n3', 'n4']) give(node, id, report(1, 0, 0))
    for (const id of ['n2', 'n3', 'n4']) give(node, id, { type: 'ackLeader', epoch: e(1) })
    expect(node.status.leading).toBe(true)
    node.sync()
    expect(node.status.leading).toBe(true)
  })

  it('A2: nothing is proposed, and nobody is told of a leader, before a quorum has acknowledged it', () => {
    const { node, said } = elected()
    give(node, 'n2', report(1, 0, 0))
    node.turn(propose(1))
    expect(outcomesOf(node, 1)).toEqual([{ type: 'refused', reason: 'not-leader' }])
    expect(told(said, 'propose')).toEqual([])
    give(node, 'n2', { type: 'ackLeader', epoch: e(1) })
    expect(told(said, 'commitLeader')).toHaveLength(1)
    expect(told(said, 'propose')).toHaveLength(1)
  })

  it('A2: the initial history is committed as soon as a quorum has acknowledged it, whatever epochs it is of', () => {
    const made = lone({ disk: withHistory().node.disk })
    const { node } = made
    give(node, 'n2', cepoch(2, n2))
    give(node, 'n2', report(3, 2, 4, zxidOf(2, 1)))
    expect(node.decided).toEqual([])
    give(node, 'n2', { type: 'ackLeader', epoch: e(3) })
    expect(node.decided.map(({ position, epoch }) => [position, epoch])).toEqual([
      [1, 1n],
      [2, 1n],
      [3, 1n],
      [4, 2n],
    ])
  })

  it('2. what was logged and not decided is not delivered at a restart, but when a leader says so', () => {
    const { node } = following(1)
    give(node, 'n2', proposal(1, 1, [zxidOf(1, 1)]))
    const again = lone({ disk: node.disk })
    again.node.tick(10)
    expect(again.node.status).toMatchObject({ decided: 0, last: 1 })
    give(again.node, 'n2', { ...hint, epoch: e(1) })
    give(again.node, 'n2', { type: 'newEpoch', epoch: e(2) })
    give(again.node, 'n2', { type: 'diff', epoch: e(2), position: 1, zxid: zxidOf(1, 1) })
    give(again.node, 'n2', { type: 'newLeader', epoch: e(2), position: 1 })
    expect(again.node.decided).toEqual([])
    give(again.node, 'n2', { type: 'commitLeader', epoch: e(2), committed: 1 })
    expect(batches(again.node)).toEqual(['x'])
  })

  it('6. DIFF for one whose history is a beginning of the own one; it gets the rest', () => {
    const { node, said } = lone({ disk: withHistory().node.disk })
    give(node, 'n2', cepoch(2, n2))
    give(node, 'n2', report(3, 1, 2, zxidOf(1, 2)))
    expect(told(said, 'diff')).toEqual([{ type: 'diff', epoch: 3, position: 2, zxid: zxidOf(1, 2) }])
    expect(told(said, 'propose')).toMatchObject([
      { first: 3, transactions: [{ zxid: zxidOf(1, 3) }, { zxid: zxidOf(2, 1) }] },
    ])
    expect(told(said, 'newLeader')).toEqual([{ type: 'newLeader', epoch: 3, position: 4 }])
  })

  it('6. TRUNC for one that has what the leader lacks, and of that only', () => {
    const { node, said } = lone({ disk: withHistory().node.disk })
    give(node, 'n2', cepoch(2, n2))
    give(node, 'n2', report(3, 1, 5, zxidOf(1, 5)))
    expect(told(said, 'trunc')).toEqual([{ type: 'trunc', epoch: 3, last: zxidOf(1, 5), zxid: zxidOf(1, 3) }])
    give(node, 'n2', report(3, 1, 3, zxidOf(1, 3)))
    expect(told(said, 'diff')).toEqual([{ type: 'diff', epoch: 3, position: 3, zxid: zxidOf(1, 3) }])
  })

  it('6. TRUNC in two steps, if the follower has an epoch that the leader does not know', () => {
    // It has 1.1 to 1.5 and 3.1, from two attempts to lead that failed.
    const { node, said } = lone({ disk: withHistory().node.disk })
    give(node, 'n2', cepoch(4))
    give(node, 'n3', cepoch(0))
    give(node, 'n3', report(5, 0, 0))
    const steps = [
      [report(5, 1, 6, zxidOf(3, 1)), { type: 'trunc', epoch: 5, last: zxidOf(3, 1), zxid: zxidOf(2, 1) }], // 3.1 goes
      [report(5, 1, 5, zxidOf(1, 5)), { type: 'trunc', epoch: 5, last: zxidOf(1, 5), zxid: zxidOf(1, 3) }], // 1.4 and 1.5
      [report(5, 1, 3, zxidOf(1, 3)), { type: 'diff', epoch: 5, position: 3, zxid: zxidOf(1, 3) }],
    ] as const
    for (const [answer, next] of steps) {
      const before = said.length
      give(node, 'n2', answer)
      expect(said[before]?.message).toEqual(next)
    }
  })

  it('TRUNC: the follower forgets everything above the zxid, on disk before it says so', () => {
    const { node, said } = lone({ disk: withHistory().node.disk })
    give(node, 'n2', { ...hint, epoch: e(2) })
    give(node, 'n2', { type: 'newEpoch', epoch: e(3) })
    node.holdSyncs = true
    give(node, 'n2', { type: 'trunc', epoch: e(3), last: zxidOf(2, 1), zxid: zxidOf(1, 9) })
    expect(told(said, 'ackEpoch')).toHaveLength(1)
    node.sync()
    expect(told(said, 'ackEpoch').at(-1)).toEqual(report(3, 2, 3, zxidOf(1, 3)))
    expect(zxidsOf(node)).toEqual(['1.1', '1.2', '1.3'])
  })

  it('TRUNC never reaches what is committed: the node stops before it lies', () => {
    const { node } = following(1)
    give(node, 'n2', proposal(1, 1, [zxidOf(1, 1)], { committed: 1 }))
    give(node, 'n2', { type: 'newEpoch', epoch: e(2) })
    expect(() => give(node, 'n2', { type: 'trunc', epoch: e(2), last: zxidOf(1, 1), zxid: noZxid })).toThrow(
      'n2 asks to forget what is committed',
    )
  })

  it('a double of TRUNC or of DIFF changes nothing once the stream has begun', () => {
    const { node, said } = following(1)
    give(node, 'n2', proposal(1, 1, [zxidOf(1, 1)]))
    const before = said.length
    give(node, 'n2', { type: 'trunc', epoch: e(1), last: zxidOf(1, 1), zxid: noZxid })
    give(node, 'n2', { type: 'diff', epoch: e(1), position: 0, zxid: noZxid })
    expect(said).toHaveLength(before)
    expect(node.status.last).toBe(1)
  })

  it('a DIFF that does not fit is answered by where the history ends', () => {
    const { node, said } = promised(1)
    node.tick(timing.heartbeatTicks)
    give(node, 'n2', { type: 'diff', epoch: e(1), position: 4, zxid: zxidOf(1, 4) })
    expect(told(said, 'ackEpoch')).toEqual([report(1, 0, 0), report(1, 0, 0)])
    expect(node.status.detail.phase).toBe('discovery')
  })
})

describe('phase 3: broadcast', () => {
  it('A3: a proposal is acknowledged when it is on disk, and committed when a quorum has acknowledged it', () => {
    const { node, said } = following(1)
    node.holdSyncs = true
    give(node, 'n2', proposal(1, 1, [zxidOf(1, 1)]))
    expect(told(said, 'ack')).toEqual([])
    node.sync()
    expect(told(said, 'ack')).toEqual([{ type: 'ack', epoch: 1, position: 1, resume: false }])
    expect(node.decided).toEqual([])
    give(node, 'n2', { type: 'commit', epoch: e(1), committed: 1 })
    expect(batches(node)).toEqual(['x'])
  })

  it("the leader's own log counts only as far as it is on disk", () => {
    const { node } = leading()
    node.holdSyncs = true
    node.turn(propose(1))
    give(node, 'n2', { type: 'ack', epoch: e(1), position: 2, resume: false })
    expect(batches(node)).toEqual([])
    node.sync()
    expect(outcomesOf(node, 1)).toEqual([{ type: 'decided', position: 2 }])
  })

  it('8. commits are in the order of the zxids, and are told with the next proposal, or by themselves', () => {
    const { node, said } = leading()
    node.turn(propose(1), propose(2))
    expect(told(said, 'propose').at(-1)).toMatchObject({
      first: 2,
      transactions: [{ zxid: zxidOf(1, 2) }, { zxid: zxidOf(1, 3) }],
    })
    give(node, 'n2', { type: 'ack', epoch: e(1), position: 3, resume: false })
    expect(node.decided.map(({ position }) => position)).toEqual([1, 2, 3])
    expect(told(said, 'commit').at(-1)).toEqual({ type: 'commit', epoch: 1, committed: 3 })
    expect(node.settled.map(({ id }) => id)).toEqual([1, 2])
  })

  it('5. a double of a proposal is harmless, and its acknowledgement waits for the first write', () => {
    const { node, said } = following(1)
    node.holdSyncs = true
    for (let i = 0; i < 2; i++) give(node, 'n2', proposal(1, 1, [zxidOf(1, 1)]))
    expect(told(said, 'ack')).toEqual([])
    node.sync()
    expect(told(said, 'ack')).toHaveLength(2)
    expect(node.status.last).toBe(1)
    give(node, 'n2', proposal(1, 1, [zxidOf(1, 1), zxidOf(1, 2)])) // half of it is new
    expect(node.status.last).toBe(2)
  })

  it('two different proposals for one position stop the node', () => {
    const { node } = following(1)
    give(node, 'n2', proposal(1, 1, [zxidOf(1, 1)]))
    expect(() => give(node, 'n2', proposal(1, 1, [zxidOf(1, 2)]))).toThrow('position 1 is proposed twice, differently')
  })

  it('6. a gap is refused, and the leader resumes (ZOOKEEPER-4925)', () => {
    const { node, said } = following(1)
    give(node, 'n2', proposal(1, 3, [zxidOf(1, 3)]))
    give(node, 'n2', proposal(1, 4, [zxidOf(1, 4)]))
    expect(node.status.last).toBe(0)
    expect(told(said, 'ack')).toEqual([{ type: 'ack', epoch: 1, position: 0, resume: true }]) // once a tick
    const leader = leading()
    leader.node.turn(propose(1))
    leader.node.turn(propose(2))
    for (let i = 0; i < 2; i++) give(leader.node, 'n2', { type: 'ack', epoch: e(1), position: 1, resume: true })
    expect(told(leader.said, 'propose').map(({ first }) => first)).toEqual([1, 2, 3, 2]) // once a tick, too
  })

  it('5. one that comes late is synchronized while broadcast goes on, and its COMMIT-LD carries the newest commit', () => {
    const { node, said } = leading()
    node.turn(propose(1))
    give(node, 'n2', { type: 'ack', epoch: e(1), position: 2, resume: false })
    give(node, 'n3', cepoch(0))
    give(node, 'n3', report(1, 0, 0))
    node.turn(propose(2))
    give(node, 'n2', { type: 'ack', epoch: e(1), position: 3, resume: false })
    const to3 = said.filter(({ to }) => to === n3)
    expect(told(to3, 'diff')).toHaveLength(1)
    expect(told(to3, 'propose').map(({ first }) => first)).toEqual([1, 3])
    give(node, 'n3', { type: 'ackLeader', epoch: e(1) })
    expect(told(said, 'commitLeader').at(-1)).toEqual({ type: 'commitLeader', epoch: 1, committed: 3 })
  })

  it('what somebody acknowledges who has not acknowledged the leader does not count', () => {
    const { node } = leading()
    give(node, 'n3', cepoch(0))
    give(node, 'n3', report(1, 0, 0))
    node.turn(propose(1))
    give(node, 'n3', { type: 'ack', epoch: e(1), position: 2, resume: false })
    expect(outcomesOf(node, 1)).toEqual([])
    give(node, 'n3', { type: 'ackLeader', epoch: e(1) })
    expect(outcomesOf(node, 1)).toEqual([{ type: 'decided', position: 2 }])
  })

  it('a late comer that has promised a later epoch could never follow: the leader begins anew, above it', () => {
    const { node, said } = leading()
    give(node, 'n3', cepoch(6))
    expect(told(said, 'takeOver')).toHaveLength(2)
    give(node, 'n2', cepoch(1, nodeId('n1')))
    expect(node.status).toMatchObject({ role: 'LEADING', epoch: 7n })
    expect(told(said, 'newEpoch').at(-1)).toMatchObject({ epoch: 7 })
  })

  it('so does one that has promised the same epoch to somebody else', () => {
    const { node } = leading()
    give(node, 'n3', cepoch(1, n3))
    expect(node.status.detail.phase).toBe('discovery')
  })

  it('one that has no quorum yet begins anew without telling anybody', () => {
    const { node, said } = elected()
    give(node, 'n2', report(1, 0, 0))
    give(node, 'n3', cepoch(6))
    expect(told(said, 'takeOver')).toEqual([])
    give(node, 'n2', cepoch(1, node.id))
    expect(node.status.epoch).toBe(7n)
  })

  it('7. a leader that hears no quorum looks for another', () => {
    const { node } = leading()
    node.turn(propose(1))
    node.tick(timing.electionTicks + 1)
    expect(node.status.role).toBe('LOOKING')
    expect(outcomesOf(node, 1)).toEqual([{ type: 'unknown' }]) // it may yet be committed
  })

  it('9. primary order: a new primary commits everything of the older ones before what is its own', () => {
    const nodes = new Nodes(3)
    const old = nodes.elect(1)
    nodes.cut = ({ from, to }) => to === 'n3' || from === 'n2'
    old.turn(propose(1), propose(2))
    nodes.settle()
    nodes.isolate(1)
    nodes.rounds(timing.electionTicks)
    const leader = nodes.elect(2)
    leader.turn(propose(3))
    nodes.settle()
    expect(batches(leader)).toEqual(['batch 1', 'batch 2', 'batch 3'])
    expect(batches(nodes.at(3))).toEqual(['batch 1', 'batch 2', 'batch 3'])
    const epochs = leader.decided.map(({ epoch }) => epoch)
    expect(epochs).toEqual([...epochs].sort())
  })

  it('a deposed leader is heard by nobody who has promised a later epoch', () => {
    const { node, said } = following(1)
    give(node, 'n2', { type: 'newEpoch', epoch: e(2) })
    const before = said.length
    give(node, 'n2', proposal(1, 1, [zxidOf(1, 1)]))
    give(node, 'n3', proposal(2, 1, [zxidOf(2, 1)]))
    expect(node.status.last).toBe(0)
    expect(said).toHaveLength(before)
  })

  it('a follower that hears nothing looks for another leader', () => {
    const { node } = following(1)
    node.tick(timing.electionTicks)
    expect(node.status.role).toBe('LOOKING')
  })
})
