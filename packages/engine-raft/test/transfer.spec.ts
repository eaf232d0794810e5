/** Leadership transfer: section 3.10 of the dissertation, and 4.2.3 for what it overrides. */
import { concatChunks, type Input, nodeId } from '@conclave/interface'
import { add, members, propose, read, remove, transfer } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import type { Term } from '../src/entry.ts'
import { encodeMessage, type Message } from '../src/messages.ts'
import { raftVersion1 } from '../src/testing.ts'
import { type Server, Servers } from './servers.ts'

const t = (n: number) => n as Term
const n1 = nodeId('n1')
const n2 = nodeId('n2')
const n3 = nodeId('n3')
const give = (server: Server, from: string, message: Message): void =>
  server.turn({ type: 'receive', from: nodeId(from), message: concatChunks(encodeMessage(message)) })
const led = (count = 3): Servers => {
  const servers = new Servers(count)
  servers.elect(1)
  servers.settle()
  servers.rounds(5)
  return servers
}
const leading = (servers: Servers) =>
  [...servers.all.values()].filter(({ status }) => status.leading).map(({ id }) => id)
const outcome = (server: Server, id: number) =>
  server.settled.filter((settle) => settle.id === id).map((s) => s.outcome)
const said = (servers: Servers, type: Message['type']) => servers.flying.filter(({ message }) => message.type === type)
const disk = (state: 'ok' | 'slow' | 'full'): Input => ({ type: 'disk', state })

describe('3.10 leadership transfer', () => {
  it('the target campaigns at once and is elected before any time passes, and the old leader follows it', () => {
    const servers = led()
    servers.at(1).turn(transfer(3))
    servers.settle()
    expect(leading(servers)).toEqual([n3])
    for (const n of [1, 2]) expect(servers.at(n).status).toMatchObject({ role: 'follower', leader: n3, epoch: 2n })
  })

  it('it does so without a pre-vote, which the others would refuse since they hear the leader', () => {
    const servers = led()
    servers.flying = []
    const target = servers.at(3)
    give(target, 'n1', { type: 'timeoutNow', term: t(1) })
    expect(target.status).toMatchObject({ role: 'candidate', epoch: 2n })
    expect(said(servers, 'vote').map(({ message }) => message)).toEqual([
      { type: 'vote', term: 2, pre: false, last: 1, lastTerm: 1, transfer: true },
      { type: 'vote', term: 2, pre: false, last: 1, lastTerm: 1, transfer: true },
    ])
  })

  it('the leader takes no proposals meanwhile, and first brings the target up to the end of its log', () => {
    const servers = led()
    const leader = servers.at(1)
    servers.cut = ({ to, message }) => to === n3 && message.type === 'append'
    leader.turn(propose(1))
    servers.settle()
    leader.turn(transfer(3))
    leader.turn(propose(2))
    expect(outcome(leader, 2)).toEqual([{ type: 'refused', reason: 'in-progress' }])
    expect(leader.status.leading).toBe(true)
    servers.heal()
    servers.rounds(15)
    expect(leading(servers)).toEqual([n3])
    expect(servers.at(3).status.decided).toBe(3)
  })

  it('reads go on meanwhile', () => {
    const servers = led()
    const leader = servers.at(1)
    servers.cut = ({ to }) => to === n3
    leader.turn(propose(1), transfer(3), read(2))
    servers.settle()
    expect(outcome(leader, 2)).toMatchObject([{ type: 'readAt' }])
  })

  it('it is given up after an election time-out, and the leader goes on', () => {
    const servers = led()
    const leader = servers.at(1)
    servers.isolate(3)
    leader.turn(propose(1), transfer(3))
    servers.rounds(29)
    leader.turn(propose(2))
    servers.rounds(1)
    leader.turn(propose(3))
    servers.rounds(5)
    expect(outcome(leader, 2)).toEqual([{ type: 'refused', reason: 'in-progress' }])
    expect(outcome(leader, 3)).toMatchObject([{ type: 'decided' }])
    expect(leading(servers)).toEqual([n1])
  })

  it('a second transfer waits for the first to end', () => {
    const servers = led()
    const leader = servers.at(1)
    servers.isolate(3)
    leader.turn(propose(1), transfer(3), transfer(2))
    servers.rounds(5)
    expect(leading(servers)).toEqual([n1])
  })

  it.each([
    ['the leader itself', transfer(1)],
    ['a stranger', transfer(9)],
    ['a learner', transfer(4)],
  ])('a transfer to %s is ignored', (_who, input) => {
    const servers = led()
    servers.join(4)
    const leader = servers.at(1)
    leader.turn(add(1, 4, 'learner'))
    servers.rounds(10)
    leader.turn(input, propose(2))
    servers.settle()
    expect(outcome(leader, 2)).toMatchObject([{ type: 'decided' }])
    expect(leading(servers)).toEqual([n1])
  })

  it('who does not lead ignores it', () => {
    const servers = led()
    servers.at(2).turn(transfer(3))
    servers.settle()
    expect(leading(servers)).toEqual([n1])
  })

  it('a transfer to a voter that is about to leave is ignored', () => {
    const servers = led()
    const leader = servers.at(1)
    servers.cut = ({ message }) => message.type === 'appendReply'
    leader.turn(remove(1, 3), transfer(3))
    servers.rounds(1)
    servers.heal()
    leader.turn(propose(2))
    servers.rounds(20)
    expect(outcome(leader, 2)).toMatchObject([{ type: 'decided' }])
    expect(members(leader)).toBe('n1 n2')
  })
})

