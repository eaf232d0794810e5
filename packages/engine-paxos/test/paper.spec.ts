/**
 * Sentences of "Paxos Made Simple" (PMS), "The Part-Time Parliament" (PTP), "Paxos Made Live" (PML), "Paxos Made Moderately Complex" (PMMC) and "Flexible
 * Paxos", and what holds if they do.
 */
import { nodeId } from '@conclave/interface'
import { batches, limits, propose, read, timing } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import type { Ballot } from '../src/ballot.ts'
import { multiPaxos } from '../src/index.ts'
import type { Body, Filled, Message, Report } from '../src/messages.ts'
import { makeReign, makeValue, noop, type Value, valueKind } from '../src/value.ts'
import { ballotOf, type Flying, give, lone, Nodes } from './nodes.ts'

const n1 = nodeId('n1')
const n2 = nodeId('n2')
const n3 = nodeId('n3')
const text = new TextEncoder()
const value = (content: string, origin: Ballot): Value => makeValue(origin, valueKind.batch, text.encode(content))
const show = ({ kind, payload }: Value): string =>
  kind === valueKind.noop ? 'noop' : kind === valueKind.reign ? 'reign' : new TextDecoder().decode(payload)
const accept = (slots: Filled[]): Body => ({ type: 'accept', sequence: 1, slots })
const prepare = (from: number, cursor = from): Body => ({ type: 'prepare', from, cursor, given: ballotOf(0, 0) })
const promise = (reports: Report[], next = 0, cursor = 1): Body => ({ type: 'promise', cursor, next, reports })
const heartbeat: Body = { type: 'heartbeat', round: 0, lease: false }
const told = (said: Flying[], type: Message['type']) => said.map((m) => m.message).filter((m) => m.type === type)

/** n1 of three, in phase 1 with ballot 1.1; nobody has answered. */
const preparing = (messageBytes = limits.messageBytes) => {
  const made = lone({ limits: { ...limits, messageBytes } })
  made.node.tick(60)
  give(made.node, 'n2', { type: 'canvassReply', asked: ballotOf(1, 1), granted: true }, ballotOf(0, 0))
  expect(made.node.status.role).toBe('preparing')
  return made
}

