/** Sentences of "In Search of an Understandable Consensus Algorithm (Extended Version)", sections 5.1 to 5.4 and 8, and what holds if they do. */
import { concatChunks, nodeId } from '@conclave/interface'
import { batches, captured, propose, read, snapshotId } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { entryKind, makeEntry, type Term } from '../src/entry.ts'
import { encodeMessage, encodeSnapshotHeader, type Message } from '../src/messages.ts'
import { lone, type Server, Servers } from './servers.ts'

const t = (n: number) => n as Term
const n1 = nodeId('n1')
const n2 = nodeId('n2')
const n3 = nodeId('n3')
const give = (server: Server, from: string, message: Message): void =>
  server.turn({ type: 'receive', from: nodeId(from), message: concatChunks(encodeMessage(message)) })
const entry = (term: number, payload = 'x') => makeEntry(t(term), entryKind.batch, new TextEncoder().encode(payload))
const append = (term: number, previous: number, previousTerm: number, terms: number[], commit = 0): Message => ({
  type: 'append',
  term: t(term),
  previous,
  previousTerm: t(previousTerm),
  commit,
  entries: terms.map((of) => entry(of)),
})
const vote = (term: number, last: number, lastTerm: number, pre = false): Message => ({
  type: 'vote',
  term: t(term),
  pre,
  last,
  lastTerm: t(lastTerm),
})

describe('5.1 terms', () => {
  it('a server with a smaller term updates it and becomes a follower', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    give(leader, 'n2', append(9, 0, 0, []))
    expect(leader.status).toMatchObject({ role: 'follower', epoch: 9n, leader: n2 })
  })

  it('a request with a stale term is rejected, and its sender learns the term', () => {
    const { server, reply } = lone()
    give(server, 'n2', append(5, 0, 0, []))
    give(server, 'n3', append(4, 0, 0, [4]))
    expect(reply()).toMatchObject({ type: 'appendReply', ok: false, term: 5 })
    expect(server.status.last).toBe(0)
    give(server, 'n3', vote(4, 9, 4))
    expect(reply()).toMatchObject({ type: 'voteReply', granted: false, term: 5 })
  })

  it('a pre-vote of a lower term is answered, or two servers could wait for each other for ever', () => {
    const { server, reply } = lone()
    give(server, 'n2', append(5, 0, 0, []))
    give(server, 'n3', vote(3, 9, 3, true))
    expect(reply()).toMatchObject({ type: 'voteReply', pre: true, granted: false, term: 5 })
  })

  it('the term is on disk before that term is spoken of, and survives a restart', () => {
    const servers = new Servers(3)
    servers.elect(1)
    expect(servers.restart(2).status.epoch).toBe(1n)
  })
})

