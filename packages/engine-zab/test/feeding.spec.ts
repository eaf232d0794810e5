/** What a leader sends to a follower that is slow, gone, hung or far behind: enough to bring it back, and little more; and what stays in memory for it. */
import { type Input, nodeId } from '@conclave/interface'
import { add, batches, captured, limits, peer, propose, snapshotId, timing } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { encodeSnapshotHeader } from '../src/messages.ts'
import { e, following, give, leading, type Node, Nodes, outcomesOf, promised, proposal, told, zxidOf } from './nodes.ts'

const n2 = nodeId('n2')
const n3 = nodeId('n3')
const small = { messageBytes: 500, inflightBytes: 500, undecidedBytes: 1 << 20, tailBytes: 1_000 }
const big = 'x'.repeat(100)
const ack = (position: number, resume = false) => ({ type: 'ack', epoch: e(1), position, resume }) as const
const sentSnapshots = (node: Node) => node.effects.flatMap(({ sendSnapshot = [] }) => sendSnapshot)
const captures = (node: Node) => node.effects.filter(({ capture }) => capture).length
const ended = (id: string, ok: boolean): Input => ({ type: 'snapshotSent', to: n3, id: snapshotId(id), ok })

let proposals = 0
const load = (nodes: Nodes, count: number): void => {
  for (let i = 0; i < count; i++) {
    nodes.at(1).turn(propose(++proposals, big))
    nodes.settle()
  }
}

/** n1 leads; n3 was away for so long that it needs a snapshot, which the leader has asked for. */
const lagging = (): Nodes => {
  const nodes = new Nodes(3, { limits: small })
  nodes.elect(1)
  nodes.rounds(timing.heartbeatTicks)
  nodes.isolate(3)
  load(nodes, 30)
  nodes.heal()
  nodes.rounds(3 * timing.heartbeatTicks)
  expect(captures(nodes.at(1))).toBe(1)
  return nodes
}

describe('the window', () => {
  it('no more is on its way to a follower than its window holds, and what it acknowledges makes room', () => {
    const { node, said } = leading({ limits: { ...limits, inflightBytes: 300 } })
    for (let id = 1; id <= 10; id++) node.turn(propose(id, big))
    const before = told(said, 'propose').length
    expect(before).toBeLessThan(6)
    give(node, 'n2', ack(2))
    expect(told(said, 'propose').length).toBe(before + 1)
  })

  it('one proposal always goes, however large it is', () => {
    const { node, said } = leading({ limits: { ...limits, inflightBytes: 50 } })
    node.turn(propose(1, big))
    expect(told(said, 'propose').at(-1)).toMatchObject({ first: 2 })
  })

  it('a message holds no more than its limit', () => {
    const { node, said } = leading({ limits: { ...limits, messageBytes: 300 } })
    node.turn(propose(1, big), propose(2, big), propose(3, big))
    expect(
      told(said, 'propose')
        .slice(1)
        .map(({ transactions }) => transactions.length),
    ).toEqual([2, 1])
    node.turn(propose(4, 'x'.repeat(300)))
    expect(outcomesOf(node, 4)).toEqual([{ type: 'refused', reason: 'invalid' }])
  })

  it('undecided proposals are bounded; the first always fits', () => {
    const { node } = leading({ limits: { ...limits, undecidedBytes: 150 } })
    node.turn(propose(1, 'x'.repeat(200)), propose(2, big))
    expect(outcomesOf(node, 2)).toEqual([{ type: 'refused', reason: 'overloaded' }])
    give(node, 'n2', ack(2))
    node.turn(propose(3, big))
    expect(outcomesOf(node, 3)).toEqual([])
  })
})