describe('phase 1: prepare and promise', () => {
  it('PMS 2.2: an acceptor promises a ballot higher than any to which it has responded, and reports what it has accepted', () => {
    const { node, reply } = lone()
    give(node, 'n2', accept([{ slot: 3, value: value('x', ballotOf(1, 2)) }]), ballotOf(1, 2))
    node.tick(40)
    give(node, 'n3', prepare(1), ballotOf(2, 3))
    expect(reply()).toMatchObject({ type: 'promise', ballot: ballotOf(2, 3), next: 0 })
    expect(reply()).toMatchObject({ reports: [{ slot: 3, ballot: ballotOf(1, 2) }] })
  })

  it('PMS 2.2: a prepare of a lower ballot is refused, and the refusal tells the higher one', () => {
    const { node, reply } = lone()
    give(node, 'n2', prepare(1), ballotOf(5, 2))
    give(node, 'n3', prepare(1), ballotOf(4, 3))
    expect(reply()).toMatchObject({ type: 'nack', refused: ballotOf(4, 3), ballot: ballotOf(5, 2) })
  })

  it('two nodes never share a ballot: the higher ordinal wins within a round', () => {
    const { node, reply } = lone()
    give(node, 'n2', prepare(1), ballotOf(1, 2))
    give(node, 'n3', prepare(1), ballotOf(1, 3))
    expect(reply()).toMatchObject({ type: 'promise', ballot: ballotOf(1, 3) })
    give(node, 'n2', prepare(1), ballotOf(1, 2))
    expect(reply()).toMatchObject({ type: 'nack' })
  })

  it('nobody prepares with the ballot of another, and only voters do', () => {
    const { node, said } = lone()
    give(node, 'n2', prepare(1), ballotOf(1, 3))
    give(node, 'n9', prepare(1), ballotOf(1, 9))
    give(node, 'n2', accept([{ slot: 1, value: noop }]), ballotOf(1, 3))
    expect(said).toEqual([])
    expect(node.disk.meta).toBeUndefined()
  })

  it('1. a promise leaves only when it is on disk, and a restart does not forget it', () => {
    const nodes = new Nodes(3)
    const node = nodes.at(1)
    node.holdSyncs = true
    give(node, 'n2', prepare(1), ballotOf(7, 2))
    expect(nodes.flying).toEqual([])
    node.sync()
    expect(told(nodes.flying, 'promise')).toHaveLength(1)
    const again = nodes.restart(1)
    give(again, 'n3', prepare(1), ballotOf(6, 3))
    expect(nodes.flying.at(-1)?.message).toMatchObject({ type: 'nack', ballot: ballotOf(7, 2) })
  })

  it('1. an acceptance leaves only when it is on disk; the answer to a double waits for the first write', () => {
    const { node, said } = lone()
    give(node, 'n2', heartbeat, ballotOf(1, 2))
    said.length = 0
    node.holdSyncs = true
    const slots = [{ slot: 1, value: value('x', ballotOf(1, 2)) }]
    give(node, 'n2', accept(slots), ballotOf(1, 2))
    give(node, 'n2', accept(slots), ballotOf(1, 2))
    expect(said).toEqual([])
    node.sync()
    expect(told(said, 'accepted')).toHaveLength(2)
    expect(node.disk.slots.size).toBe(1)
  })

  it('1. accepting a ballot promises it too: a prepare of a lower one is refused, after a restart as well', () => {
    const nodes = new Nodes(3)
    give(nodes.at(1), 'n3', accept([{ slot: 1, value: value('x', ballotOf(5, 3)) }]), ballotOf(5, 3))
    for (const node of [nodes.at(1), nodes.restart(1)]) {
      node.tick(40)
      give(node, 'n2', prepare(1), ballotOf(5, 2))
      expect(nodes.flying.at(-1)?.message).toMatchObject({ type: 'nack', ballot: ballotOf(5, 3) })
    }
  })

  it('2. the round of a ballot is on disk before its prepare leaves, and is not used again after a restart', () => {
    const nodes = new Nodes(3)
    const node = nodes.at(1)
    node.holdSyncs = true
    node.tick(60)
    nodes.flying = []
    give(node, 'n2', { type: 'canvassReply', asked: ballotOf(1, 1), granted: true }, ballotOf(0, 0))
    expect(node.status.role).toBe('preparing')
    expect(nodes.flying).toEqual([])
    node.sync()
    expect(told(nodes.flying, 'prepare')).toMatchObject([{ ballot: ballotOf(1, 1) }, { ballot: ballotOf(1, 1) }])
    const again = nodes.restart(1)
    again.tick(60)
    expect(told(nodes.flying, 'canvass').at(-1)).toMatchObject({ ballot: ballotOf(2, 1) })
  })

  it("the proposer's own promise counts only when it is on disk", () => {
    const { node } = lone()
    node.holdSyncs = true
    node.tick(60)
    give(node, 'n2', { type: 'canvassReply', asked: ballotOf(1, 1), granted: true }, ballotOf(0, 0))
    give(node, 'n2', promise([]), ballotOf(1, 1))
    expect(node.status.role).toBe('preparing')
    node.sync()
    expect(node.status.role).toBe('leader')
  })

  it('3. only promises for the current ballot count, each acceptor once, and no nack', () => {
    const { node } = lone({ count: 5 })
    node.tick(60)
    for (const id of ['n2', 'n3'])
      give(node, id, { type: 'canvassReply', asked: ballotOf(1, 1), granted: true }, ballotOf(0, 0))
    give(node, 'n2', { type: 'nack', refused: ballotOf(1, 1) }, ballotOf(4, 2))
    node.tick(200)
    for (const id of ['n2', 'n3'])
      give(node, id, { type: 'canvassReply', asked: ballotOf(5, 1), granted: true }, ballotOf(4, 2))
    expect(node.status.role).toBe('preparing')
    for (const id of ['n2', 'n3', 'n4', 'n5']) give(node, id, promise([]), ballotOf(1, 1))
    for (let i = 0; i < 3; i++) give(node, 'n4', promise([]), ballotOf(5, 1))
    expect(node.status.role).toBe('preparing')
    give(node, 'n3', promise([]), ballotOf(5, 1))
    expect(node.status.role).toBe('leader')
  })

  it('a canvass promises nothing', () => {
    const { node, reply } = lone()
    give(node, 'n2', { type: 'canvass' }, ballotOf(7, 2))
    expect(reply()).toMatchObject({ type: 'canvassReply', asked: ballotOf(7, 2), granted: true })
    expect(node.disk.meta).toBeUndefined()
    give(node, 'n3', prepare(1), ballotOf(1, 3))
    expect(reply()).toMatchObject({ type: 'promise', ballot: ballotOf(1, 3) })
  })
})