describe('5.2 leader election', () => {
  it('servers start as followers and campaign when they hear of no leader for an election time-out, first by pre-vote', () => {
    const { server, said } = lone()
    server.tick(29)
    expect(said).toEqual([])
    server.tick(31)
    expect(said.map((m) => m.message)).toContainEqual({ type: 'vote', pre: true, term: 1, last: 0, lastTerm: 0 })
    expect(server.status).toMatchObject({ role: 'preCandidate', epoch: 0n })
  })

  it('a pre-vote changes neither term nor vote', () => {
    const { server, reply } = lone()
    give(server, 'n2', vote(7, 0, 0, true))
    expect(reply()).toMatchObject({ granted: true, term: 7, pre: true })
    expect(server.status.epoch).toBe(0n)
    expect(server.disk.meta).toBeUndefined()
  })

  it('a candidate increments its term, votes for itself on disk, and only then asks for votes', () => {
    const { server, said } = lone()
    server.holdSyncs = true
    server.tick(60)
    give(server, 'n2', { type: 'voteReply', term: t(1), pre: true, granted: true })
    expect(server.status).toMatchObject({ role: 'candidate', epoch: 1n })
    expect(said.filter((m) => m.message.type === 'vote' && !m.message.pre)).toEqual([])
    server.sync()
    expect(said.filter((m) => m.message.type === 'vote' && !m.message.pre)).toHaveLength(2)
  })

  it('a majority of votes elects; the winner announces itself at once', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    expect(leader.status).toMatchObject({ role: 'leader', leader: n1, epoch: 1n })
    for (const n of [2, 3]) expect(servers.at(n).status).toMatchObject({ role: 'follower', leader: n1 })
  })

  it('each server votes for at most one candidate in a term, first come first served', () => {
    const { server, reply } = lone()
    give(server, 'n2', vote(1, 0, 0))
    expect(reply()).toMatchObject({ granted: true })
    give(server, 'n3', vote(1, 0, 0))
    expect(reply()).toMatchObject({ granted: false })
    give(server, 'n2', vote(1, 0, 0))
    expect(reply()).toMatchObject({ granted: true })
  })

  it('a vote is remembered across a restart', () => {
    const servers = new Servers(3)
    give(servers.at(1), 'n2', vote(1, 0, 0))
    servers.flying = []
    give(servers.restart(1), 'n3', vote(1, 9, 1))
    expect(servers.flying.at(-1)?.message).toMatchObject({ granted: false })
  })

  it('a vote leaves only when it is on disk', () => {
    const { server, said } = lone()
    server.holdSyncs = true
    give(server, 'n2', vote(1, 0, 0))
    expect(said).toEqual([])
    server.sync()
    expect(said.map((m) => m.message)).toEqual([{ type: 'voteReply', term: 1, pre: false, granted: true }])
  })

  it('a lone server of a cluster of one counts its own vote only when it is on disk', () => {
    const { server } = lone({ count: 1 })
    server.holdSyncs = true
    server.tick(60)
    expect(server.status.role).toBe('candidate')
    server.holdSyncs = false
    server.sync()
    expect(server.status.role).toBe('leader')
  })

  it('a candidate that hears the leader of its term returns to follower', () => {
    const { server } = lone()
    server.tick(60)
    give(server, 'n2', { type: 'voteReply', term: t(1), pre: true, granted: true })
    give(server, 'n3', append(1, 0, 0, []))
    expect(server.status).toMatchObject({ role: 'follower', leader: n3 })
  })

  it('time-outs are random within [T, 2T), so split votes are rare', () => {
    const first = new Set<number>()
    for (let seed = 1; seed <= 50; seed++) {
      const { server, said } = lone({ seed })
      let ticks = 0
      while (said.length === 0) {
        server.tick()
        ticks++
      }
      first.add(ticks)
    }
    expect(Math.min(...first)).toBeGreaterThanOrEqual(30)
    expect(Math.max(...first)).toBeLessThanOrEqual(60)
    expect(first.size).toBeGreaterThan(10)
  })

  it('a leader that hears no quorum for an election time-out steps down, and its proposals are of unknown outcome', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    servers.isolate(1)
    leader.turn(propose(7), read(8))
    for (let i = 0; i < 70; i++) {
      leader.tick()
      servers.settle()
    }
    expect(leader.status.leading).toBe(false)
    expect(leader.settled).toContainEqual({ id: 7, outcome: { type: 'unknown' } })
    expect(leader.settled).toContainEqual({ id: 8, outcome: { type: 'refused', reason: 'not-leader' } })
  })
})

describe('6 disruptive servers', () => {
  it('votes are refused, and terms not raised, within the minimum election time-out of hearing a leader', () => {
    const servers = new Servers(3)
    servers.elect(1)
    give(servers.at(2), 'n3', vote(9, 99, 9))
    expect(servers.at(2).status).toMatchObject({ epoch: 1n, leader: n1 })
  })

  it('a reset of the leader link waives it: followers pre-vote within eight ticks', () => {
    const servers = new Servers(3)
    servers.elect(1)
    servers.isolate(1)
    for (const n of [2, 3]) servers.at(n).turn({ type: 'peer', id: n1, state: 'down' })
    for (let i = 0; i < 40 && !servers.at(2).status.leading && !servers.at(3).status.leading; i++) {
      for (const n of [2, 3]) servers.at(n).tick()
      servers.settle()
    }
    expect([2, 3].filter((n) => servers.at(n).status.leading)).toHaveLength(1)
  })

  it('a server that was cut off returns without a higher term', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    servers.isolate(3)
    for (let i = 0; i < 300; i++) {
      for (const n of [1, 2, 3]) servers.at(n).tick()
      servers.settle()
    }
    servers.heal()
    for (let i = 0; i < 20; i++) {
      for (const n of [1, 2, 3]) servers.at(n).tick()
      servers.settle()
    }
    expect(leader.status).toMatchObject({ leading: true, epoch: 1n })
    expect(servers.at(3).status).toMatchObject({ leader: n1, epoch: 1n })
  })
})

