/** Members come and go (Shraer, Reed, Malkhi, Junqueira, USENIX ATC 2012), observers receive, and the reign is given away. */
import { encodeMembers } from '@conclave/engine-parts'
import { nodeId } from '@conclave/interface'
import { add, batches, limits, members, peer, propose, reconfigure, remove, timing, transfer } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { zabWith } from '../src/index.ts'
import { noZxid } from '../src/zxid.ts'
import { e, elected, following, give, leading, lone, Nodes, outcomesOf, promised, told } from './nodes.ts'

const n2 = nodeId('n2')
const changed = (position: number) => [{ type: 'decided', position }]
const refused = (reason: string) => [{ type: 'refused', reason }]

/** n1 leads n2 and n3, and n4 observes. */
const withObserver = (): Nodes => {
  const nodes = new Nodes(3)
  nodes.elect(1)
  nodes.join(4)
  nodes.at(1).turn(add(1, 4, 'learner'))
  nodes.settle()
  nodes.rounds(2 * timing.electionTicks)
  expect(members(nodes.at(1))).toBe('n1 n2 n3 (n4)')
  return nodes
}

describe('observers', () => {
  it('9. receive everything', () => {
    const nodes = withObserver()
    nodes.at(1).turn(propose(2))
    nodes.settle()
    expect(nodes.at(4).status.role).toBe('OBSERVING')
    expect(batches(nodes.at(4))).toEqual(['batch 2'])
  })

  it('9. and never vote: what one of them has does not make a quorum, neither for a commit nor for a leader', () => {
    const nodes = withObserver()
    nodes.isolate(2, 3)
    nodes.at(1).turn(propose(2))
    nodes.settle()
    expect(outcomesOf(nodes.at(1), 2)).toEqual([])
    nodes.rounds(3 * timing.electionTicks)
    expect(nodes.at(1).status.leading).toBe(false)
    expect(nodes.at(4).status.role).toBe('LOOKING')
  })

  it('9. nor stand, however much they have', () => {
    const nodes = withObserver()
    const said = new Set<unknown>()
    nodes.watch = ({ from, message }) => {
      if (from === 'n4' && message.type === 'notification') said.add(message.vote?.leader)
    }
    nodes.isolate(1)
    nodes.rounds(3 * timing.electionTicks)
    expect([...nodes.all.values()].filter(({ status }) => status.leading).map(({ id }) => id)).toContain('n3')
    expect(said).not.toContain('n4')
    expect(nodes.at(4).status).toMatchObject({ role: 'OBSERVING', leader: 'n3' })
  })
})