describe('4.2.3 what it overrides', () => {
  it('a vote that the leader has asked for is given although the leader is heard, by the leader too', () => {
    const servers = led()
    for (const n of [1, 2]) {
      servers.flying = []
      give(servers.at(n), 'n3', { type: 'vote', term: t(2), pre: false, last: 1, lastTerm: t(1), transfer: true })
      expect(servers.flying.at(-1)?.message).toMatchObject({ type: 'voteReply', granted: true, term: 2 })
    }
  })

  it('an ordinary one is not', () => {
    const servers = led()
    servers.flying = []
    give(servers.at(2), 'n3', { type: 'vote', term: t(2), pre: false, last: 1, lastTerm: t(1) })
    expect(servers.flying).toEqual([])
  })

  it('the log check holds all the same', () => {
    const servers = led()
    servers.at(1).turn(propose(1))
    servers.settle()
    servers.flying = []
    give(servers.at(2), 'n3', { type: 'vote', term: t(2), pre: false, last: 1, lastTerm: t(1), transfer: true })
    expect(servers.flying.at(-1)?.message).toMatchObject({ type: 'voteReply', granted: false })
  })

  it('a TimeoutNow of an earlier term is refused, and one of a later term makes its sender the leader first', () => {
    const servers = led()
    servers.at(1).turn(transfer(2))
    servers.settle()
    servers.flying = []
    give(servers.at(3), 'n1', { type: 'timeoutNow', term: t(1) })
    expect(servers.at(3).status.role).toBe('follower')
    expect(servers.flying.at(-1)?.message).toMatchObject({ type: 'appendReply', ok: false, term: 2 })
    give(servers.at(3), 'n2', { type: 'timeoutNow', term: t(7) })
    expect(servers.at(3).status).toMatchObject({ role: 'candidate', epoch: 8n })
  })

  it('a learner and a server that was removed ignore it', () => {
    const servers = led()
    servers.join(4)
    servers.at(1).turn(add(1, 4, 'learner'))
    servers.rounds(5)
    give(servers.at(4), 'n1', { type: 'timeoutNow', term: t(1) })
    expect(servers.at(4).status.role).toBe('follower')
    servers.at(1).turn(remove(2, 3))
    servers.rounds(5)
    give(servers.at(3), 'n1', { type: 'timeoutNow', term: t(1) })
    expect(servers.at(3).status.role).toBe('follower')
  })
})