describe('4. one prepare for all slots', () => {
  it('PMS 3: a new leader executes phase 1 for all instances above what it knows, by one message with one number', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(propose(1), propose(2))
    nodes.settle()
    nodes.rounds(6)
    nodes.isolate(1)
    const prepares: Message[] = []
    nodes.watch = ({ message }) => message.type === 'prepare' && prepares.push(message)
    nodes.elect(2)
    expect(prepares).toMatchObject([{ from: 4, cursor: 4 }]) // to n3; n1 is cut off
  })

  it('a promise reports decided slots too, so that a proposer that lags behind overwrites nothing: it learns them', () => {
    const nodes = new Nodes(3)
    const first = nodes.elect(1)
    nodes.isolate(3)
    first.turn(propose(1), propose(2))
    nodes.settle()
    nodes.rounds(6)
    nodes.isolate(1)
    const late = nodes.elect(3)
    expect(batches(late)).toEqual(['batch 1', 'batch 2'])
    late.turn(propose(3))
    nodes.settle()
    nodes.heal()
    nodes.rounds(30)
    for (const n of [1, 2, 3]) expect(batches(nodes.at(n))).toEqual(['batch 1', 'batch 2', 'batch 3'])
  })

  it('an acceptor that could not report what is decided, since it is in memory no more, makes no promise and grants no canvass', () => {
    const nodes = new Nodes(3, { limits: { ...limits, tailBytes: 50 } })
    const leader = nodes.elect(1)
    nodes.isolate(3)
    for (let i = 1; i <= 5; i++) leader.turn(propose(i))
    nodes.settle()
    nodes.rounds(6)
    const ahead = nodes.at(2)
    ahead.tick(40)
    nodes.flying = []
    give(ahead, 'n3', { type: 'canvass' }, ballotOf(9, 3))
    expect(nodes.flying.at(-1)?.message).toMatchObject({ type: 'canvassReply', granted: false })
    nodes.flying = []
    give(ahead, 'n3', prepare(1), ballotOf(9, 3))
    expect(nodes.flying).toEqual([])
    give(ahead, 'n3', prepare(7), ballotOf(9, 3))
    expect(nodes.flying.at(-1)?.message).toMatchObject({ type: 'promise' })
  })

  it('a promise larger than a message comes in pages', () => {
    const { node, said, reply } = lone({ limits: { ...limits, messageBytes: 400 } })
    for (let slot = 1; slot <= 9; slot += 2)
      give(node, 'n2', accept([{ slot, value: value('x'.repeat(150), ballotOf(1, 2)) }]), ballotOf(1, 2))
    node.tick(40)
    give(node, 'n3', prepare(1), ballotOf(2, 3))
    const pages: Message[] = [reply()]
    for (let page = pages.at(-1); page?.type === 'promise' && page.next !== 0; page = pages.at(-1)) {
      give(node, 'n3', prepare(1, page.next), ballotOf(2, 3))
      pages.push(reply())
    }
    const reported = pages.flatMap((page) => (page.type === 'promise' ? page.reports.map(({ slot }) => slot) : []))
    expect(reported).toEqual([1, 3, 5, 7, 9])
    expect(pages.length).toBeGreaterThan(2)
    for (const { bytes } of said) expect(bytes.length).toBeLessThanOrEqual(400)
  })

  it('and counts only when it is complete', () => {
    const { node, said } = preparing()
    give(node, 'n2', promise([{ slot: 1, ballot: ballotOf(0, 2), value: noop }], 2), ballotOf(1, 1))
    expect(node.status.role).toBe('preparing')
    expect(said.at(-1)).toMatchObject({ to: n2, message: { type: 'prepare', from: 1, cursor: 2 } })
    give(node, 'n2', promise([{ slot: 9, ballot: ballotOf(0, 2), value: noop }], 0, 9), ballotOf(1, 1)) // a page was skipped
    expect(node.status.role).toBe('preparing')
    give(node, 'n2', promise([{ slot: 1, ballot: ballotOf(0, 2), value: noop }], 2), ballotOf(1, 1)) // a double
    expect(node.status.role).toBe('preparing')
    give(node, 'n2', promise([], 0, 2), ballotOf(1, 1))
    expect(node.status.role).toBe('leader')
  })

  it('a page that got lost is asked for again', () => {
    const { node, said } = preparing()
    give(node, 'n2', promise([{ slot: 1, ballot: ballotOf(0, 2), value: noop }], 2), ballotOf(1, 1))
    said.length = 0
    node.tick(timing.heartbeatTicks)
    expect(said.map(({ to, message }) => [to, message.type === 'prepare' && message.cursor])).toEqual([
      [n2, 2],
      [n3, 1],
    ])
  })
})