describe('reconfiguration', () => {
  it('a voter joins as an observer on its way, and counts once it has caught up: joint first, then settled', () => {
    const nodes = new Nodes(3)
    nodes.elect(1)
    nodes.join(4)
    nodes.at(1).turn(add(1, 4, 'voter'))
    nodes.settle()
    expect(members(nodes.at(1))).toBe('n1 n2 n3 (n4*)')
    nodes.rounds(2 * timing.electionTicks)
    const shapes = nodes.at(4).decided.flatMap((decided) => (decided.type === 'members' ? [decided.membership] : []))
    expect(shapes.map(({ outgoing }) => outgoing)).toEqual([undefined, ['n1', 'n2', 'n3'], undefined])
    expect(members(nodes.at(4))).toBe('n1 n2 n3 n4')
  })

  it('a joint configuration is committed by a quorum of the old one and of the new one', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.isolate(2)
    leader.turn(remove(1, 3))
    nodes.settle()
    expect(members(leader)).toBe('n1 n2 (n3) | n1 n2 n3') // n3 is enough in the old one, n2 is needed in the new one
    expect(outcomesOf(leader, 1)).toEqual([])
    nodes.heal()
    nodes.rounds(3 * timing.heartbeatTicks)
    expect(outcomesOf(leader, 1)).toEqual(changed(3))
  })

  it('a leader that finds a joint configuration of an earlier one ends it', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.cut = ({ from }) => from !== 'n1'
    leader.turn(remove(1, 3))
    nodes.settle()
    nodes.isolate(1)
    nodes.rounds(3 * timing.electionTicks)
    nodes.heal()
    nodes.rounds(3 * timing.electionTicks)
    expect(outcomesOf(leader, 1)).toEqual([{ type: 'unknown' }])
    for (const n of [1, 2]) expect(members(nodes.at(n))).toBe('n1 n2')
  })

  it('a configuration counts from when it is in the history, also after a restart, and no more when it is forgotten', () => {
    const nodes = new Nodes(3)
    nodes.elect(1)
    nodes.isolate(1)
    nodes.at(1).turn(remove(1, 3))
    nodes.settle()
    const again = nodes.restart(1)
    expect(members(again)).toBe('n1 n2 (n3) | n1 n2 n3')
    nodes.rounds(3 * timing.electionTicks)
    nodes.heal()
    nodes.rounds(3 * timing.electionTicks)
    expect(members(again)).toBe('n1 n2 n3')
  })

  it('an observer whose joint configuration would fit no message stays one', () => {
    const promoting = { ...peer(2, 'learner'), promote: true } as const
    const bytes = encodeMembers({ members: [peer(1), promoting] }).length
    for (const [more, shape] of [
      [50, 'n1 (n2*)'],
      [200, 'n1 n2'],
    ] as const) {
      const nodes = new Nodes(1, { limits: { ...limits, messageBytes: bytes + more } })
      nodes.founders = { members: [peer(1), peer(2, 'learner')] }
      const leader = nodes.restart(1)
      nodes.join(2)
      nodes.elect(1)
      nodes.rounds(timing.electionTicks)
      leader.turn(reconfigure(1, { type: 'promote', id: n2 }))
      nodes.rounds(2 * timing.electionTicks)
      expect(members(leader)).toBe(shape)
    }
  })

  it('one change at a time, and none before the own epoch is committed, of a full disk, or that leaves nobody', () => {
    const { node } = leading()
    node.turn(add(1, 4, 'learner'), add(2, 5, 'learner'))
    expect(outcomesOf(node, 2)).toEqual(refused('in-progress'))
    const single = new Nodes(1).elect(1)
    single.turn(remove(3, 1), reconfigure(4, { type: 'promote', id: n2 }))
    expect(outcomesOf(single, 3)).toEqual(refused('invalid'))
    expect(outcomesOf(single, 4)).toEqual(refused('invalid'))
    single.turn({ type: 'disk', state: 'full' }, add(5, 4, 'learner'), propose(6))
    expect(outcomesOf(single, 5)).toEqual(refused('disk-full'))
    expect(outcomesOf(single, 6)).toEqual(refused('disk-full'))
    const fresh = following(1)
    fresh.node.turn(add(7, 4, 'learner'))
    expect(outcomesOf(fresh.node, 7)).toEqual(refused('not-leader'))
  })

  it('a change before the leader has committed anything is not ready', () => {
    const nodes = new Nodes(3)
    nodes.cut = ({ message }) => message.type === 'propose'
    const leader = nodes.elect(1)
    leader.turn(add(1, 4, 'learner'))
    expect(outcomesOf(leader, 1)).toEqual(refused('not-ready'))
  })

  it('a configuration that fits no message is refused', () => {
    const { node } = leading({ limits: { ...limits, messageBytes: 200 } })
    const addresses = ['x'.repeat(150)]
    node.turn(reconfigure(1, { type: 'add', member: { ...peer(4), addresses }, role: 'learner' }))
    expect(outcomesOf(node, 1)).toEqual(refused('invalid'))
  })

  it('who is removed is told so, and then left alone', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(remove(1, 3))
    nodes.settle()
    const linked = () => leader.effects.flatMap(({ peers }) => (peers === undefined ? [] : [peers.map(({ id }) => id)]))
    expect(linked().at(-1)).toContain('n3')
    expect(members(nodes.at(3))).toBe('n1 n2')
    nodes.rounds(2 * timing.electionTicks)
    expect(linked().at(-1)).toEqual(['n2'])
    expect(leader.status.leading).toBe(true)
  })

  it('who is removed and does not answer is given up after ten time-outs', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.isolate(3)
    leader.turn(remove(1, 3))
    nodes.settle()
    nodes.rounds(9 * timing.electionTicks)
    expect(leader.status.detail['peer n3']).toBeDefined()
    nodes.rounds(2 * timing.electionTicks)
    expect(leader.status.detail['peer n3']).toBeUndefined()
  })

  it('a leader that is removed leads until that is committed, and then names an heir', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(remove(1, 1))
    leader.turn(propose(2))
    expect(outcomesOf(leader, 2)).toEqual([])
    nodes.settle()
    expect(outcomesOf(leader, 1)).toEqual(changed(4))
    expect(leader.status).toMatchObject({ leading: false, self: 'none' })
    const heirs = [nodes.at(2), nodes.at(3)].filter(({ status }) => status.leading)
    expect(heirs).toHaveLength(1)
    expect(members(nodes.at(2))).toBe('n2 n3')
  })

  it('and takes no proposal once it is in the configuration no more', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(remove(1, 1))
    nodes.cut = ({ from }) => from !== 'n1'
    leader.turn(propose(2))
    expect(leader.settled.map(({ id }) => id)).not.toContain(2)
    nodes.settle()
    expect(members(leader)).toBe('(n1) n2 n3 | n1 n2 n3')
  })
})

