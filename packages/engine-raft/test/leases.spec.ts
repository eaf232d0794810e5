/** Lease reads: section 6.4.1 of the dissertation. An election time-out is 300 ms here, so a lease lasts 270. */
import { concatChunks, nodeId } from '@conclave/interface'
import { add, propose, read, remove, transfer } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import type { Term } from '../src/entry.ts'
import { encodeMessage, type Message } from '../src/messages.ts'
import { decodeMeta } from '../src/meta.ts'
import { raftVersion1 } from '../src/testing.ts'
import { type Flying, lone, type Server, Servers } from './servers.ts'

const t = (n: number) => n as Term
const n1 = nodeId('n1')
const n2 = nodeId('n2')
const give = (server: Server, from: string, message: Message): void =>
  server.turn({ type: 'receive', from: nodeId(from), message: concatChunks(encodeMessage(message)) })
const heartbeat = (term: number, lease = true): Message => ({
  type: 'heartbeat',
  term: t(term),
  commit: 0,
  round: 1,
  ...(lease && { lease }),
})
const vote = (term: number, pre = false): Message => ({ type: 'vote', term: t(term), pre, last: 9, lastTerm: t(1) })

/** n1 leads, with leases, and its heartbeats were answered. */
const led = (count = 3): Servers => {
  const servers = new Servers(count, { leases: true })
  servers.elect(1)
  servers.rounds(6)
  return servers
}
const outcome = (server: Server, id: number) =>
  server.settled.filter((settle) => settle.id === id).map((s) => s.outcome)
let reads = 1_000
/** Whether a lease read is served at once, before any message moves. */
const servedAtOnce = (server: Server): boolean => {
  const id = reads++
  server.turn(read(id, 'lease'))
  return outcome(server, id)[0]?.type === 'readAt'
}
const replies = (said: readonly Flying[]) => said.map(({ message }) => message)