describe('5. phase 2: accept and accepted', () => {
  it('P2c: the value of the highest ballot is proposed, holes are filled with no-ops, and the entry of the reign comes after them', () => {
    const { node, said } = preparing()
    const reports = [
      { slot: 1, ballot: ballotOf(0, 3), value: value('low', ballotOf(0, 3)) },
      { slot: 4, ballot: ballotOf(0, 2), value: value('four', ballotOf(0, 2)) },
    ]
    give(
      node,
      'n2',
      promise([{ slot: 1, ballot: ballotOf(0, 2), value: value('lower', ballotOf(0, 2)) }], 2),
      ballotOf(1, 1),
    )
    give(node, 'n3', promise(reports), ballotOf(1, 1))
    const [sent] = told(said, 'accept')
    expect(sent?.type === 'accept' && sent.slots.map(({ slot, value }) => [slot, show(value)])).toEqual([
      [1, 'low'],
      [2, 'noop'],
      [3, 'noop'],
      [4, 'four'],
      [5, 'reign'],
    ])
  })

  it('what an acceptor itself has accepted counts like what the others report', () => {
    const { node, said } = lone()
    give(node, 'n2', accept([{ slot: 1, value: value('mine', ballotOf(3, 2)) }]), ballotOf(3, 2))
    node.tick(70)
    give(node, 'n3', { type: 'canvassReply', asked: ballotOf(4, 1), granted: true }, ballotOf(0, 0))
    give(
      node,
      'n3',
      promise([{ slot: 1, ballot: ballotOf(2, 3), value: value('old', ballotOf(2, 3)) }]),
      ballotOf(4, 1),
    )
    const [sent] = told(said, 'accept')
    expect(sent?.type === 'accept' && show(sent.slots[0]?.value ?? noop)).toBe('mine')
  })

  it('a quorum of acceptances chooses; the leader sends before its own write is durable, but counts itself only after', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.isolate(3)
    leader.holdSyncs = true
    leader.turn(propose(1))
    nodes.settle()
    expect(nodes.at(2).status.last).toBe(2)
    expect(leader.settled).toEqual([])
    leader.holdSyncs = false
    leader.sync()
    expect(leader.settled).toEqual([{ id: 1, outcome: { type: 'decided', position: 2 } }])
  })

  it('the others choose a value while the disk of the leader is stuck', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.holdSyncs = true
    leader.turn(propose(1))
    nodes.settle()
    expect(leader.settled).toHaveLength(1)
  })

  it('PMS 3: slots are accepted in any order, gaps stay, and are delivered in theirs', () => {
    const { node, reply } = lone()
    const at = (slot: number) => ({
      slot,
      value: slot === 1 ? makeReign(ballotOf(1, 2), n2) : value(`${slot}`, ballotOf(1, 2)),
    })
    give(node, 'n2', accept([at(4)]), ballotOf(1, 2), { decided: 4 })
    expect(reply()).toMatchObject({ type: 'accepted', reached: 0, slots: [{ from: 4, count: 1 }] })
    give(node, 'n2', accept([at(1), at(2)]), ballotOf(1, 2), { decided: 4 })
    expect(reply()).toMatchObject({ reached: 2, slots: [{ from: 1, count: 2 }] })
    expect(batches(node)).toEqual(['2'])
    expect([...node.disk.slots.keys()].sort()).toEqual([1, 2, 4])
    give(node, 'n2', accept([at(3)]), ballotOf(1, 2), { decided: 4 })
    expect(batches(node)).toEqual(['2', '3', '4'])
  })

  it('a hole in the journal is found again after a restart', () => {
    const nodes = new Nodes(3)
    const slots = [1, 2, 5].map((slot) => ({ slot, value: value(`${slot}`, ballotOf(1, 2)) }))
    give(nodes.at(1), 'n2', accept(slots), ballotOf(1, 2))
    const again = nodes.restart(1)
    again.tick(40)
    give(again, 'n3', prepare(1), ballotOf(2, 3))
    expect(nodes.flying.at(-1)?.message).toMatchObject({ reports: [{ slot: 1 }, { slot: 2 }, { slot: 5 }] })
  })

  it('several slots are in flight at once; one that is lost holds up delivery, not acceptance', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.cut = ({ message }) => message.type === 'accept' && message.slots.some(({ slot }) => slot === 3)
    for (let i = 1; i <= 4; i++) leader.turn(propose(i))
    nodes.settle()
    expect(leader.status).toMatchObject({ decided: 2, last: 5 })
    expect(leader.settled.map(({ id }) => id)).toEqual([1])
    expect(leader.status.detail['peer n2']).toContain('accepted 2')
    nodes.heal()
    nodes.rounds(20)
    expect(leader.settled.map(({ id }) => id)).toEqual([1, 2, 3, 4])
    for (const n of [1, 2, 3]) expect(batches(nodes.at(n))).toEqual([1, 2, 3, 4].map((i) => `batch ${i}`))
  })

  it('an accept of a lower ballot is refused, and its proposer gives up', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.isolate(1)
    nodes.elect(2, { hung: 1 })
    leader.turn(propose(1), read(2))
    nodes.heal()
    nodes.rounds(6)
    expect(leader.status.role).toBe('acceptor')
    expect(leader.settled).toEqual([
      { id: 1, outcome: { type: 'unknown' } },
      { id: 2, outcome: { type: 'refused', reason: 'not-leader' } },
    ])
  })

  it('an acceptance of another ballot counts for nothing', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.cut = () => true
    leader.turn(propose(1))
    const accepted: Body = { type: 'accepted', sequence: 1, reached: 2, slots: [{ from: 2, count: 1 }] }
    for (const ballot of [ballotOf(0, 1), ballotOf(1, 2)]) give(leader, 'n2', accepted, ballot, { decided: 1 })
    expect(leader.settled).toEqual([])
    give(leader, 'n2', accepted, ballotOf(1, 1), { decided: 1 })
    expect(leader.settled).toHaveLength(1)
  })

  it('an acceptor answers only for the present ballot: what it accepted in an older one is not reached', () => {
    const { node, reply } = lone()
    const slots = [1, 2].map((slot) => ({ slot, value: value(`${slot}`, ballotOf(1, 2)) }))
    give(node, 'n2', accept(slots), ballotOf(1, 2))
    expect(reply()).toMatchObject({ type: 'accepted', reached: 2 })
    give(node, 'n3', accept([]), ballotOf(2, 3))
    expect(reply()).toMatchObject({ type: 'accepted', ballot: ballotOf(2, 3), reached: 0, slots: [] })
  })

  it('what was accepted in an older ballot is not delivered on the word of a newer leader: it is learned', () => {
    const { node } = lone()
    give(node, 'n2', accept([{ slot: 1, value: value('old', ballotOf(1, 2)) }]), ballotOf(1, 2))
    give(node, 'n3', heartbeat, ballotOf(2, 3), { decided: 1 })
    expect(node.status.decided).toBe(0)
    give(node, 'n3', { type: 'learn', slots: [{ slot: 1, value: noop }] }, ballotOf(2, 3), { decided: 1 })
    expect(node.decided).toEqual([{ type: 'noop', position: 1, epoch: 0n }])
  })

  it('what is learned must come without a gap', () => {
    const { node, said } = lone()
    give(node, 'n3', { type: 'learn', slots: [{ slot: 2, value: noop }] }, ballotOf(2, 3), { decided: 2 })
    expect(node.status.decided).toBe(0)
    expect(said).toEqual([]) // or the two would send each other the same for ever
    give(
      node,
      'n3',
      {
        type: 'learn',
        slots: [
          { slot: 1, value: noop },
          { slot: 2, value: noop },
        ],
      },
      ballotOf(2, 3),
      { decided: 2 },
    )
    expect(said.map(({ message }) => message)).toMatchObject([{ type: 'watermark', decided: 2 }])
  })

  it('a new leader first decides the entry that opens its reign', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(2)
    expect(leader.decided).toEqual([{ type: 'reign', position: 1, epoch: (1n << 24n) | 2n, leader: n2 }])
  })
})