describe('the reign is given away', () => {
  it('to a voter that has everything, without waiting for a time-out', () => {
    const nodes = new Nodes(3)
    nodes.elect(1).turn(transfer(2))
    nodes.settle()
    expect(nodes.at(2).status).toMatchObject({ leading: true, epoch: 2n })
    for (const n of [1, 3]) expect(nodes.at(n).status).toMatchObject({ role: 'FOLLOWING', leader: 'n2' })
  })

  it('the leader takes no proposals meanwhile, and waits until everything is committed', () => {
    const { node, said } = leading()
    node.turn(propose(1), transfer(2), propose(2), transfer(3), add(3, 4, 'learner'))
    expect(outcomesOf(node, 2)).toEqual(refused('in-progress'))
    expect(outcomesOf(node, 3)).toEqual(refused('in-progress'))
    expect(told(said, 'handOver')).toEqual([])
    give(node, 'n2', { type: 'ack', epoch: e(1), position: 2, resume: false })
    expect(said.filter(({ message }) => message.type === 'handOver')).toMatchObject([{ to: n2 }])
  })

  it('and goes on if nothing comes of it within a time-out', () => {
    const { node } = leading()
    node.turn(transfer(3)) // it does not follow
    for (let i = 0; i < timing.electionTicks; i++) {
      node.tick()
      give(node, 'n2', { type: 'pong', epoch: e(1), round: 0, pledged: false })
    }
    node.turn(propose(1))
    expect(outcomesOf(node, 1)).toEqual([])
  })

  it('to no observer, to nobody unknown, and not to itself', () => {
    const nodes = withObserver()
    for (const n of [1, 4, 9]) nodes.at(1).turn(transfer(n))
    nodes.settle()
    expect(nodes.at(1).status.leading).toBe(true)
    nodes.at(2).turn(transfer(3)) // it does not lead
    nodes.settle()
    expect(nodes.at(1).status.leading).toBe(true)
  })

  it('whoever is asked goes through discovery all the same', () => {
    const { node, said } = following(1)
    give(node, 'n2', { type: 'handOver', epoch: e(1) })
    expect(node.status).toMatchObject({ role: 'LEADING', leading: false, detail: { phase: 'discovery' } })
    expect(told(said, 'takeOver')).toHaveLength(2)
  })

  it('only by the leader that is followed, in its epoch, when it has a quorum; a full disk declines', () => {
    for (const [from, epoch] of [
      ['n3', 1],
      ['n2', 2],
    ] as const) {
      const { node } = following(1)
      give(node, from, { type: 'handOver', epoch: e(epoch) })
      expect(node.status.role).toBe('FOLLOWING')
    }
    const early = promised(1)
    give(early.node, 'n2', { type: 'handOver', epoch: e(1) })
    expect(early.node.status.role).toBe('FOLLOWING')
    const full = following(1)
    full.node.turn({ type: 'disk', state: 'full' })
    give(full.node, 'n2', { type: 'handOver', epoch: e(1) })
    expect(full.node.status.role).toBe('FOLLOWING')
  })

  it('the others follow whoever was asked, if it is in the epoch that they follow', () => {
    const { node, said } = following(1)
    give(node, 'n3', { type: 'takeOver', epoch: e(2) })
    expect(told(said, 'cepoch')).toHaveLength(1)
    give(node, 'n3', { type: 'takeOver', epoch: e(1) })
    expect(said.at(-1)).toMatchObject({ to: 'n3', message: { type: 'cepoch', epoch: 1, acceptedFrom: 'n2' } })
    const leader = leading()
    give(leader.node, 'n3', { type: 'takeOver', epoch: e(1) }) // nobody asked it to
    expect(leader.node.status.leading).toBe(true)
    const alone = lone()
    give(alone.node, 'n3', { type: 'takeOver', epoch: e(0) })
    expect(alone.node.status.role).toBe('LOOKING')
  })

  it('a leader whose disk is full, or has become slow, hands over', () => {
    for (const state of ['full', 'slow'] as const) {
      const nodes = new Nodes(3)
      const leader = nodes.elect(1)
      leader.turn({ type: 'disk', state })
      nodes.settle()
      nodes.rounds(timing.electionTicks)
      expect(leader.status.leading, state).toBe(false)
      expect([...nodes.all.values()].filter(({ status }) => status.leading)).toHaveLength(1)
    }
  })

  it('a leader with a full disk to whom nobody could succeed tries again with every tick', () => {
    const { node, said } = elected()
    give(node, 'n2', { type: 'ackEpoch', epoch: e(1), currentEpoch: e(0), last: 0, zxid: noZxid })
    give(node, 'n2', { type: 'ackLeader', epoch: e(1) })
    node.turn({ type: 'disk', state: 'full' }) // n2 has acknowledged nothing
    give(node, 'n2', { type: 'ack', epoch: e(1), position: 1, resume: false })
    expect(told(said, 'handOver')).toEqual([])
    node.tick()
    expect(told(said, 'handOver')).toHaveLength(1)
  })

  it('it hands over as soon as everything is committed', () => {
    const { node, said } = leading()
    node.turn(propose(1), { type: 'disk', state: 'full' })
    expect(told(said, 'handOver')).toEqual([])
    give(node, 'n2', { type: 'ack', epoch: e(1), position: 2, resume: false })
    expect(told(said, 'handOver')).toHaveLength(1)
  })
})

