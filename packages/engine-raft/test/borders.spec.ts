import { encodeMembers } from '@conclave/engine-parts'
/** What is refused at the borders: bounds of configurations, and messages that parse but cannot be. */
import { concatChunks, type Member, type Membership, nodeId } from '@conclave/interface'
import { Disk, limits, members, peer, propose, read, reconfigure } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { entryKind, makeEntry, type Term } from '../src/entry.ts'
import {
  decodeMessage,
  decodeSnapshotHeader,
  encodeMessage,
  encodeSnapshotHeader,
  type Message,
} from '../src/messages.ts'
import { lone, type Server, Servers } from './servers.ts'

const t = (n: number) => n as Term
const n1 = nodeId('n1')
const bytesOf = (message: Message) => concatChunks(encodeMessage(message))
const outcome = (server: Server, id: number) =>
  server.settled.filter((settle) => settle.id === id).map((s) => s.outcome)
const invalid = [{ type: 'refused', reason: 'invalid' }]
const join = (id: number, member: Partial<Member>) =>
  reconfigure(id, { type: 'add', member: { ...peer(9_999), ...member }, role: 'learner' })

/** A lone voter that has these members on its disk, and leads. */
const leadOf = (membership: Membership, engineLimits = limits): Server => {
  const disk = new Disk()
  disk.snapshot = {
    id: 's' as never,
    position: 1 as never,
    header: encodeSnapshotHeader({ term: t(1), position: 1, lastTerm: t(1), membership }),
  }
  const servers = new Servers(1)
  disk.meta = new Uint8Array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
  const { server } = lone({ founders: { members: [] }, disk, limits: engineLimits })
  servers.all.set(n1, server)
  return servers.elect(1)
}

describe('bounds of a configuration', () => {
  it('a thousand members are the most', () => {
    const learners = Array.from({ length: 998 }, (_, n) => peer(n + 2, 'learner'))
    const leader = leadOf({ members: [peer(1), ...learners] })
    leader.turn(join(1, { name: 'a' }))
    expect(outcome(leader, 1)).toMatchObject([{ type: 'decided' }])
    leader.turn(join(2, { name: 'b', id: nodeId('m') }))
    expect(outcome(leader, 2)).toEqual(invalid)
    expect(leader.status.membership.members).toHaveLength(1_000)
  })

  it('sixty KiB are the most, so that a snapshot header fits its offer', () => {
    const addresses = Array.from({ length: 32 }, () => 'x'.repeat(900))
    const leader = leadOf({ members: [peer(1), { ...peer(2, 'learner'), addresses }] })
    leader.turn(join(1, { addresses }))
    expect(outcome(leader, 1)).toMatchObject([{ type: 'decided' }])
    leader.turn(join(2, { addresses, name: 'b', id: nodeId('m') }))
    expect(outcome(leader, 2)).toEqual(invalid)
  })

  it('one that fits no message is refused; a learner whose joint configuration would not fit waits', () => {
    const member = { ...peer(2, 'learner'), promote: true } as const
    const plain = encodeMembers({ members: [peer(1), member] }).length
    for (const [more, result] of [
      [0, 'n1 (n2)'], // not even the mark of the learner
      [55, 'n1 (n2*)'], // the mark, but not the outgoing voters
      [200, 'n1 n2'],
    ] as const) {
      const servers = new Servers(1, { limits: { ...limits, messageBytes: plain + more } })
      servers.founders = { members: [peer(1), peer(2, 'learner')] }
      const leader = servers.restart(1)
      servers.join(2)
      servers.elect(1)
      servers.rounds(20)
      leader.turn(reconfigure(1, { type: 'promote', id: member.id }))
      servers.rounds(40)
      expect(members(leader)).toBe(result)
    }
  })
})

describe('messages that cannot be', () => {
  it('flags that nobody knows, entries of falling or later terms, a snapshot of nothing', () => {
    const vote = bytesOf({ type: 'vote', term: t(1), pre: true, last: 1, lastTerm: t(1) })
    vote[10] = 2
    expect(() => decodeMessage(vote)).toThrow('flags of 2')
    const append = (terms: number[]) =>
      bytesOf({
        type: 'append',
        term: t(5),
        previous: 0,
        previousTerm: t(2),
        commit: 0,
        entries: terms.map((of) => makeEntry(t(of), entryKind.batch, new Uint8Array())),
      })
    expect(() => decodeMessage(append([2, 5]))).not.toThrow()
    for (const terms of [[1], [3, 2], [6]]) expect(() => decodeMessage(append(terms))).toThrow('an entry of term')
    const membership = { members: [] }
    const header = encodeSnapshotHeader({ term: t(1), position: 0, lastTerm: t(1), membership })
    expect(() => decodeSnapshotHeader(header)).toThrow('position 0')
  })

  it('answers to what was never asked or sent', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    servers.isolate(1)
    leader.turn(propose(1), read(2))
    const lies: Message[] = [
      { type: 'appendReply', term: t(1), ok: true, match: 99 },
      { type: 'heartbeatReply', term: t(1), round: 99 },
    ]
    for (const from of ['n2', 'n3', 'n9'])
      for (const lie of lies) leader.turn({ type: 'receive', from: nodeId(from), message: bytesOf(lie) })
    expect(leader.settled).toEqual([])
    expect(leader.status.decided).toBe(1)
  })

  it('a read that nobody waits for is cancelled wherever it is', () => {
    const servers = new Servers(3)
    servers.at(2).turn({ type: 'cancel', id: 1 as never })
    expect(servers.at(2).settled).toEqual([])
  })

  it('votes that come late to a leader or a follower of the term change nothing', () => {
    const servers = new Servers(3)
    servers.elect(1)
    for (const n of [1, 2]) {
      const server = servers.at(n)
      const { role } = server.status
      for (const pre of [true, false])
        server.turn({
          type: 'receive',
          from: nodeId('n3'),
          message: bytesOf({ type: 'voteReply', term: t(1), pre, granted: true }),
        })
      expect(server.status).toMatchObject({ role, epoch: 1n, leader: n1 })
    }
  })
})
