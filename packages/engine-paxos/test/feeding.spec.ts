/** What a leader sends to a peer that is slow, gone, hung or far behind: enough to bring it back, and little more. */
import { type EngineLimits, type Input, nodeId } from '@conclave/interface'
import { batches, captured, propose, snapshotId } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { ballotOf, type Flying, give, type Node, Nodes } from './nodes.ts'

const n1 = nodeId('n1')
const n3 = nodeId('n3')
const small: EngineLimits = { messageBytes: 1 << 16, inflightBytes: 1 << 16, undecidedBytes: 1 << 20, tailBytes: 1_000 }
const sentSnapshots = (node: Node) => node.effects.flatMap((effects) => effects.sendSnapshot ?? [])
const captures = (node: Node) => node.effects.filter((effects) => effects.capture).length
const ended = (id: string, ok: boolean): Input => ({ type: 'snapshotSent', to: n3, id: snapshotId(id), ok })
const size = (flying: readonly Flying[]) => flying.reduce((sum, { bytes }) => sum + bytes.length, 0)
const slotsOf = ({ message }: Flying) => (message.type === 'accept' || message.type === 'learn' ? message.slots : [])

/** n1 leads; n3 is connected and heard, but gets no slots. */
const behind = (entries: number, engineLimits = small, bytes = 100): Nodes => {
  const nodes = new Nodes(3, { limits: engineLimits })
  const leader = nodes.elect(1)
  nodes.cut = (m) => m.to === n3 && slotsOf(m).length > 0
  for (let i = 1; i <= entries; i++) {
    leader.turn(propose(i, 'x'.repeat(bytes)))
    nodes.settle()
  }
  return nodes
}

/** Then the leader learned that n3 needs a snapshot, which it has to ask for. */
const lagging = (): Nodes => {
  const nodes = behind(30)
  nodes.heal()
  nodes.rounds(25)
  return nodes
}

describe('what is lost', () => {
  it('is sent again without a report, and only that', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.rounds(3)
    nodes.cut = (m) => m.to === n3 && slotsOf(m).some(({ slot }) => slot === 4)
    for (let i = 1; i <= 6; i++) {
      leader.turn(propose(i))
      nodes.settle()
    }
    nodes.heal()
    const again: number[] = []
    nodes.watch = (m) => m.to === n3 && again.push(...slotsOf(m).map(({ slot }) => slot))
    nodes.rounds(30)
    expect(nodes.at(3).status.decided).toBe(7)
    expect(again).toEqual([4])
  })

  it('is sent again also while what follows is answered: a hole that stays would hold up everybody', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.rounds(3)
    nodes.cut = (m) => slotsOf(m).some(({ slot }) => slot === 4)
    for (let i = 1; i <= 40; i++) {
      leader.turn(propose(i))
      nodes.rounds(1)
      if (i === 5) nodes.heal()
    }
    expect(leader.status.decided).toBe(41)
  })

  it('a report of lost frames is answered by one probe; the next ones wait for their time, however many reports follow', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(propose(1, 'x'.repeat(10_000)))
    nodes.flying = []
    const probes = () => nodes.flying.filter((m) => m.to === n3 && m.message.type === 'accept')
    for (let i = 0; i < 50; i++) leader.turn({ type: 'peer', id: n3, state: 'lost' })
    expect(probes()).toHaveLength(1)
    nodes.flying = []
    for (let tick = 0; tick < 20; tick++) leader.turn({ type: 'tick' }, { type: 'peer', id: n3, state: 'lost' })
    expect(probes().length).toBeGreaterThan(0) // reports do not put the probe off for ever, either
    expect(probes().length).toBeLessThan(4)
  })

  it('a watermark that fell, since the peer was restarted, is noticed: it learns what it delivered before', () => {
    const nodes = new Nodes(3)
    const first = nodes.elect(1)
    first.turn(propose(1), propose(2))
    nodes.settle()
    nodes.rounds(6)
    nodes.isolate(1)
    nodes.elect(2)
    nodes.rounds(12)
    nodes.restart(3)
    nodes.rounds(30)
    expect(nodes.at(3).status.decided).toBe(nodes.at(2).status.decided)
    expect(batches(nodes.at(3))).toEqual(['batch 1', 'batch 2'])
  })
})

