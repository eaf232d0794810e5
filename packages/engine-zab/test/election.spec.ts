/** Phase 0, fast leader election: whom nodes find, and that it is only a hint. */
import { nodeId } from '@conclave/interface'
import { batches, propose, timing } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import type { Message, PeerState, Vote } from '../src/messages.ts'
import { noZxid, type Zxid } from '../src/zxid.ts'
import { e, elected, following, give, hint, leading, lone, Nodes, promised, proposal, told, zxidOf } from './nodes.ts'

const n2 = nodeId('n2')
const n3 = nodeId('n3')
const voteFor = (n: number, epoch = 0, zxid: Zxid = noZxid): Vote => ({
  leader: nodeId(`n${n}`),
  epoch: e(epoch),
  zxid,
})
const says = (vote: Vote | undefined, { round = 0, state = 'LOOKING' as PeerState, epoch = 0 } = {}): Message => ({
  type: 'notification',
  epoch: e(epoch),
  round,
  state,
  vote,
})

const withHistory = () => {
  const made = following(1)
  give(made.node, 'n2', proposal(1, 1, [zxidOf(1, 1), zxidOf(1, 2)]))
  return made
}

describe('the order of votes', () => {
  it('4. the higher currentEpoch wins, then the higher zxid, then the higher id', () => {
    const { disk } = withHistory().node // n1 is in epoch 1, and has all up to 1.2
    for (const [vote, wins] of [
      [voteFor(2, 2, zxidOf(1, 1)), true],
      [voteFor(2, 0, zxidOf(1, 9)), false],
      [voteFor(2, 1, zxidOf(1, 3)), true],
      [voteFor(2, 1, zxidOf(1, 1)), false],
      [voteFor(2, 1, zxidOf(1, 2)), true],
      [voteFor(0, 1, zxidOf(1, 2)), false],
    ] as const) {
      const { node, said } = lone({ disk, count: 5 })
      give(node, 'n3', says(vote))
      expect(told(said, 'notification').at(-1)?.vote?.leader).toBe(wins ? vote.leader : 'n1')
    }
  })

  it('a node that takes a better vote tells everybody; one that has the better one tells whoever has not', () => {
    const { node, said } = lone({ count: 5 })
    give(node, 'n3', says(voteFor(3)))
    expect(said.map(({ to }) => to)).toEqual(['n2', 'n3', 'n4', 'n5'])
    give(node, 'n2', says(voteFor(2)))
    expect(said.at(-1)).toMatchObject({ to: 'n2', message: { vote: { leader: 'n3' } } })
  })

  it('a later round is joined, with votes anew; an earlier one is told that it is over', () => {
    const { node, said } = lone({ count: 5 })
    give(node, 'n3', says(voteFor(3)))
    give(node, 'n2', says(voteFor(2), { round: 4 }))
    expect(told(said, 'notification').at(-1)).toMatchObject({ round: 4, vote: { leader: 'n2' } })
    give(node, 'n3', says(voteFor(3), { round: 3 }))
    expect(said.at(-1)).toMatchObject({ to: 'n3', message: { round: 4, vote: { leader: 'n2' } } })
  })
})