describe('7. competing proposers', () => {
  it('PMS 2.4: a refused proposer waits for a random time, so that not everybody waits for the same', () => {
    const waits = new Set<number>()
    for (let seed = 1; seed <= 40; seed++) {
      const { node, said } = lone({ seed })
      node.tick(60)
      give(node, 'n2', { type: 'canvassReply', asked: ballotOf(1, 1), granted: true }, ballotOf(0, 0))
      give(node, 'n2', { type: 'nack', refused: ballotOf(1, 1) }, ballotOf(9, 2))
      said.length = 0
      let ticks = 0
      for (; said.length === 0; ticks++) node.tick()
      waits.add(ticks)
      expect(told(said, 'canvass')[0]).toMatchObject({ ballot: ballotOf(10, 1) })
    }
    expect(waits.size).toBeGreaterThan(4)
  })

  it('time-outs are random within [T, 2T)', () => {
    const first = new Set<number>()
    for (let seed = 1; seed <= 50; seed++) {
      const { node, said } = lone({ seed })
      let ticks = 0
      for (; said.length === 0; ticks++) node.tick()
      first.add(ticks)
    }
    expect(Math.min(...first)).toBeGreaterThanOrEqual(30)
    expect(Math.max(...first)).toBeLessThanOrEqual(60)
    expect(first.size).toBeGreaterThan(10)
  })

  it('a prepare is left unanswered, and a canvass refused, within the minimum election time-out of hearing a leader', () => {
    const nodes = new Nodes(3)
    nodes.elect(1)
    const { epoch } = nodes.at(2).status
    give(nodes.at(2), 'n3', prepare(1), ballotOf(9, 3))
    expect(nodes.flying).toEqual([])
    give(nodes.at(2), 'n3', { type: 'canvass' }, ballotOf(9, 3))
    expect(nodes.flying.at(-1)?.message).toMatchObject({ granted: false })
    expect(nodes.at(2).status).toMatchObject({ epoch, leader: n1 })
  })

  it('a reset of the leader link waives it: somebody leads soon', () => {
    const nodes = new Nodes(3)
    nodes.elect(1)
    nodes.isolate(1)
    for (const n of [2, 3]) nodes.at(n).turn({ type: 'peer', id: n1, state: 'down' })
    for (let i = 0; i < 40 && ![2, 3].some((n) => nodes.at(n).status.leading); i++) {
      for (const n of [2, 3]) nodes.at(n).tick()
      nodes.settle()
    }
    expect([2, 3].filter((n) => nodes.at(n).status.leading)).toHaveLength(1)
  })

  it('a node that was cut off returns without a higher ballot', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    const { epoch } = leader.status
    nodes.isolate(3)
    nodes.rounds(300)
    nodes.heal()
    nodes.rounds(20)
    expect(leader.status).toMatchObject({ leading: true, epoch })
    expect(nodes.at(3).status).toMatchObject({ leader: n1, epoch })
  })

  it('a leader that hears no quorum for an election time-out gives up', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.isolate(1)
    leader.turn(propose(7), read(8))
    nodes.rounds(70)
    expect(leader.status.leading).toBe(false)
    expect(leader.settled).toContainEqual({ id: 7, outcome: { type: 'unknown' } })
    expect(leader.settled).toContainEqual({ id: 8, outcome: { type: 'refused', reason: 'not-leader' } })
  })

  it('a proposer whose disk does not answer raises no further ballot', () => {
    const { node, said } = lone()
    node.holdSyncs = true
    node.tick(60)
    give(node, 'n2', { type: 'canvassReply', asked: ballotOf(1, 1), granted: true }, ballotOf(0, 0))
    said.length = 0
    node.tick(300)
    expect(told(said, 'canvass')).toEqual([])
    expect(node.status.epoch).toBe((1n << 24n) | 1n)
  })

  it('a reign is given away on request, and proposals are refused meanwhile', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn({ type: 'transfer', to: n3 }, propose(1))
    expect(leader.settled).toEqual([{ id: 1, outcome: { type: 'refused', reason: 'not-ready' } }])
    nodes.settle()
    nodes.rounds(2)
    expect(nodes.at(3).status.leading).toBe(true)
    expect(leader.status).toMatchObject({ leading: false, leader: n3 })
  })

  it('and goes on if nothing comes of it', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.cut = ({ message }) => message.type === 'handOver'
    leader.turn({ type: 'transfer', to: n3 })
    nodes.rounds(40)
    leader.turn(propose(1))
    nodes.settle()
    expect(leader.settled).toEqual([{ id: 1, outcome: { type: 'decided', position: 2 } }])
  })

  it('a late hand-over of an earlier reign makes nobody prepare', () => {
    const nodes = new Nodes(3)
    nodes.elect(1)
    nodes.isolate(1)
    nodes.elect(2)
    give(nodes.at(3), 'n1', { type: 'handOver' }, ballotOf(1, 1))
    expect(nodes.at(3).status).toMatchObject({ role: 'acceptor', leader: n2 })
  })
})