describe('a lease', () => {
  it('is off by default: a lease read takes a quorum round, and nobody is asked for a promise', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    const all: Flying[] = []
    servers.cut = (m) => all.push(m) === 0
    servers.rounds(10)
    expect(leader.engine.supports.leases).toBe(false)
    expect(servedAtOnce(leader)).toBe(false)
    servers.settle()
    expect(leader.settled.at(-1)?.outcome).toMatchObject({ type: 'readAt' })
    expect(all.every(({ bytes }) => bytes[0] === 1)).toBe(true)
    expect(decodeMeta(servers.at(2).disk.meta).promised).toBe(false)
  })

  it('serves a read at once at the commit position, without a message', () => {
    const servers = led()
    const leader = servers.at(1)
    leader.turn(propose(1))
    servers.settle()
    servers.flying = []
    leader.turn(read(2, 'lease'))
    expect(outcome(leader, 2)).toEqual([{ type: 'readAt', position: 2 }])
    expect(servers.flying).toEqual([])
    expect(leader.engine.supports.leases).toBe(true)
  })

  it('serves no linearizable read: that one asks a quorum', () => {
    const servers = led()
    servers.at(1).turn(read(2))
    expect(outcome(servers.at(1), 2)).toEqual([])
  })

  it('waits until an entry of the present term is committed', () => {
    const servers = new Servers(3, { leases: true })
    servers.cut = ({ message }) => message.type === 'append'
    const leader = servers.elect(1)
    servers.rounds(5)
    expect(servedAtOnce(leader)).toBe(false)
    servers.heal()
    servers.rounds(20)
    expect(servedAtOnce(leader)).toBe(true)
  })

  it('begins when the round was sent, not when it was answered', () => {
    const servers = led()
    const leader = servers.at(1)
    servers.isolate(1)
    leader.now += 1_000 // all that was promised so far is over
    servers.flying = []
    servers.heal()
    leader.turn(read(1)) // begins a round
    leader.now += 200
    servers.settle()
    expect(servedAtOnce(leader)).toBe(true)
    leader.now += 69
    expect(servedAtOnce(leader)).toBe(true)
    leader.now += 1
    expect(servedAtOnce(leader)).toBe(false)
  })

  it('is judged by the clock, not by ticks: a process that was stopped does not believe in it any more', () => {
    const servers = led()
    const leader = servers.at(1)
    expect(servedAtOnce(leader)).toBe(true)
    leader.now += 10_000 // no tick
    expect(servedAtOnce(leader)).toBe(false)
    servers.settle()
    expect(leader.settled.at(-1)?.outcome).toMatchObject({ type: 'readAt' }) // by a quorum round
  })

  it('is renewed by heartbeats', () => {
    const servers = led()
    for (let i = 0; i < 100; i++) {
      servers.rounds(1)
      expect(servedAtOnce(servers.at(1))).toBe(true)
    }
  })

  it('needs the promises of a quorum', () => {
    const servers = led(5)
    const leader = servers.at(1)
    servers.isolate(1, 2) // one promise goes on
    servers.rounds(20)
    expect(servedAtOnce(leader)).toBe(true)
    servers.rounds(8)
    expect(leader.status.leading).toBe(true)
    expect(servedAtOnce(leader)).toBe(false)
  })

  it('is held by a cluster of one without asking anybody', () => {
    const servers = led(1)
    expect(servedAtOnce(servers.at(1))).toBe(true)
  })

  it('ends with every new configuration: what was promised by the old quorum says nothing of the new one', () => {
    const servers = led(4)
    const leader = servers.at(1)
    leader.turn(read(1)) // a round that is on its way
    leader.turn(remove(2, 4))
    expect(servedAtOnce(leader)).toBe(false)
    const before = servers.flying.filter(({ message }) => message.type === 'heartbeat' && message.lease)
    expect(before.length).toBeGreaterThan(0)
    for (const flying of before) servers.deliver(flying)
    for (const flying of servers.flying.filter(({ message }) => message.type === 'heartbeatReply'))
      servers.deliver(flying)
    expect(servedAtOnce(leader)).toBe(false)
    servers.rounds(10)
    expect(servedAtOnce(leader)).toBe(true)
  })

  it('needs both majorities while the configuration is joint', () => {
    const servers = led()
    const leader = servers.at(1)
    servers.join(4)
    servers.join(5)
    leader.turn(add(1, 4, 'voter'))
    servers.rounds(30)
    leader.turn(add(2, 5, 'voter'))
    servers.cut = ({ message }) => message.type === 'appendReply' // it stays joint
    servers.rounds(1)
    servers.heal()
    servers.settle()
    servers.rounds(10)
    expect(servers.at(1).status.membership.members).toHaveLength(5)
    leader.turn(remove(3, 5))
    servers.isolate(3, 4, 5) // n1, n2: a half of the new four
    servers.rounds(10)
    expect(leader.status.membership.outgoing).toHaveLength(5)
    expect(servedAtOnce(leader)).toBe(false)
    servers.isolate(4, 5) // three of the old five, three of the new four
    servers.cut = ({ from, to, message }) =>
      [from, to].some((id) => id === 'n4' || id === 'n5') || message.type === 'appendReply'
    servers.rounds(10)
    expect(leader.status.membership.outgoing).toHaveLength(5)
    expect(servedAtOnce(leader)).toBe(true)
  })

  it('is over before anybody else can be elected', () => {
    for (let seconds = 0; seconds < 5; seconds++) {
      const servers = led()
      const old = servers.at(1)
      servers.rounds(seconds)
      servers.isolate(1)
      for (const n of [2, 3]) servers.at(n).turn({ type: 'peer', id: n1, state: 'down' })
      let served = 0
      for (let tick = 0; tick < 100 && !servers.at(2).status.leading && !servers.at(3).status.leading; tick++) {
        for (const n of [2, 3]) servers.at(n).tick()
        old.now += 10 / 0.9 // its clock is slow by as much as it may be: this is what the others' 10 ms are, at most
        if (servedAtOnce(old)) served++
        servers.settle()
      }
      expect(served).toBeGreaterThan(15)
      expect(servedAtOnce(old)).toBe(false)
    }
  })
})