describe('who is found', () => {
  it('whoever a quorum votes for: others follow it, it goes through discovery', () => {
    const { node, said } = lone()
    give(node, 'n3', says(voteFor(3)))
    expect(node.status.role).toBe('FOLLOWING')
    expect(said.at(-1)).toMatchObject({ to: n3, message: { type: 'cepoch', epoch: 0 } })
    const other = lone()
    give(other.node, 'n2', says(voteFor(1)))
    expect(other.node.status).toMatchObject({ role: 'LEADING', leading: false, detail: { phase: 'discovery' } })
  })

  it('a quorum of one mind waits a little for a voter that is connected and was not heard: it may be better', () => {
    const { node } = lone()
    node.turn({ type: 'peer', id: n3, state: 'up' })
    give(node, 'n2', says(voteFor(1)))
    expect(node.status.role).toBe('LOOKING')
    node.tick(2)
    expect(node.status.role).toBe('LOOKING')
    node.tick()
    expect(node.status.role).toBe('LEADING')
  })

  it('and no longer than it is connected', () => {
    const { node } = lone()
    node.turn({ type: 'peer', id: n3, state: 'up' })
    give(node, 'n2', says(voteFor(1)))
    node.turn({ type: 'peer', id: n3, state: 'lost' }) // frames only
    expect(node.status.role).toBe('LOOKING')
    node.turn({ type: 'peer', id: n3, state: 'down' })
    expect(node.status.role).toBe('LEADING')
  })

  it('a vote for somebody whose link breaks is a vote for somebody who may be dead: it is given up', () => {
    const { node, said } = lone({ count: 5 })
    give(node, 'n3', says(voteFor(3)))
    node.turn({ type: 'peer', id: n3, state: 'down' })
    expect(told(said, 'notification').at(-1)).toMatchObject({ round: 1, vote: { leader: 'n1' } })
  })

  it('a new link is told at once where this node stands', () => {
    const { node, said } = lone()
    node.turn({ type: 'peer', id: n3, state: 'up' })
    expect(said).toMatchObject([{ to: n3, message: { state: 'LOOKING', vote: { leader: 'n1' } } }])
  })

  it('the word of a leader is enough to follow it; that of a follower is one vote', () => {
    const { node } = lone({ count: 5 })
    give(node, 'n2', says(voteFor(3), { state: 'FOLLOWING' }))
    expect(node.status.role).toBe('LOOKING')
    give(node, 'n3', hint)
    expect(node.status.role).toBe('FOLLOWING')
  })

  it('votes of followers count in their round only', () => {
    const { node } = lone()
    give(node, 'n2', says(voteFor(1), { state: 'FOLLOWING', round: 3 }))
    expect(node.status.role).toBe('LOOKING')
    give(node, 'n2', says(voteFor(1), { state: 'FOLLOWING' }))
    expect(node.status.role).toBe('LEADING')
  })

  it('whoever has found a leader tells one that looks', () => {
    for (const { node, said } of [following(1), leading()]) {
      give(node, 'n3', says(voteFor(3)))
      expect(said.at(-1)).toMatchObject({ to: n3, message: { type: 'notification', state: node.status.role } })
    }
  })

  it('asked by a CEPOCH, one that looks and votes for another says so', () => {
    const { node, said } = lone({ count: 5 })
    give(node, 'n3', says(voteFor(3)))
    give(node, 'n2', { type: 'cepoch', epoch: e(0), acceptedFrom: undefined })
    expect(said.at(-1)).toMatchObject({ to: n2, message: { state: 'LOOKING', vote: { leader: 'n3' } } })
  })

  it('so does one that follows', () => {
    const { node, said } = following(1)
    give(node, 'n3', { type: 'cepoch', epoch: e(0), acceptedFrom: undefined })
    expect(said.at(-1)).toMatchObject({ to: n3, message: { state: 'FOLLOWING', vote: { leader: 'n2' } } })
  })

  it('a full disk leads nobody, and stands for nothing', () => {
    const { node, said } = lone()
    node.turn({ type: 'disk', state: 'full' })
    give(node, 'n2', says(voteFor(1)))
    node.tick(timing.electionTicks)
    expect(node.status.role).toBe('LOOKING')
    expect(told(said, 'notification').at(-1)).toMatchObject({ vote: undefined })
    node.turn({ type: 'disk', state: 'ok' })
    node.tick(2 * timing.electionTicks)
    expect(told(said, 'notification').at(-1)).toMatchObject({ vote: { leader: 'n1' } })
  })

  it('so does one whose disk becomes full while it looks', () => {
    const { node, said } = lone()
    node.turn({ type: 'disk', state: 'full' })
    node.tick()
    expect(told(said, 'notification').at(-1)).toMatchObject({ round: 1, vote: undefined })
  })

  it('asked by a CEPOCH, a quorum of one mind waits no longer for somebody that was not heard', () => {
    const { node } = lone()
    node.turn({ type: 'peer', id: n3, state: 'up' })
    give(node, 'n2', { type: 'cepoch', epoch: e(0), acceptedFrom: undefined })
    expect(node.status).toMatchObject({ role: 'LEADING', epoch: 1n })
  })

  it('one that nobody answers asks less and less often', () => {
    const { node, said } = lone()
    const asked = (ticks: number): number => {
      const before = said.length
      node.tick(ticks)
      return (said.length - before) / 2
    }
    expect(asked(timing.electionTicks)).toBeGreaterThan(1)
    expect(asked(10 * timing.electionTicks)).toBe(10)
  })
})

describe('who was removed, and does not know that it is decided', () => {
  it('is the last choice among equal histories, also with the highest id, and the first with a longer one', () => {
    const { node, said } = lone()
    give(node, 'n2', says({ ...voteFor(3), leaving: true }))
    expect(said.at(-1)?.message).toMatchObject({ type: 'notification', vote: { leader: 'n1' } })
    const { node: other } = lone()
    give(other, 'n2', says({ ...voteFor(3, 0, zxidOf(1, 1)), leaving: true }))
    expect(other.status.role).toBe('FOLLOWING')
  })
})