describe('a peer that does not answer', () => {
  it('a hung peer costs a few bytes now and then, not its window again and again', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.isolate(3)
    for (let i = 1; i <= 4; i++) leader.turn(propose(i, 'x'.repeat(200_000)))
    nodes.settle()
    const during: Flying[] = []
    nodes.cut = (m) => {
      if (m.to === n3) during.push(m)
      return m.to === n3 || m.from === n3
    }
    nodes.rounds(300)
    expect(during.some(({ message }) => message.type === 'accept')).toBe(true) // it is asked now and then
    expect(size(during)).toBeLessThan(20_000)
  })

  it('nothing is fed to a peer whose link is down, and everything when it is up again', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn({ type: 'peer', id: n3, state: 'down' })
    nodes.flying = []
    for (let i = 1; i <= 20; i++) leader.turn(propose(i, 'x'.repeat(1_000)))
    expect(nodes.flying.filter((m) => m.to === n3 && slotsOf(m).length > 0)).toEqual([])
    leader.turn({ type: 'peer', id: n3, state: 'up' })
    nodes.settle()
    nodes.rounds(3)
    expect(nodes.at(3).status.decided).toBe(21)
  })

  it('nodes that cannot take what they are sent do not talk without end', () => {
    const nodes = new Nodes(3, { limits: small })
    const leader = nodes.elect(1)
    // A watermark that lies: it is answered once, not again and again.
    give(leader, 'n3', { type: 'watermark' }, ballotOf(1, 1), { decided: 0 })
    give(nodes.at(2), 'n3', { type: 'watermark' }, ballotOf(1, 1), { decided: 0 })
    nodes.settle() // throws if it does not end
    expect(leader.status.leading).toBe(true)
  })
})

describe('snapshot transfers', () => {
  it('one transfer at a time: what was in flight before it starts no other', () => {
    const nodes = behind(0, { ...small, inflightBytes: 500 })
    const leader = nodes.at(1)
    for (let i = 1; i <= 30; i++) {
      leader.turn(propose(i, 'x'.repeat(100)))
      nodes.settle()
      leader.turn(captured(i)) // there is always a snapshot at hand
    }
    nodes.rounds(100)
    expect(sentSnapshots(leader)).toHaveLength(1)
  })

  it('the late end of an earlier transfer does not end the one that runs', () => {
    const nodes = lagging()
    const leader = nodes.at(1)
    leader.turn(captured(31))
    nodes.rounds(25)
    leader.turn(ended('s7', false))
    expect(leader.status.detail['peer n3']).toMatch(/^snapshot/)
    leader.turn(ended('s31', true))
    expect(leader.status.detail['peer n3']).toMatch(/^stream/)
  })

  it('a failed transfer is tried again after a while', () => {
    const nodes = lagging()
    const leader = nodes.at(1)
    leader.turn(captured(31))
    nodes.rounds(25)
    leader.turn(ended('s31', false))
    nodes.rounds(5)
    expect(sentSnapshots(leader)).toHaveLength(1)
    nodes.rounds(30)
    expect(sentSnapshots(leader)).toHaveLength(2)
  })

  it('a peer that has the body but has not installed it yet is not sent another at once', () => {
    const nodes = lagging()
    const leader = nodes.at(1)
    leader.turn(captured(31))
    nodes.rounds(25)
    const header = sentSnapshots(leader)[0]?.header ?? new Uint8Array()
    leader.turn(ended('s31', true))
    nodes.rounds(5)
    expect(sentSnapshots(leader)).toHaveLength(1)
    nodes.at(3).turn({ type: 'snapshotReceived', from: n1, id: snapshotId('r'), header })
    nodes.rounds(40)
    expect(sentSnapshots(leader)).toHaveLength(1)
    expect(nodes.at(3).status).toMatchObject({ snapshot: 31, decided: leader.status.decided })
  })

  it('reports of lost frames ask for no further snapshots', () => {
    const nodes = lagging()
    const leader = nodes.at(1)
    expect(captures(leader)).toBe(1)
    for (let i = 0; i < 20; i++) leader.turn({ type: 'peer', id: n3, state: 'lost' })
    expect(captures(leader)).toBe(1)
  })

  it('without a leader, too, a member that lags behind the memory gets one', () => {
    const nodes = new Nodes(3, { limits: small })
    const leader = nodes.elect(1)
    nodes.isolate(3)
    for (let i = 1; i <= 30; i++) leader.turn(propose(i, 'x'.repeat(100)))
    nodes.settle()
    leader.turn({
      type: 'reconfigure',
      id: 99 as never,
      change: { type: 'update', member: { id: n3, name: 'x', addresses: [] } },
    })
    nodes.settle()
    nodes.rounds(6)
    const follower = nodes.at(2)
    follower.turn(captured(32))
    nodes.flying = []
    give(follower, 'n3', { type: 'canvass' }, ballotOf(9, 3))
    expect(sentSnapshots(follower)).toMatchObject([{ to: n3, id: 's32' }])
    give(follower, 'n3', { type: 'canvass' }, ballotOf(9, 3))
    expect(sentSnapshots(follower)).toHaveLength(1)
  })
})