describe('disks', () => {
  it.each(['full', 'slow'] as const)(
    'a leader whose disk is %s gives leadership to the voter with the longest log',
    (state) => {
      const servers = led()
      const leader = servers.at(1)
      servers.isolate(3)
      leader.turn(propose(1))
      servers.settle()
      leader.turn(disk(state))
      servers.settle()
      expect(leading(servers)).toEqual([n2])
    },
  )

  it('a disk that stays slow gives it away once', () => {
    const servers = led()
    const leader = servers.at(1)
    servers.isolate(2, 3)
    leader.turn(disk('slow'))
    servers.rounds(31)
    servers.heal()
    servers.rounds(10)
    leader.turn(disk('slow'))
    servers.rounds(10)
    expect(leading(servers)).toEqual([n1])
  })

  it('nor one that was full and is only slow now', () => {
    const servers = led(1)
    servers.at(1).turn(disk('full'), add(9, 2, 'voter'))
    servers.at(1).turn(disk('ok'), add(9, 2, 'voter'))
    servers.join(2)
    servers.rounds(20)
    servers.cut = ({ message }) => message.type === 'timeoutNow'
    servers.at(1).turn(disk('full'))
    servers.rounds(29)
    servers.heal()
    servers.at(1).turn(disk('slow'))
    servers.rounds(35)
    expect(leading(servers)).toEqual([n1])
  })

  it('a disk that stays full tries again', () => {
    const servers = led()
    const leader = servers.at(1)
    servers.cut = ({ message }) => message.type === 'timeoutNow'
    leader.turn(disk('full'))
    servers.rounds(31)
    expect(leading(servers)).toEqual([n1])
    servers.heal()
    servers.rounds(31)
    expect(leading(servers)).not.toEqual([n1])
  })

  it('without anybody to give it to, the leader goes on', () => {
    const servers = led(1)
    servers.at(1).turn(disk('slow'), propose(1))
    expect(outcome(servers.at(1), 1)).toMatchObject([{ type: 'decided' }])
    const lonely = led()
    lonely.isolate(1)
    lonely.at(1).tick(40) // nobody was heard for more than an election time-out
    lonely.at(1).turn(disk('slow'), propose(2))
    expect(outcome(lonely.at(1), 2)).toEqual([])
  })

  it('a server whose disk is full refuses TimeoutNow', () => {
    const servers = led()
    servers.at(3).turn(disk('full'))
    servers.at(1).turn(transfer(3))
    servers.rounds(31)
    expect(leading(servers)).toEqual([n1])
    servers.at(1).turn(propose(1))
    servers.settle()
    expect(outcome(servers.at(1), 1)).toMatchObject([{ type: 'decided' }])
  })
})

describe('servers of the release before', () => {
  it('a server of version 1 drops TimeoutNow and the votes of a transfer as malformed; the transfer is given up', () => {
    const servers = led()
    const old = servers.restart(3, { factory: raftVersion1 })
    servers.rounds(5)
    expect(old.status).toMatchObject({ role: 'follower', leader: n1 })
    servers.at(1).turn(transfer(3))
    servers.rounds(31)
    expect(leading(servers)).toEqual([n1])
    expect(old.status.malformed).toBe(1)
  })

  it('it offers nothing of it, and does nothing by itself', () => {
    const servers = new Servers(3, { factory: raftVersion1, leases: true })
    const leader = servers.elect(1)
    expect(leader.engine.supports).toEqual({
      snapshots: true,
      reads: true,
      membership: false,
      learners: false,
      transfer: false,
      leases: false,
    })
    leader.turn(remove(1, 3), transfer(2), disk('full'), read(3, 'lease'))
    servers.rounds(70)
    expect(outcome(leader, 1)).toEqual([{ type: 'refused', reason: 'unsupported' }])
    expect(outcome(leader, 3)).toMatchObject([{ type: 'readAt' }])
    expect(leading(servers)).toEqual([n1])
  })
})