describe('5.3 log replication', () => {
  it('an entry is committed once a majority has it on disk; the leader then applies it, and the followers learn it', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    leader.turn(propose(1))
    servers.settle()
    expect(leader.settled).toEqual([{ id: 1, outcome: { type: 'decided', position: 2 } }])
    leader.tick()
    servers.settle()
    for (const n of [1, 2, 3]) expect(batches(servers.at(n))).toEqual(['batch 1'])
  })

  it('the leader sends before its own write is durable, but counts itself only after', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    servers.isolate(3)
    leader.holdSyncs = true
    leader.turn(propose(1))
    servers.settle()
    expect(servers.at(2).status.last).toBe(2)
    expect(leader.settled).toEqual([])
    leader.holdSyncs = false
    leader.sync()
    expect(leader.settled).toHaveLength(1)
  })

  it('two followers commit an entry while the disk of the leader is stuck', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    leader.holdSyncs = true
    leader.turn(propose(1))
    servers.settle()
    expect(leader.settled).toHaveLength(1)
  })

  it('a follower refuses entries that do not follow what it has', () => {
    const { server, reply } = lone()
    give(server, 'n2', append(3, 5, 2, [3]))
    expect(reply()).toMatchObject({ ok: false, previous: 5, conflict: 1 })
    expect(server.status.last).toBe(0)
  })

  it('a conflicting entry and all that follow it are deleted', () => {
    const { server, reply } = lone()
    give(server, 'n2', append(2, 0, 0, [1, 2, 2]))
    give(server, 'n3', append(3, 1, 1, [3]))
    expect(reply()).toMatchObject({ ok: true, match: 2 })
    expect(server.status.last).toBe(2)
    expect([...server.disk.slots.keys()]).toEqual([1, 2])
  })

  it('a stale append never truncates', () => {
    const { server, reply } = lone()
    give(server, 'n2', append(2, 0, 0, [1, 2, 2]))
    give(server, 'n2', append(2, 0, 0, [1]))
    expect(server.status.last).toBe(3)
    expect(reply()).toMatchObject({ ok: true, match: 1 })
  })

  it('the ack of a duplicate append waits for the write of the first', () => {
    const { server, said } = lone()
    give(server, 'n2', append(1, 0, 0, []))
    said.length = 0
    server.holdSyncs = true
    give(server, 'n2', append(1, 0, 0, [1]))
    give(server, 'n2', append(1, 0, 0, [1]))
    expect(said).toEqual([])
    server.sync()
    expect(said).toHaveLength(2)
  })

  it('the leader backs off by whole terms, so that a long conflict costs few messages', () => {
    const servers = new Servers(3)
    const long = [...Array(50).fill(1), ...Array(50).fill(2)] as number[]
    give(servers.at(3), 'n2', append(2, 0, 0, long))
    for (const n of [1, 2])
      give(servers.at(n), 'n9', append(3, 0, 0, [...long.slice(0, 20), ...Array(10).fill(3)] as number[]))
    servers.flying = []
    const leader = servers.elect(1)
    let appends = 0
    servers.cut = ({ to, message }) => {
      if (to === 'n3' && message.type === 'append') appends++
      return false
    }
    leader.turn(propose(1))
    servers.settle()
    expect(servers.at(3).status.last).toBe(leader.status.last)
    expect(appends).toBeLessThan(6)
  })

  it('a follower commits no further than what the append showed to match', () => {
    const { server } = lone()
    give(server, 'n2', append(1, 0, 0, [1, 1, 1]))
    give(server, 'n3', append(2, 1, 1, [], 3))
    expect(server.status.decided).toBe(1)
  })

  it('a lost append is repaired without a report', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    servers.cut = ({ message }) => message.type === 'append'
    leader.turn(propose(1))
    servers.settle()
    servers.heal()
    for (let i = 0; i < 20; i++) {
      leader.tick()
      servers.settle()
    }
    expect(leader.settled).toHaveLength(1)
  })

  it('bytes in flight to one peer are bounded', () => {
    const servers = new Servers(3, {
      limits: { messageBytes: 1000, inflightBytes: 2000, undecidedBytes: 1 << 20, tailBytes: 1 << 20 },
    })
    const leader = servers.elect(1)
    servers.flying = []
    for (let i = 1; i <= 50; i++) leader.turn(propose(i, 'x'.repeat(500)))
    const sent = servers.flying.filter((m) => m.to === 'n2').reduce((sum, m) => sum + m.bytes.length, 0)
    expect(sent).toBeLessThan(4000)
    servers.settle()
    expect(leader.settled).toHaveLength(50)
  })

  it('proposals beyond the bound of undecided bytes are refused as overloaded, and one that fits no message as invalid', () => {
    const servers = new Servers(3, {
      limits: { messageBytes: 2000, inflightBytes: 4000, undecidedBytes: 1000, tailBytes: 1 << 20 },
    })
    const leader = servers.elect(1)
    leader.turn(propose(1, 'x'.repeat(900)), propose(2, 'x'.repeat(900)), propose(3, 'x'.repeat(3000)))
    expect(leader.settled).toEqual([
      { id: 2, outcome: { type: 'refused', reason: 'overloaded' } },
      { id: 3, outcome: { type: 'refused', reason: 'invalid' } },
    ])
  })
})