describe('a follower that does not answer', () => {
  it('one that hangs costs a few bytes now and then, not its window again and again', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.rounds(timing.heartbeatTicks)
    nodes.isolate(3)
    for (let i = 1; i <= 4; i++) leader.turn(propose(i, 'x'.repeat(100_000)))
    nodes.settle()
    let bytes = 0
    nodes.cut = (m) => {
      if (m.to === n3) bytes += m.bytes.length
      return m.to === n3 || m.from === n3
    }
    nodes.rounds(300)
    expect(bytes).toBeGreaterThan(0)
    expect(bytes).toBeLessThan(20_000)
  })

  it('what it lost it gets again once it says where it stands', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.rounds(timing.heartbeatTicks)
    nodes.cut = ({ to, message }) => to === n3 && message.type === 'propose'
    leader.turn(propose(1))
    nodes.settle()
    nodes.heal()
    nodes.rounds(3 * timing.heartbeatTicks)
    expect(batches(nodes.at(3))).toEqual(['batch 1'])
  })

  it('a report of lost frames is answered by one question; nothing more goes before the answer', () => {
    const { node, said } = leading()
    node.turn(propose(1))
    const before = said.length
    for (let i = 0; i < 20; i++) node.turn({ type: 'peer', id: n2, state: 'lost' })
    expect(said.slice(before)).toMatchObject([{ to: n2, message: { type: 'ping', sent: 2 } }])
    node.turn(propose(2))
    expect(told(said, 'propose').at(-1)).toMatchObject({ first: 2 })
    give(node, 'n2', ack(1, true))
    expect(told(said, 'propose').at(-1)).toMatchObject({ first: 2, transactions: [{}, {}] })
  })

  it('nothing goes over a link that is down; when it is up again it is told who leads', () => {
    const { node, said } = leading()
    node.turn({ type: 'peer', id: n2, state: 'down' })
    const before = said.length
    node.turn(propose(1))
    expect(said).toHaveLength(before)
    node.turn({ type: 'peer', id: n2, state: 'up' })
    expect(said.at(-1)).toMatchObject({ to: n2, message: { type: 'ping', established: true } })
    node.turn({ type: 'peer', id: nodeId('n9'), state: 'up' }) // nobody
  })

  it('whatever is lost of discovery and synchronization is said again', () => {
    for (const type of [
      'newEpoch',
      'ackEpoch',
      'diff',
      'newLeader',
      'ackLeader',
      'commitLeader',
      'propose',
      'ack',
      'commit',
    ] as const) {
      const nodes = new Nodes(3)
      let lost = 0
      nodes.cut = ({ message }) => message.type === type && lost++ < 3
      nodes.rounds(2 * timing.electionTicks)
      nodes.heal()
      const leader = [...nodes.all.values()].find(({ status }) => status.leading)
      leader?.turn(propose(1))
      nodes.settle()
      nodes.rounds(3 * timing.heartbeatTicks)
      expect(
        [1, 2, 3].map((n) => batches(nodes.at(n))),
        type,
      ).toEqual([['batch 1'], ['batch 1'], ['batch 1']])
      expect(lost, type).toBeGreaterThan(0)
    }
  })

  it('one whose history could not be is left alone', () => {
    const { node, said } = leading()
    give(node, 'n3', { type: 'cepoch', epoch: e(0), acceptedFrom: undefined })
    give(node, 'n3', { type: 'ackEpoch', epoch: e(1), currentEpoch: e(1), last: 7, zxid: zxidOf(1, 1) })
    expect(said.at(-1)).toMatchObject({ message: { type: 'newEpoch' } })
    expect(node.status.detail['peer n3']).toMatch('away')
    give(node, 'n3', ack(1))
    expect(node.status.detail['peer n3']).toMatch('away')
  })
})