describe('who is no leader any more', () => {
  it('somebody that was only voted for, and does not show itself, is given up after half a time-out', () => {
    const { node } = lone()
    give(node, 'n3', hint)
    node.tick(timing.electionTicks / 2 - 1)
    expect(node.status.role).toBe('FOLLOWING')
    node.tick()
    expect(node.status.role).toBe('LOOKING')
  })

  it('somebody that was followed and never answered is passed over for a while, by whomever it is voted for; its own word counts at once', () => {
    const { node, said } = lone()
    const silent = (round: number): void => {
      give(node, 'n2', says(voteFor(3), { round }))
      expect(node.status.role).toBe('FOLLOWING')
      node.tick(timing.electionTicks / 2)
      expect(node.status.role).toBe('LOOKING')
    }
    silent(10)
    said.length = 0
    give(node, 'n2', says(voteFor(3), { round: 11 }))
    expect(node.status.role).toBe('LOOKING')
    expect(said).toEqual([]) // or the two would tell each other without end
    give(node, 'n3', hint)
    expect(node.status.role).toBe('FOLLOWING')
    node.tick(timing.electionTicks * 2 + timing.electionTicks / 2)
    silent(20) // it is voted for again
  })

  it('one that says that it looks, or follows another, leads no more', () => {
    for (const state of ['LOOKING', 'FOLLOWING'] as const) {
      const { node } = following(1)
      give(node, 'n2', says(voteFor(3), { state, epoch: 1 }))
      expect(node.status.role).toBe('LOOKING')
    }
  })

  it('one that looks and votes for itself will lead: its follower waits', () => {
    const { node } = promised(1)
    give(node, 'n2', says(voteFor(2)))
    expect(node.status.role).toBe('FOLLOWING')
  })

  it('a leader whose link breaks is left at once', () => {
    const { node } = following(1)
    node.turn({ type: 'peer', id: n3, state: 'down' })
    expect(node.status.role).toBe('FOLLOWING')
    node.turn({ type: 'peer', id: n2, state: 'down' })
    expect(node.status.role).toBe('LOOKING')
  })

  it('a leader that hears of a follower in a later epoch was deposed', () => {
    const { node } = leading()
    give(node, 'n3', says(voteFor(2), { state: 'FOLLOWING', epoch: 1 }))
    expect(node.status.role).toBe('LEADING')
    give(node, 'n3', says(voteFor(2), { state: 'FOLLOWING', epoch: 2 }))
    expect(node.status.role).toBe('LOOKING')
  })

  it('of two leaders that each had a quorum the one of the later epoch is followed', () => {
    const ping = { type: 'ping', established: true, lease: false, round: 0, committed: 0, sent: 0 } as const
    const { node, said } = leading()
    give(node, 'n2', { ...ping, epoch: e(0) })
    expect(said.at(-1)).toMatchObject({ to: n2, message: { type: 'notification', state: 'LEADING' } })
    give(node, 'n2', { ...ping, epoch: e(2), established: false }) // an attempt only
    expect(node.status.role).toBe('LEADING')
    give(node, 'n2', { ...ping, epoch: e(2) })
    expect(node.status.role).toBe('FOLLOWING')
    const attempt = elected()
    give(attempt.node, 'n3', { ...ping, epoch: e(1) }) // the one of the same epoch is there, this one only tries
    expect(attempt.node.status.role).toBe('FOLLOWING')
  })

  it('a ping of an earlier epoch of its leader is late, and nothing to its follower', () => {
    const { node } = following(3)
    give(node, 'n2', { type: 'ping', epoch: e(2), established: true, lease: false, round: 0, committed: 0, sent: 0 })
    expect(node.status.role).toBe('FOLLOWING')
  })
})

describe('only a hint', () => {
  it('4. a wrong hint costs time, never safety: one that lags is elected by forged votes, and abdicates', () => {
    const nodes = new Nodes(3)
    nodes.elect(1).turn(propose(1))
    nodes.settle()
    nodes.isolate(3)
    nodes.at(1).turn(propose(2))
    nodes.settle()
    nodes.heal()
    nodes.cut = ({ from, to }) => from === 'n1' || to === 'n1'
    const [better, laggard] = [nodes.at(2), nodes.at(3)]
    for (const node of [better, laggard]) node.tick(timing.electionTicks)
    nodes.flying = []
    give(better, 'n3', hint)
    nodes.settle()
    expect(laggard.status).toMatchObject({ role: 'LEADING', leading: false, detail: { phase: 'discovery' } })
    nodes.rounds(4 * timing.electionTicks)
    expect(better.status.leading).toBe(true)
    expect(batches(laggard)).toEqual(['batch 1', 'batch 2'])
  })

  it('a lone voter needs no hint', () => {
    const nodes = new Nodes(1)
    nodes.rounds(timing.electionTicks)
    nodes.at(1).turn(propose(1))
    expect(batches(nodes.at(1))).toEqual(['batch 1'])
  })

  it('without any hint but theirs, nodes find a leader, and another when it is gone', () => {
    const nodes = new Nodes(5)
    nodes.rounds(timing.electionTicks)
    expect(nodes.at(5).status.leading).toBe(true)
    nodes.isolate(5)
    nodes.rounds(3 * timing.electionTicks)
    expect(nodes.at(4).status.leading).toBe(true)
    expect(nodes.at(5).status.leading).toBe(false)
  })
})