describe('a promise', () => {
  it('is to elect nobody else for an election time-out of the own clock, and not to campaign', () => {
    const { server, said } = lone()
    give(server, 'n2', heartbeat(1))
    expect(replies(said)).toEqual([{ type: 'heartbeatReply', term: 1, round: 1, promise: true }])
    server.turn({ type: 'peer', id: n2, state: 'down' }) // which waives the refusal of votes, but no promise
    said.length = 0
    server.now += 299
    give(server, 'n3', vote(2, true))
    give(server, 'n3', vote(2))
    for (let i = 0; i < 100; i++) server.turn({ type: 'tick' }) // ticks are no time
    expect(replies(said)).toEqual([{ type: 'voteReply', term: 1, pre: true, granted: false }])
    expect(server.status).toMatchObject({ role: 'follower', epoch: 1n })
    server.now += 1
    give(server, 'n3', vote(2))
    expect(said.at(-1)?.message).toMatchObject({ type: 'voteReply', term: 2, granted: true })
  })

  it('does not end with the term: one that hears of a later term without a leader still votes for nobody', () => {
    const { server, said } = lone()
    give(server, 'n2', heartbeat(1))
    give(server, 'n3', { type: 'heartbeatReply', term: t(5), round: 0 }) // it only shows the term
    expect(server.status.epoch).toBe(5n)
    give(server, 'n3', vote(5))
    expect(said.at(-1)?.message).toMatchObject({ type: 'voteReply', granted: false })
    server.now += 300
    give(server, 'n3', vote(5))
    expect(said.at(-1)?.message).toMatchObject({ type: 'voteReply', granted: true })
  })

  it('does not stand against the leader that it was given to', () => {
    const { server, said } = lone()
    give(server, 'n2', heartbeat(1))
    server.turn({ type: 'peer', id: n2, state: 'down' })
    give(server, 'n2', vote(2))
    expect(said.at(-1)?.message).toMatchObject({ type: 'voteReply', term: 2, granted: true })
  })

  it('after a reset of the link the jitter begins when the promise ends', () => {
    const campaigns = new Set<number>()
    for (let seed = 1; seed <= 40; seed++) {
      const { server, said } = lone({ seed })
      give(server, 'n2', heartbeat(1))
      server.turn({ type: 'peer', id: n2, state: 'down' })
      let ticks = 0
      for (; !said.some(({ message }) => message.type === 'vote'); ticks++) server.tick()
      campaigns.add(ticks)
    }
    expect(Math.min(...campaigns)).toBeGreaterThanOrEqual(30)
    expect(Math.max(...campaigns)).toBeLessThanOrEqual(38)
    expect(campaigns.size).toBeGreaterThan(5) // not all at the same moment
  })

  it('an ordinary heartbeat asks for none', () => {
    const { server, said } = lone()
    give(server, 'n2', heartbeat(1, false))
    server.turn({ type: 'peer', id: n2, state: 'down' })
    give(server, 'n3', vote(2))
    expect(said.at(-1)?.message).toMatchObject({ type: 'voteReply', granted: true })
    expect(decodeMeta(server.disk.meta).promised).toBe(false)
  })

  it('the first one leaves when it is on disk that there are promises; the next ones leave at once', () => {
    const { server, said } = lone()
    give(server, 'n2', heartbeat(1, false))
    said.length = 0
    server.holdSyncs = true
    give(server, 'n2', heartbeat(1))
    give(server, 'n2', heartbeat(1))
    expect(said).toEqual([])
    server.holdSyncs = false
    server.sync()
    expect(said).toHaveLength(2)
    expect(decodeMeta(server.disk.meta)).toMatchObject({ term: 1, promised: true })
    server.holdSyncs = true
    server.turn({ type: 'snapshotReceived', from: n2, id: 'x' as never, header: new Uint8Array() })
    give(server, 'n2', { type: 'append', term: t(1), previous: 0, previousTerm: t(0), commit: 0, entries: [] })
    give(server, 'n2', heartbeat(1))
    expect(said.at(-1)?.message).toMatchObject({ promise: true })
  })

  it('a server that starts again does not know what it promised: no vote and no campaign for an election time-out', () => {
    const { server } = lone()
    give(server, 'n2', heartbeat(1))
    const { server: again, said } = lone({ disk: server.disk, now: 5_000 })
    again.now += 10_000 // the wait begins with the first step, whatever the clock says
    give(again, 'n3', vote(2, true))
    give(again, 'n3', vote(2))
    give(again, 'n3', { ...vote(2), transfer: true } as Message)
    give(again, 'n2', { type: 'timeoutNow', term: t(1) })
    again.now += 299
    for (let i = 0; i < 100; i++) again.turn({ type: 'tick' })
    expect(replies(said)).toEqual([{ type: 'voteReply', term: 1, pre: true, granted: false }])
    expect(again.status).toMatchObject({ role: 'follower', epoch: 1n })
    again.now += 1
    again.turn({ type: 'peer', id: n2, state: 'down' })
    give(again, 'n3', vote(2))
    expect(said.at(-1)?.message).toMatchObject({ type: 'voteReply', term: 2, granted: true })
  })

  it('nor in a term that it has heard of without voting', () => {
    const { server } = lone()
    give(server, 'n2', heartbeat(1))
    give(server, 'n3', { type: 'heartbeatReply', term: t(5), round: 0 })
    const { server: again, said } = lone({ disk: server.disk })
    give(again, 'n3', { ...vote(5), transfer: true } as Message)
    expect(replies(said)).toEqual([{ type: 'voteReply', term: 5, pre: false, granted: false }])
  })
})