describe('SNAP', () => {
  it('a follower that lacks what is in memory no more gets a snapshot, and what follows it', () => {
    const nodes = lagging()
    const [leader, laggard] = [nodes.at(1), nodes.at(3)]
    leader.turn(captured(leader.status.decided))
    nodes.rounds(timing.electionTicks)
    nodes.carrySnapshot(1, 3)
    nodes.settle()
    load(nodes, 3)
    nodes.rounds(timing.heartbeatTicks)
    expect(laggard.status).toMatchObject({ snapshot: 31, decided: leader.status.decided })
    expect(laggard.disk.snapshot?.position).toBe(31)
    const again = nodes.restart(3)
    expect(again.status).toMatchObject({ decided: 31, last: 34 })
  })

  it('so does one that joins late', () => {
    const nodes = new Nodes(3, { limits: small })
    const leader = nodes.elect(1)
    load(nodes, 30)
    leader.turn(captured(31))
    nodes.join(4)
    leader.turn(add(++proposals, 4, 'learner'))
    nodes.settle()
    nodes.rounds(timing.electionTicks)
    nodes.carrySnapshot(1, 4)
    nodes.rounds(timing.electionTicks)
    expect(nodes.at(4).status).toMatchObject({ role: 'OBSERVING', snapshot: 31, decided: 32 })
  })

  it('one transfer at a time, and not the next at once when it failed', () => {
    const nodes = lagging()
    const leader = nodes.at(1)
    leader.turn(captured(31))
    nodes.rounds(timing.electionTicks)
    expect(sentSnapshots(leader)).toHaveLength(1)
    leader.turn(ended('s7', false), { ...ended('s31', true), to: nodeId('n9') } as Input) // of an earlier reign, of nobody
    nodes.at(2).turn(ended('s31', true)) // it leads no more
    expect(leader.status.detail['peer n3']).toMatch(/^snapshot/)
    leader.turn(ended('s31', false))
    nodes.rounds(10)
    expect(sentSnapshots(leader)).toHaveLength(1)
    nodes.rounds(timing.electionTicks)
    expect(sentSnapshots(leader)).toHaveLength(2)
  })

  it('its acknowledgement may come before the end of the transfer: it goes on at once', () => {
    const nodes = lagging()
    const leader = nodes.at(1)
    leader.turn(captured(31))
    nodes.rounds(timing.electionTicks)
    give(leader, 'n3', { type: 'cepoch', epoch: e(1), acceptedFrom: nodeId('n1') })
    expect(leader.status.detail['peer n3']).toMatch(/^snapshot/) // which tells of its own end
    give(leader, 'n3', ack(2))
    expect(leader.status.detail['peer n3']).toMatch(/^snapshot/) // of before
    const header = sentSnapshots(leader)[0]?.header ?? new Uint8Array()
    nodes.at(3).turn({ type: 'snapshotReceived', from: nodeId('n1'), id: snapshotId('r'), header })
    nodes.settle()
    expect(leader.status.detail['peer n3']).toMatch(/^stream/)
    load(nodes, 1)
    expect(nodes.at(3).status.last).toBe(32)
  })

  it('one that has the body and has not installed it yet is not sent another', () => {
    const nodes = lagging()
    const leader = nodes.at(1)
    leader.turn(captured(31))
    nodes.rounds(timing.electionTicks)
    leader.turn(ended('s31', true))
    nodes.rounds(10)
    expect(sentSnapshots(leader)).toHaveLength(1)
  })

  it('only of the leader that is followed, in the epoch that was promised to it, and of what is not here', () => {
    const membership = following(1).node.status.membership
    const header = (epoch: number, position = 9) =>
      encodeSnapshotHeader({ epoch: e(epoch), position, zxid: zxidOf(1, 9), membership })
    const { node } = promised(1)
    const judged = (from: string, bytes: Uint8Array) => {
      node.turn({ type: 'snapshotOffered', from: nodeId(from), header: bytes })
      return node.effects.at(-1)?.answerSnapshot?.at(0)?.accept
    }
    expect(judged('n3', header(1))).toBe(false)
    expect(judged('n2', header(2))).toBe(false)
    expect(judged('n2', new Uint8Array([7]))).toBe(false)
    expect(node.status.malformed).toBe(1)
    expect(judged('n2', header(1))).toBe(true)
    node.turn({ type: 'snapshotReceived', from: n2, id: snapshotId('s'), header: header(1) })
    expect(node.status).toMatchObject({ decided: 9, snapshot: 9, detail: { phase: 'synchronization', zxid: '1.9' } })
    expect(judged('n2', header(1))).toBe(false)
    node.turn({ type: 'snapshotReceived', from: n2, id: snapshotId('t'), header: header(1) }) // a double
    expect(node.disk.snapshot?.id).toBe('s')
  })

  it('if the history has its last transaction, it is committed up to there, and nothing is thrown away', () => {
    const { node, said } = following(1)
    give(node, 'n2', proposal(1, 1, [zxidOf(1, 1), zxidOf(1, 2), zxidOf(1, 3)]))
    const { membership } = node.status
    const header = encodeSnapshotHeader({ epoch: e(1), position: 2, zxid: zxidOf(1, 2), membership })
    node.turn({ type: 'snapshotReceived', from: n2, id: snapshotId('s'), header })
    expect(node.status).toMatchObject({ decided: 2, last: 3, snapshot: 0 })
    expect(told(said, 'ack').at(-1)).toEqual({ type: 'ack', epoch: 1, position: 3, resume: true })
  })

  it('else it gives way: what it has beyond what is committed may be an earlier leader’s', () => {
    const { node } = following(1)
    give(node, 'n2', proposal(1, 1, [zxidOf(1, 1), zxidOf(1, 2), zxidOf(1, 3)], { committed: 1 }))
    give(node, 'n2', { type: 'newEpoch', epoch: e(3) })
    const { membership } = node.status
    const header = encodeSnapshotHeader({ epoch: e(3), position: 5, zxid: zxidOf(2, 2), membership })
    node.turn({ type: 'snapshotReceived', from: n2, id: snapshotId('s'), header })
    expect(node.status).toMatchObject({ decided: 5, last: 5, snapshot: 5 })
    expect([...node.disk.slots.keys()]).toEqual([])
  })

  it('a capture is named only if it is newer, and of what is committed', () => {
    const { node } = leading()
    for (const at of [0, 9]) node.turn(captured(at))
    expect(node.status.snapshot).toBe(0)
    node.turn(captured(1), captured(1))
    expect(node.status.snapshot).toBe(1)
    const ops = node.effects.flatMap(({ write }) => write?.ops ?? []).map(({ type }) => type)
    expect(ops.slice(-2)).toEqual(['snapshot', 'compactTo'])
  })

  it('a node that joins names none before its history says who the members are: nobody must get a guess for it', () => {
    const { node } = following(1, { founders: { members: [peer(2), peer(3)] } })
    give(node, 'n2', proposal(1, 1, [zxidOf(1, 1)], { committed: 1 }))
    node.turn(captured(1))
    expect(node.status).toMatchObject({ decided: 1, snapshot: 0 })
  })

  it('a double of what is in memory no more is acknowledged all the same', () => {
    const { node, said } = following(1, { limits: { ...limits, tailBytes: 0 } })
    for (let i = 0; i < 2; i++) give(node, 'n2', proposal(1, 1, [zxidOf(1, 1)], { committed: 1 }))
    expect(node.status.detail.tailFrom).toBe(2)
    expect(told(said, 'ack').map(({ position }) => position)).toEqual([1, 1])
  })
})