describe('9. requests of a lost reign', () => {
  /** Slot 1 is the reign of 2.2; slot 2 holds a batch of 1.3, whose reign never began here. */
  const mixed = () => {
    const { node } = lone()
    const slots = [
      { slot: 1, value: makeReign(ballotOf(2, 2), n2) },
      { slot: 2, value: value('of a lost reign', ballotOf(1, 3)) },
      { slot: 3, value: value('of this reign', ballotOf(2, 2)) },
      { slot: 4, value: makeReign(ballotOf(1, 3), n3) },
      { slot: 5, value: value('of the lost reign again', ballotOf(1, 3)) },
    ]
    give(node, 'n2', accept(slots), ballotOf(2, 2), { decided: 5 })
    return node
  }

  it('a batch counts only in the reign that it was born in: what a later leader proposes again of another is void', () => {
    expect(mixed().decided.map(({ type, epoch }) => [type, epoch])).toEqual([
      ['reign', (2n << 24n) | 2n],
      ['noop', (2n << 24n) | 2n],
      ['batch', (2n << 24n) | 2n],
      ['noop', (2n << 24n) | 2n],
      ['noop', (2n << 24n) | 2n],
    ])
  })

  it('a batch whose reign began stays in force when a later leader proposes it again', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.cut = ({ message }) => message.type === 'accepted'
    leader.turn(propose(1))
    nodes.settle()
    expect(leader.status.decided).toBe(1)
    nodes.heal()
    nodes.isolate(1)
    const next = nodes.elect(2)
    expect(batches(next)).toEqual(['batch 1'])
    expect(next.decided.map(({ type }) => type)).toEqual(['reign', 'batch', 'reign'])
  })

  it('a proposer that loses and regains the lead does not answer for what it proposed before', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.cut = () => true
    leader.turn(propose(1))
    nodes.rounds(70)
    nodes.heal()
    nodes.elect(1)
    nodes.rounds(10)
    expect(leader.settled).toEqual([{ id: 1, outcome: { type: 'unknown' } }])
  })
})