describe('7. a counter that is used up begins a new epoch (ZOOKEEPER-1277)', () => {
  const factory = zabWith({ transactionsPerEpoch: 40 })

  it('under the same leader, without loss of what was proposed', () => {
    const nodes = new Nodes(3, { factory })
    const leader = nodes.elect(1)
    const proposed: number[] = []
    for (let id = 1; id <= 60; id++) {
      leader.turn(propose(id))
      nodes.settle()
      if (outcomesOf(leader, id).some(({ type }) => type === 'decided')) proposed.push(id)
      else expect(outcomesOf(leader, id)).toEqual(refused('in-progress'))
    }
    expect(leader.status).toMatchObject({ leading: true })
    expect(leader.status.epoch).toBeGreaterThan(1n)
    expect(proposed.length).toBeGreaterThan(50)
    for (const node of nodes.all.values()) expect(batches(node)).toEqual(proposed.map((id) => `batch ${id}`))
    const epochs = leader.decided.map(({ epoch }) => epoch)
    for (const epoch of new Set(epochs)) expect(epochs.filter((other) => other === epoch).length).toBeLessThan(40)
  })

  it('before it does, no change of the members begins', () => {
    const nodes = new Nodes(3, { factory })
    const leader = nodes.elect(1)
    for (let id = 1; id < 24; id++) leader.turn(propose(id))
    nodes.cut = ({ from }) => from === 'n2' || from === 'n3'
    nodes.settle()
    nodes.heal()
    leader.turn(propose(24))
    leader.turn(add(25, 4, 'learner'))
    expect(outcomesOf(leader, 24)).toEqual(refused('in-progress'))
    expect(outcomesOf(leader, 25)).toEqual(refused('in-progress'))
    nodes.rounds(3 * timing.electionTicks)
    expect(leader.status.decided).toBeGreaterThan(23)
  })
})