describe('a lease and a transfer', () => {
  it('the promise does not stand in the way of a transfer', () => {
    const servers = led()
    servers.at(1).turn(transfer(3))
    servers.settle()
    expect(servers.at(3).status.leading).toBe(true)
    servers.rounds(6)
    expect(servedAtOnce(servers.at(3))).toBe(true)
  })

  it('a leader that has sent TimeoutNow has no lease for the rest of its reign: the message may be late', () => {
    const servers = led()
    const leader = servers.at(1)
    const late: Flying[] = []
    servers.cut = (flying) => flying.message.type === 'timeoutNow' && late.push(flying) > 0
    leader.turn(transfer(3))
    expect(servedAtOnce(leader)).toBe(false)
    servers.rounds(200)
    expect(leader.status.leading).toBe(true)
    expect(servedAtOnce(leader)).toBe(false)
    servers.settle()
    expect(leader.settled.at(-1)?.outcome).toMatchObject({ type: 'readAt' }) // by a quorum round
    servers.isolate(1)
    for (const flying of late) servers.deliver(flying)
    servers.settle()
    servers.at(3).turn(propose(1))
    servers.settle()
    expect(servers.at(3).status).toMatchObject({ leading: true, decided: 3 })
    expect(leader.status.leading).toBe(true) // it does not know yet, and serves nothing
    expect(servedAtOnce(leader)).toBe(false)
  })

  it('a leader that only catches its target up still has it', () => {
    const servers = led()
    servers.isolate(3)
    servers.at(1).turn(propose(1), transfer(3))
    expect(servedAtOnce(servers.at(1))).toBe(true)
  })
})

describe('servers of the release before', () => {
  const mixed = (old: number[]): Servers => {
    const servers = new Servers(3, { leases: true })
    for (const n of old) servers.restart(n, { factory: raftVersion1 })
    servers.elect(1)
    servers.rounds(40)
    return servers
  }

  it('they promise nothing, so with a majority of them there is no lease, and with a minority there is', () => {
    expect(servedAtOnce(mixed([2, 3]).at(1))).toBe(false)
    expect(servedAtOnce(mixed([3]).at(1))).toBe(true)
  })

  it('they still hear the leader, and count for its quorum', () => {
    const servers = mixed([2, 3])
    servers.at(1).turn(read(1))
    servers.rounds(100)
    expect(outcome(servers.at(1), 1)).toMatchObject([{ type: 'readAt' }])
    expect(servers.at(1).status).toMatchObject({ leading: true, epoch: 1n })
    expect(servers.at(3).status).toMatchObject({ leader: n1, epoch: 1n })
    expect(servers.at(3).status.malformed).toBeGreaterThan(0)
  })

  it('a peer that has promised once is sent one heartbeat, not two; a plain one again when it stops answering', () => {
    const servers = led()
    const beats = (): number => {
      servers.flying = []
      servers.at(1).tick(5)
      return servers.flying.filter(({ to, message }) => to === n2 && message.type === 'heartbeat').length
    }
    expect(beats()).toBe(1)
    servers.settle()
    beats()
    beats()
    beats()
    expect(beats()).toBe(2)
  })
})