describe('10. flexible quorums', () => {
  const sizes = (voters: number) => ({ phase1: voters - 1, phase2: 2 })

  it('a value is chosen by a small quorum of phase 2, and a leader elected by a large one of phase 1', () => {
    const nodes = new Nodes(5, { factory: multiPaxos({ quorums: sizes }) })
    const leader = nodes.elect(1)
    nodes.isolate(1, 2)
    leader.turn(propose(1), read(2))
    nodes.settle()
    expect(leader.settled.map(({ outcome }) => outcome.type).sort()).toEqual(['decided', 'readAt'])
    nodes.at(3).tick(100)
    nodes.settle()
    expect([3, 4, 5].some((n) => nodes.at(n).status.leading)).toBe(false) // three of five are no quorum of phase 1
  })

  it('quorums that do not intersect are refused when the engine is made', () => {
    expect(() => new Nodes(5, { factory: multiPaxos({ quorums: () => ({ phase1: 3, phase2: 2 }) }) })).toThrow(
      /do not intersect/,
    )
    expect(() => new Nodes(5, { factory: multiPaxos({ quorums: () => ({ phase1: 6, phase2: 2 }) }) })).toThrow(
      /out of 5 voters/,
    )
  })

  it('and so is a change to a configuration in which they would not', () => {
    const nodes = new Nodes(3, {
      factory: multiPaxos({ quorums: (voters) => ({ phase1: voters === 3 ? 2 : 1, phase2: voters === 3 ? 2 : 1 }) }),
    })
    const leader = nodes.elect(1)
    leader.turn({ type: 'reconfigure', id: 1 as never, change: { type: 'remove', id: n3 } })
    expect(leader.settled).toEqual([{ id: 1, outcome: { type: 'refused', reason: 'invalid' } }])
  })
})