describe('5.4 safety', () => {
  it('5.4.1: a voter refuses a candidate whose log is less up to date', () => {
    for (const [last, lastTerm, granted] of [
      [9, 1, false],
      [1, 2, false],
      [2, 2, true],
      [1, 3, true],
    ] as const) {
      const { server, reply } = lone()
      give(server, 'n2', append(2, 0, 0, [1, 2]))
      server.tick(30)
      give(server, 'n3', vote(4, last, lastTerm))
      expect(reply()).toMatchObject({ type: 'voteReply', granted })
    }
  })

  it('5.4.2, figure 8: an entry of an earlier term is not committed by counting', () => {
    const servers = new Servers(3)
    give(servers.at(1), 'n3', append(1, 0, 0, [1]))
    servers.flying = []
    servers.cut = ({ message }) => message.type === 'append' && message.entries.some((e) => e.term === 2)
    const leader = servers.elect(1)
    expect(leader.status.epoch).toBe(2n)
    give(leader, 'n2', { type: 'appendReply', term: t(2), ok: true, match: 1 })
    expect(leader.status.decided).toBe(0)
    give(leader, 'n2', { type: 'appendReply', term: t(2), ok: true, match: 2 })
    expect(leader.status.decided).toBe(2)
  })

  it('an entry that was replaced while its write was in flight is not counted as durable', () => {
    const { server } = lone()
    give(server, 'n2', append(1, 0, 0, [1]))
    server.holdSyncs = true
    give(server, 'n2', append(1, 1, 1, [1, 1]))
    give(server, 'n3', append(2, 1, 1, [2, 2, 2]))
    const writes = server.effects.flatMap((e) => (e.write === undefined ? [] : [e.write.id]))
    server.turn({ type: 'persisted', write: writes.at(-2) as never })
    expect(server.status.detail.durable).toBe(1)
    server.turn({ type: 'persisted', write: writes.at(-1) as never })
    expect(server.status.detail.durable).toBe(4)
  })

  it('a new leader first decides the entry that opens its reign', () => {
    const servers = new Servers(3)
    const leader = servers.elect(2)
    expect(leader.decided).toEqual([{ type: 'reign', position: 1, epoch: 1n, leader: n2 }])
  })
})

