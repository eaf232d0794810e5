/** Honest messages at the wrong time, messages that parse but lie, and disks that do not answer: none stops a server, few disturb one. */
import { concatChunks, nodeId } from '@conclave/interface'
import { propose, snapshotId } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { entryKind, makeEntry, type Term } from '../src/entry.ts'
import { encodeMessage, encodeSnapshotHeader, type Message } from '../src/messages.ts'
import { type Flying, lone, type Server, Servers } from './servers.ts'

const t = (n: number) => n as Term
const n2 = nodeId('n2')
const give = (server: Server, from: string, message: Message): void =>
  server.turn({ type: 'receive', from: nodeId(from), message: concatChunks(encodeMessage(message)) })
const heartbeat = (term: number): Message => ({ type: 'heartbeat', term: t(term), commit: 0, round: 0 })
const preVotes = (said: readonly Flying[]) => said.filter(({ message }) => message.type === 'vote' && message.pre)

describe('entries that parse on the outside only', () => {
  for (const kind of [entryKind.reign, entryKind.members] as const)
    it(`an entry of kind ${kind} whose payload is no such thing is dropped with its message, not thrown`, () => {
      const { server } = lone()
      const entries = [makeEntry(t(1), kind, new Uint8Array([255, 255, 255, 255]))]
      give(server, 'n2', { type: 'append', term: t(1), previous: 0, previousTerm: t(0), commit: 1, entries })
      expect(server.status).toMatchObject({ last: 0, malformed: 1 })
    })

  it('a snapshot whose last entry is of a later term than its sender is declined: the journal could not be opened with it', () => {
    const { server } = lone()
    const { membership } = server.status
    const header = encodeSnapshotHeader({ term: t(3), position: 9, lastTerm: t(3), membership }).slice()
    header[17] = 7 // lastTerm
    server.turn({ type: 'snapshotOffered', from: n2, header })
    expect(server.effects.at(-1)?.answerSnapshot).toEqual([{ from: n2, accept: false }])
  })

  it('a body that arrives with a later term raises the term before it is installed', () => {
    const { server } = lone()
    const header = encodeSnapshotHeader({
      term: t(3),
      position: 9,
      lastTerm: t(3),
      membership: server.status.membership,
    })
    server.turn({ type: 'snapshotReceived', from: n2, id: snapshotId('r'), header })
    expect(server.status).toMatchObject({ epoch: 3n, decided: 9, leader: n2 })
    expect(lone({ disk: server.disk }).server.status).toMatchObject({
      epoch: 3n,
      decided: 9,
    })
  })
})

describe('disks that do not answer', () => {
  it('a candidate whose vote does not reach its disk raises its term no further', () => {
    const { server } = lone()
    server.holdSyncs = true
    for (let i = 0; i < 20; i++) {
      server.tick(70)
      give(server, 'n2', { type: 'voteReply', term: t(Number(server.status.epoch) + 1), pre: true, granted: true })
    }
    expect(server.status.epoch).toBe(1n)
  })

  it('and goes on when it does', () => {
    const { server } = lone()
    server.holdSyncs = true
    server.tick(70)
    give(server, 'n2', { type: 'voteReply', term: t(1), pre: true, granted: true })
    server.tick(500)
    server.sync()
    give(server, 'n3', { type: 'voteReply', term: t(1), pre: false, granted: true })
    expect(server.status).toMatchObject({ role: 'leader', epoch: 1n })
  })

  it('a server without room on its disk does not campaign, until there is room again', () => {
    const { server, said } = lone()
    server.turn({ type: 'disk', state: 'full' })
    server.tick(300)
    expect(said).toEqual([])
    server.turn({ type: 'disk', state: 'ok' })
    server.tick(61)
    expect(preVotes(said).length).toBeGreaterThan(0)
  })
})

describe('late and doubled messages', () => {
  it('a vote request that comes again after its sender has won is answered, and the leader stays known', () => {
    const { server, said } = lone()
    const request: Message = { type: 'vote', term: t(1), pre: false, last: 0, lastTerm: t(0) }
    give(server, 'n2', request)
    give(server, 'n2', heartbeat(1))
    give(server, 'n2', request)
    expect(said.at(-1)?.message).toMatchObject({ type: 'voteReply', granted: true })
    expect(server.status.leader).toBe(n2)
  })

  it('a late refusal of an earlier pre-vote does not outweigh the grant of this one', () => {
    const { server } = lone()
    server.tick(130)
    expect(server.status.role).toBe('preCandidate')
    give(server, 'n2', { type: 'voteReply', term: t(0), pre: true, granted: false })
    give(server, 'n2', { type: 'voteReply', term: t(1), pre: true, granted: true })
    expect(server.status.role).toBe('candidate')
  })

  it('a leader of an earlier reign of the same server is answered nothing that counts in this one', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    leader.turn(propose(1))
    const old = servers.flying.splice(0)
    servers.isolate(1)
    leader.tick(70)
    const between = servers.elect(2)
    servers.heal()
    between.tick(20)
    servers.settle()
    servers.isolate(2)
    servers.elect(1)
    leader.turn(propose(2)) // at 4, which nobody else has
    servers.flying = []
    const { epoch, decided, last } = leader.status
    expect({ decided, last }).toEqual({ decided: 3, last: 4 })
    for (const flying of old) servers.deliver(flying)
    give(leader, 'n3', { type: 'appendReply', term: t(1), ok: true, match: 4 })
    give(leader, 'n3', { type: 'heartbeatReply', term: t(1), round: 9 })
    expect(leader.status).toMatchObject({ leading: true, epoch, decided, last })
  })
})