describe('reads', () => {
  it('a read waits until the entry of the reign is delivered', () => {
    const nodes = new Nodes(3)
    nodes.cut = ({ message }) => message.type === 'accept'
    const leader = nodes.elect(1)
    leader.turn(read(1))
    nodes.settle()
    expect(leader.settled).toEqual([])
    nodes.heal()
    nodes.rounds(20)
    expect(leader.settled).toEqual([{ id: 1, outcome: { type: 'readAt', position: 1 } }])
  })

  it('a read needs a quorum round that begins after it arrived; an old answer does not count', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(read(1))
    nodes.settle()
    nodes.flying = []
    leader.turn(read(2))
    give(leader, 'n2', { type: 'heartbeatReply', round: 1, pledged: false }, ballotOf(1, 1))
    expect(leader.settled.map((s) => s.id)).toEqual([1])
    give(leader, 'n2', { type: 'heartbeatReply', round: 9, pledged: false }, ballotOf(1, 1)) // nobody asked
    expect(leader.settled.map((s) => s.id)).toEqual([1])
    give(leader, 'n2', { type: 'heartbeatReply', round: 2, pledged: false }, ballotOf(1, 1))
    expect(leader.settled.map((s) => s.id)).toEqual([1, 2])
  })

  it('a deposed leader serves no read', () => {
    const nodes = new Nodes(3)
    const old = nodes.elect(1)
    nodes.isolate(1)
    nodes.elect(2, { hung: 1 }).turn(propose(1))
    nodes.settle()
    old.turn(read(5))
    nodes.settle()
    expect(old.settled).toEqual([])
    nodes.heal()
    nodes.rounds(6)
    expect(old.settled).toEqual([{ id: 5, outcome: { type: 'refused', reason: 'not-leader' } }])
  })

  it('one round serves all reads that wait, and a cancelled read settles no more', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(read(1), read(2), read(3), { type: 'cancel', id: 2 as never })
    expect(told(nodes.flying, 'heartbeat')).toHaveLength(2)
    nodes.settle()
    expect(leader.settled.map((s) => s.id)).toEqual([1, 3])
  })

  it('who does not lead refuses proposals, reads and changes', () => {
    const { node } = lone()
    node.turn(propose(1), read(2), { type: 'reconfigure', id: 3 as never, change: { type: 'remove', id: n2 } })
    expect(node.settled.map((s) => s.outcome)).toEqual(Array(3).fill({ type: 'refused', reason: 'not-leader' }))
  })
})
