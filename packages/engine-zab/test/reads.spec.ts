/** Reads, which ZooKeeper answers from any replica (its `sync` is no quorum operation: ZOOKEEPER-1675), and the leases and pledges that spare a round. */
import { nodeId } from '@conclave/interface'
import { propose, read, timing, transfer } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { decodeMeta } from '../src/meta.ts'
import { noZxid } from '../src/zxid.ts'
import { e, elected, following, give, hint, leading, lone, type Node, Nodes, outcomesOf, told } from './nodes.ts'

const pong = (round: number, pledged = false) => ({ type: 'pong', epoch: e(1), round, pledged }) as const
const ping = (round: number, { lease = false, epoch = 1, sent = 0, committed = 0 } = {}) =>
  ({ type: 'ping', epoch: e(epoch), established: true, lease, round, committed, sent }) as const

describe('linearizable reads', () => {
  it('8. need a quorum that confirms the epoch, in a round that began after they came', () => {
    const { node, said } = leading()
    node.turn(read(1))
    const round = told(said, 'ping').at(-1)?.round ?? 0
    node.turn(read(2))
    give(node, 'n2', pong(round))
    expect(outcomesOf(node, 1)).toEqual([{ type: 'readAt', position: 1 }])
    expect(outcomesOf(node, 2)).toEqual([])
    give(node, 'n2', pong(round + 1))
    expect(outcomesOf(node, 2)).toEqual([{ type: 'readAt', position: 1 }])
  })

  it("8. need the leader's own epoch committed: before, it may not know what was", () => {
    const { node, said } = elected()
    give(node, 'n2', { type: 'ackEpoch', epoch: e(1), currentEpoch: e(0), last: 0, zxid: noZxid })
    give(node, 'n2', { type: 'ackLeader', epoch: e(1) })
    expect(node.status.leading).toBe(true)
    node.turn(read(1))
    give(node, 'n2', pong(0))
    expect(outcomesOf(node, 1)).toEqual([])
    give(node, 'n2', { type: 'ack', epoch: e(1), position: 1, resume: false })
    give(node, 'n2', pong(told(said, 'ping').at(-1)?.round ?? 0))
    expect(outcomesOf(node, 1)).toEqual([{ type: 'readAt', position: 1 }])
  })

  it('reads of one turn share a round', () => {
    const { node, said } = leading()
    const before = told(said, 'ping').length
    node.turn(read(1), read(2), read(3))
    expect(told(said, 'ping')).toHaveLength(before + 2)
  })

  it('answers to what was not asked, of another epoch, or of nobody, count for nothing', () => {
    const { node, said } = leading()
    node.turn(read(1))
    const round = told(said, 'ping').at(-1)?.round ?? 0
    give(node, 'n2', pong(round + 7))
    give(node, 'n2', { ...pong(round), epoch: e(2) })
    give(node, 'n9', pong(round))
    expect(node.settled).toEqual([])
  })

  it('a leader that is none any more refuses them: they have no effect', () => {
    const { node } = leading()
    node.turn(read(1))
    node.tick(timing.electionTicks + 1)
    expect(outcomesOf(node, 1)).toEqual([{ type: 'refused', reason: 'not-leader' }])
  })

  it('a deposed leader serves none', () => {
    const nodes = new Nodes(3)
    const old = nodes.elect(1)
    nodes.isolate(1)
    old.turn(read(1))
    nodes.settle()
    nodes.rounds(2 * timing.electionTicks)
    expect(outcomesOf(old, 1)).toEqual([{ type: 'refused', reason: 'not-leader' }])
  })

  it('one that nobody waits for is cancelled, before its round and in it', () => {
    const { node, said } = leading()
    node.turn(read(1), { type: 'cancel', id: 1 as never })
    node.turn(read(2), read(3))
    node.turn({ type: 'cancel', id: 2 as never })
    give(node, 'n2', pong(told(said, 'ping').at(-1)?.round ?? 0))
    expect(node.settled.map(({ id }) => id)).toEqual([3])
    const follower = following(1)
    follower.node.turn({ type: 'cancel', id: 1 as never }, read(2))
    expect(follower.node.settled.map(({ id }) => id)).toEqual([2])
  })
})

/** n1 leads, with leases, and n2 has pledged itself in this round. */
const withLease = () => {
  const made = leading({ leases: true })
  made.node.tick(timing.heartbeatTicks)
  const last = told(made.said, 'ping').at(-1)
  give(made.node, 'n2', pong(last?.round ?? 0, true))
  return made
}
const served = (node: Node, id: number): boolean => {
  node.turn(read(id, 'lease'))
  return outcomesOf(node, id).some(({ type }) => type === 'readAt')
}

describe('leases', () => {
  it('a lease read is served at once while a quorum is pledged, and by a round when it is not', () => {
    const { node } = withLease()
    expect(served(node, 1)).toBe(true)
    node.now += timing.electionTicks * timing.tickMillis // the process was stopped, and had no tick
    expect(served(node, 2)).toBe(false)
    const without = leading()
    expect(served(without.node, 1)).toBe(false)
  })

  it('a lease is shorter than a pledge by a tenth, and counts from when the round began', () => {
    const { node } = withLease()
    const pledge = timing.electionTicks * timing.tickMillis
    node.now += pledge * 0.9 - 1
    expect(served(node, 1)).toBe(true)
    node.now += 1
    expect(served(node, 2)).toBe(false)
  })

  it('an answer without a pledge gives none', () => {
    const { node, said } = leading({ leases: true })
    node.tick(timing.heartbeatTicks)
    give(node, 'n2', pong(told(said, 'ping').at(-1)?.round ?? 0))
    expect(served(node, 1)).toBe(false)
  })

  it('a leader that hands over has no lease any more', () => {
    const { node } = withLease()
    node.turn(transfer(2))
    expect(served(node, 1)).toBe(false)
  })
})