describe('7 snapshots', () => {
  /** A leader whose tail is gone from memory, and a peer that lacks all of it. */
  const lagging = (): Servers => {
    const servers = new Servers(3, {
      limits: { messageBytes: 1 << 16, inflightBytes: 1 << 16, undecidedBytes: 1 << 20, tailBytes: 200 },
    })
    const leader = servers.elect(1)
    servers.isolate(3)
    for (let i = 1; i <= 20; i++) {
      leader.turn(propose(i, 'x'.repeat(100)))
      servers.settle()
    }
    servers.heal()
    return servers
  }

  const rounds = (servers: Servers, n: number): void => {
    for (let i = 0; i < n; i++) {
      for (const server of servers.all.values()) server.tick()
      servers.settle()
    }
  }

  it('naming a snapshot and forgetting what it stands for is one write', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    leader.turn(propose(1), propose(2))
    servers.settle()
    leader.turn(captured(2))
    expect(leader.effects.findLast((e) => e.write !== undefined)?.write?.ops.map((op) => op.type)).toEqual([
      'snapshot',
      'compactTo',
    ])
    expect([...leader.disk.slots.keys()]).toEqual([3])
    expect(servers.restart(1).status).toMatchObject({ decided: 2, last: 3, snapshot: 2 })
  })

  it('a peer that lags behind the tail gets a snapshot, a newer one being asked for if there is none', () => {
    const servers = lagging()
    const leader = servers.at(1)
    rounds(servers, 30)
    expect(leader.effects.some((e) => e.capture)).toBe(true)
    leader.turn(captured(21))
    rounds(servers, 30)
    const offer = leader.effects.flatMap((e) => e.sendSnapshot ?? [])[0]
    expect(offer).toMatchObject({ to: n3, id: 's21' })
    const follower = servers.at(3)
    const header = offer?.header ?? new Uint8Array()
    follower.turn({ type: 'snapshotOffered', from: n1, header })
    expect(follower.effects.at(-1)?.answerSnapshot).toEqual([{ from: n1, accept: true }])
    follower.turn({ type: 'snapshotReceived', from: n1, id: snapshotId('r1'), header })
    leader.turn({ type: 'snapshotSent', to: n3, id: snapshotId('s21'), ok: true }, propose(99))
    servers.settle()
    rounds(servers, 5)
    expect(follower.status).toMatchObject({ snapshot: 21, decided: 22 })
    expect(servers.restart(3).status).toMatchObject({ snapshot: 21, decided: 21, last: 22 })
  })

  it('a failed transfer is tried again after a while', () => {
    const servers = lagging()
    const leader = servers.at(1)
    leader.turn(captured(21))
    rounds(servers, 30)
    leader.turn({ type: 'snapshotSent', to: n3, id: snapshotId('s21'), ok: false })
    rounds(servers, 40)
    expect(leader.effects.flatMap((e) => e.sendSnapshot ?? []).length).toBeGreaterThan(1)
  })

  it('a snapshot of what is committed is declined, and the leader told where to go on', () => {
    const servers = lagging()
    servers.at(1).turn(captured(21))
    rounds(servers, 30)
    const header = servers.at(1).effects.flatMap((e) => e.sendSnapshot ?? [])[0]?.header ?? new Uint8Array()
    const other = servers.at(2)
    other.turn({ type: 'snapshotOffered', from: n1, header })
    expect(other.effects.at(-1)?.answerSnapshot).toEqual([{ from: n1, accept: false }])
    servers.flying = []
    other.turn({ type: 'snapshotReceived', from: n1, id: snapshotId('late'), header })
    expect(other.effects.at(-1)?.restore).toBeUndefined()
    expect(servers.flying.at(-1)?.message).toMatchObject({ type: 'appendReply', ok: true, match: 21 })
  })

  /** n1 has three entries of term 1 that nobody else has, on disk; then it gets a snapshot at position 2. */
  const installs = (lastTerm: number) => {
    const { server } = lone()
    give(server, 'n2', append(1, 0, 0, [1, 1, 1]))
    const { membership } = server.status
    const header = encodeSnapshotHeader({ term: t(3), position: 2, lastTerm: t(lastTerm), membership })
    server.turn({ type: 'snapshotOffered', from: n2, header })
    server.turn({ type: 'snapshotReceived', from: n2, id: snapshotId('r'), header })
    return server
  }

  it('figure 13: a log that conflicts at the last entry of the snapshot is discarded whole, on disk too', () => {
    const server = installs(2)
    expect(server.effects.some((e) => e.restore !== undefined)).toBe(true)
    expect(server.status).toMatchObject({ decided: 2, last: 2, detail: { durable: 2 } })
    expect(lone({ disk: server.disk }).server.status).toMatchObject({ decided: 2, last: 2 })
  })

  it('figure 13: a log that has the last entry of the snapshot is kept with all that follows, and nothing is restored', () => {
    const server = installs(1)
    expect(server.effects.some((e) => e.restore !== undefined)).toBe(false)
    expect(server.status).toMatchObject({ decided: 2, last: 3, snapshot: 0 })
  })

  it('a header that does not parse is declined and counted', () => {
    const { server } = lone()
    server.turn({ type: 'snapshotOffered', from: n2, header: new Uint8Array([9, 9]) })
    expect(server.effects.at(-1)?.answerSnapshot).toEqual([{ from: n2, accept: false }])
    server.turn({ type: 'snapshotReceived', from: n2, id: snapshotId('r'), header: new Uint8Array() })
    expect(server.status.malformed).toBe(2)
  })
})