describe('the tail in memory', () => {
  it('what is committed is dropped beyond the bound', () => {
    const nodes = new Nodes(3, { limits: small })
    const leader = nodes.elect(1)
    load(nodes, 30)
    expect(leader.status.detail.tailBytes).toBeLessThan(1_200)
    expect(leader.status.detail.tailFrom).toBeGreaterThan(15)
  })

  it('what is not committed yet does not push out what is', () => {
    const { node } = leading({ limits: small })
    for (let id = 1; id <= 50; id++) node.turn(propose(id, big))
    expect(node.status.detail.tailFrom).toBe(1)
  })

  it('while a snapshot is made and sent, what follows it stays, so that no second one is needed', () => {
    const nodes = lagging()
    const leader = nodes.at(1)
    const { decided } = leader.status
    load(nodes, 20)
    leader.turn(captured(decided))
    nodes.rounds(timing.electionTicks)
    load(nodes, 20)
    nodes.carrySnapshot(1, 3)
    nodes.settle()
    nodes.rounds(timing.electionTicks)
    expect(nodes.at(3).status.decided).toBe(leader.status.decided)
    expect(sentSnapshots(leader)).toHaveLength(1)
    load(nodes, 1) // nobody is behind any more: the bound holds again
    expect(leader.status.detail.tailBytes).toBeLessThan(1_200)
  })

  it('but no more than eight times the bound', () => {
    const nodes = lagging()
    load(nodes, 200)
    expect(nodes.at(1).status.detail.tailBytes).toBeLessThan(8_300)
  })

  it('one that is gone holds nothing in memory', () => {
    const nodes = lagging()
    nodes.isolate(3)
    nodes.rounds(2 * timing.electionTicks)
    load(nodes, 30)
    expect(nodes.at(1).status.detail.tailBytes).toBeLessThan(1_200)
  })

  it('a follower keeps to the bound, too', () => {
    const nodes = new Nodes(3, { limits: small })
    nodes.elect(1)
    load(nodes, 30)
    expect(nodes.at(2).status.detail.tailBytes).toBeLessThan(1_200)
  })
})