describe('pledges', () => {
  it('that any was made is on disk before the first one leaves; the later ones leave at once', () => {
    const { node, said } = following(1)
    node.holdSyncs = true
    give(node, 'n2', ping(1, { lease: true }))
    expect(told(said, 'pong')).toEqual([])
    node.sync()
    expect(told(said, 'pong')).toEqual([{ type: 'pong', epoch: 1, round: 1, pledged: true }])
    expect(decodeMeta(node.disk.meta).pledged).toBe(true)
    give(node, 'n2', ping(2, { lease: true }))
    expect(told(said, 'pong')).toHaveLength(2)
  })

  it('whoever is pledged promises the epoch of nobody else while it holds', () => {
    const { node, said } = following(1)
    give(node, 'n2', ping(1, { lease: true }))
    node.turn({ type: 'peer', id: nodeId('n2'), state: 'down' })
    give(node, 'n3', hint)
    give(node, 'n3', { type: 'newEpoch', epoch: e(2) })
    expect(told(said, 'ackEpoch')).toHaveLength(1)
    node.now += timing.electionTicks * timing.tickMillis
    give(node, 'n3', { type: 'newEpoch', epoch: e(2) })
    expect(told(said, 'ackEpoch')).toHaveLength(2)
  })

  it('nor an epoch of its own', () => {
    const { node, said } = following(1)
    give(node, 'n2', ping(1, { lease: true }))
    node.turn({ type: 'peer', id: nodeId('n2'), state: 'down' })
    give(node, 'n3', { type: 'cepoch', epoch: e(1), acceptedFrom: nodeId('n2') })
    expect(node.status.role).toBe('LEADING')
    expect(told(said, 'newEpoch')).toEqual([])
    node.now += timing.electionTicks * timing.tickMillis
    node.tick(timing.heartbeatTicks)
    expect(told(said, 'newEpoch')).toEqual([{ type: 'newEpoch', epoch: 2 }])
  })

  it('one that starts again does not know what it has pledged: it keeps quiet as long as any pledge lasts', () => {
    const { node } = following(1)
    give(node, 'n2', ping(1, { lease: true }))
    const { node: again, said } = lone({ disk: node.disk })
    give(again, 'n3', hint)
    give(again, 'n3', { type: 'newEpoch', epoch: e(2) })
    expect(told(said, 'ackEpoch')).toEqual([])
    again.now += timing.electionTicks * timing.tickMillis
    give(again, 'n3', { type: 'newEpoch', epoch: e(2) })
    expect(told(said, 'ackEpoch')).toHaveLength(1)
  })

  it('the leader that gave its epoch away holds nobody to a pledge', () => {
    const { node, said } = following(1)
    give(node, 'n2', ping(1, { lease: true }))
    give(node, 'n3', { type: 'takeOver', epoch: e(1) })
    give(node, 'n3', { type: 'newEpoch', epoch: e(2) })
    expect(told(said, 'ackEpoch').at(-1)).toMatchObject({ epoch: 2 })
  })
})

describe('pings', () => {
  it('tell what is committed', () => {
    const { node, said } = leading()
    node.turn(propose(1))
    give(node, 'n2', { type: 'ack', epoch: e(1), position: 2, resume: false })
    node.tick(timing.heartbeatTicks)
    expect(told(said, 'ping').at(-1)).toMatchObject({ committed: 2, established: true })
  })

  it('ask a follower whose COMMIT-LD was lost to acknowledge the leader again', () => {
    const { node, said } = following(1)
    const again = following(1)
    expect(told(said, 'ackLeader')).toHaveLength(1)
    give(node, 'n2', ping(1)) // it knows
    expect(told(said, 'ackLeader')).toHaveLength(1)
    give(again.node, 'n2', { type: 'newEpoch', epoch: e(2) })
    give(again.node, 'n2', { type: 'diff', epoch: e(2), position: 0, zxid: noZxid })
    give(again.node, 'n2', { type: 'newLeader', epoch: e(2), position: 0 })
    give(again.node, 'n2', ping(1, { epoch: 2 }))
    expect(told(again.said, 'ackLeader')).toHaveLength(3)
  })

  it('ask where somebody stands: it says so, or asks for what it lacks', () => {
    const { node, said } = following(1)
    give(node, 'n2', ping(0, { sent: 5 }))
    expect(told(said, 'ack').at(-1)).toMatchObject({ position: 0, resume: true })
  })

  it('of an epoch that was not promised are answered by CEPOCH', () => {
    const { node, said } = lone()
    give(node, 'n2', hint)
    node.tick(timing.heartbeatTicks)
    const before = told(said, 'cepoch').length
    node.tick(timing.heartbeatTicks - 1)
    give(node, 'n2', ping(1, { epoch: 4 }))
    expect(told(said, 'pong')).toEqual([])
    node.tick()
    expect(told(said, 'cepoch').length).toBe(before + 1)
    expect(node.status.leader).toBeUndefined()
  })
})