describe('8 reads', () => {
  it('a read waits until an entry of the present term is committed', () => {
    const servers = new Servers(3)
    servers.cut = ({ message }) => message.type === 'append'
    const leader = servers.elect(1)
    leader.turn(read(1))
    servers.settle()
    expect(leader.settled).toEqual([])
    servers.heal()
    rounds()
    expect(leader.settled).toEqual([{ id: 1, outcome: { type: 'readAt', position: 1 } }])
    function rounds(): void {
      for (let i = 0; i < 20; i++) {
        leader.tick()
        servers.settle()
      }
    }
  })

  it('a read needs a quorum round that begins after it arrived; an old reply does not count', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    leader.turn(read(1))
    servers.settle()
    servers.flying = []
    leader.turn(read(2))
    give(leader, 'n2', { type: 'heartbeatReply', term: t(1), round: 1 })
    expect(leader.settled.map((s) => s.id)).toEqual([1])
    give(leader, 'n2', { type: 'heartbeatReply', term: t(1), round: 2 })
    expect(leader.settled.map((s) => s.id)).toEqual([1, 2])
  })

  it('a deposed leader serves no read', () => {
    const servers = new Servers(3)
    const old = servers.elect(1)
    servers.isolate(1)
    servers.elect(2).turn(propose(1))
    servers.settle()
    old.turn(read(5))
    servers.settle()
    expect(old.settled).toEqual([])
    servers.heal()
    old.tick(5)
    servers.settle()
    expect(old.settled).toEqual([{ id: 5, outcome: { type: 'refused', reason: 'not-leader' } }])
  })

  it('one round serves all reads that wait, and a cancelled read settles no more', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    servers.flying = []
    leader.turn(read(1), read(2), read(3), { type: 'cancel', id: 2 as never })
    expect(servers.flying.filter((m) => m.message.type === 'heartbeat')).toHaveLength(2)
    servers.settle()
    expect(leader.settled.map((s) => s.id)).toEqual([1, 3])
  })

  it('a follower refuses proposals and reads', () => {
    const { server } = lone()
    server.turn(propose(1), read(2))
    expect(server.settled.map((s) => s.outcome)).toEqual([
      { type: 'refused', reason: 'not-leader' },
      { type: 'refused', reason: 'not-leader' },
    ])
  })
})

describe('bad input', () => {
  it('a message that does not parse is dropped and counted, whatever it is', () => {
    const { server } = lone()
    const good = concatChunks(encodeMessage(append(1, 0, 0, [1, 1])))
    for (let length = 0; length < good.length; length++)
      server.turn({ type: 'receive', from: n2, message: good.slice(0, length) })
    expect(server.status).toMatchObject({ malformed: good.length, last: 0 })
  })
})
