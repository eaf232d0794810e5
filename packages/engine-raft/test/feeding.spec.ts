/** What a leader sends to a peer that is slow, gone, hung or far behind: enough to bring it back, and little more. */
import { type EngineLimits, type Input, nodeId } from '@conclave/interface'
import { captured, propose, snapshotId } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { type Server, Servers } from './servers.ts'

const n1 = nodeId('n1')
const n3 = nodeId('n3')
const small: EngineLimits = { messageBytes: 1 << 16, inflightBytes: 1 << 16, undecidedBytes: 1 << 20, tailBytes: 1_000 }
const sentSnapshots = (server: Server) => server.effects.flatMap((effects) => effects.sendSnapshot ?? [])
const captures = (server: Server) => server.effects.filter((effects) => effects.capture).length
const ended = (id: string, ok: boolean): Input => ({ type: 'snapshotSent', to: n3, id: snapshotId(id), ok })
const told = (servers: Servers, to = n3) => servers.flying.filter((m) => m.from === n1 && m.to === to)
const appendsTo = (servers: Servers, to = n3) => told(servers, to).filter(({ message }) => message.type === 'append')
const size = (flying: readonly { bytes: Uint8Array }[]) => flying.reduce((sum, { bytes }) => sum + bytes.length, 0)

/** n1 leads; n3 is connected, heard, and told nothing for a while. */
const behind = (entries: number, engineLimits = small, bytes = 100): Servers => {
  const servers = new Servers(3, { limits: engineLimits })
  const leader = servers.elect(1)
  servers.cut = ({ from, to, message }) =>
    (to === n3 && message.type === 'append') || (from === n3 && message.type === 'appendReply')
  for (let i = 1; i <= entries; i++) {
    leader.turn(propose(i, 'x'.repeat(bytes)))
    servers.settle()
  }
  return servers
}

/** Then the leader learned that n3 needs a snapshot, which it has to ask for. */
const lagging = (): Servers => {
  const servers = behind(30)
  servers.heal()
  rounds(servers, 12)
  return servers
}

/** Ticks; only the messages that `cut` lets through arrive. */
const rounds = (servers: Servers, n: number): void => {
  for (let i = 0; i < n; i++) {
    for (const server of servers.all.values()) server.tick()
    servers.settle()
  }
}

describe('snapshot transfers', () => {
  it('one transfer at a time: what was in flight before it starts no other', () => {
    const servers = behind(0, { ...small, inflightBytes: 500 })
    const leader = servers.at(1)
    for (let i = 1; i <= 30; i++) {
      leader.turn(propose(i, 'x'.repeat(100)))
      servers.settle()
      leader.turn(captured(i)) // there is always a snapshot at hand
    }
    expect(sentSnapshots(leader)).toHaveLength(1)
    rounds(servers, 100)
    expect(sentSnapshots(leader)).toHaveLength(1)
  })

  it('the late end of an earlier transfer does not end the one that runs', () => {
    const servers = lagging()
    const leader = servers.at(1)
    leader.turn(captured(31))
    rounds(servers, 25)
    leader.turn(ended('s7', false))
    expect(leader.status.detail['peer n3']).toMatch(/^snapshot/)
    leader.turn(ended('s31', true))
    expect(leader.status.detail['peer n3']).toMatch(/^probe/)
  })

  it('a peer that has the body but has not installed it yet is not sent another at once', () => {
    const servers = lagging()
    const leader = servers.at(1)
    leader.turn(captured(31))
    rounds(servers, 25)
    leader.turn(ended('s31', true))
    servers.settle() // the probe comes too early and is rejected
    expect(sentSnapshots(leader)).toHaveLength(1)
    servers.at(3).turn({
      type: 'snapshotReceived',
      from: n1,
      id: snapshotId('r'),
      header: sentSnapshots(leader)[0]?.header ?? new Uint8Array(),
    })
    servers.settle()
    rounds(servers, 40)
    expect(sentSnapshots(leader)).toHaveLength(1)
    expect(servers.at(3).status).toMatchObject({ snapshot: 31, decided: leader.status.decided })
  })
})

describe('a peer that does not answer', () => {
  it('a hung peer costs a few bytes now and then, not its window again and again', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    servers.isolate(3)
    for (let i = 1; i <= 4; i++) leader.turn(propose(i, 'x'.repeat(200_000)))
    servers.settle()
    const during: typeof servers.flying = []
    servers.cut = (m) => {
      if (m.to === n3) during.push(m)
      return m.to === n3 || m.from === n3
    }
    rounds(servers, 300)
    expect(during.some(({ message }) => message.type === 'append')).toBe(true) // it is asked now and then
    expect(size(during)).toBeLessThan(20_000)
  })

  it('a report of lost frames is answered by one probe; the next one waits for its time, however many reports follow', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    leader.turn(propose(1, 'x'.repeat(10_000)))
    servers.flying = []
    for (let i = 0; i < 50; i++) leader.turn({ type: 'peer', id: n3, state: 'lost' })
    expect(appendsTo(servers)).toHaveLength(1)
    servers.flying = []
    for (let tick = 0; tick < 20; tick++) leader.turn({ type: 'tick' }, { type: 'peer', id: n3, state: 'lost' })
    expect(appendsTo(servers).length).toBeGreaterThan(0) // reports do not put the probe off for ever, either
    expect(appendsTo(servers).length).toBeLessThan(4)
  })

  it('nothing is fed to a peer whose link is down, and everything when it is up again', () => {
    const servers = new Servers(3)
    const leader = servers.elect(1)
    leader.turn({ type: 'peer', id: n3, state: 'down' })
    for (let i = 1; i <= 20; i++) leader.turn(propose(i, 'x'.repeat(1_000)))
    expect(appendsTo(servers)).toEqual([])
    leader.turn({ type: 'peer', id: n3, state: 'up' })
    servers.settle()
    rounds(servers, 2)
    expect(servers.at(3).status.decided).toBe(21)
  })

  it('reports of lost frames ask for no further snapshots', () => {
    const servers = lagging()
    const leader = servers.at(1)
    expect(captures(leader)).toBe(1)
    for (let i = 0; i < 20; i++) leader.turn({ type: 'peer', id: n3, state: 'lost' })
    expect(captures(leader)).toBe(1)
  })

  it('a new leader whose peers connect anew still begins at its own end: no peer is sent back to the beginning, or to a snapshot', () => {
    for (const state of ['up', 'down', 'lost'] as const) {
      const servers = new Servers(3, { limits: small })
      const old = servers.elect(2)
      for (let i = 1; i <= 30; i++) {
        old.turn(propose(i, 'x'.repeat(100)))
        servers.settle()
      }
      rounds(servers, 5)
      servers.cut = ({ from, to, message }) =>
        (from === n3 || to === n3) && message.type !== 'vote' && message.type !== 'voteReply'
      const leader = servers.elect(1)
      leader.turn({ type: 'peer', id: n3, state })
      rounds(servers, 25)
      expect(captures(leader), state).toBe(0)
      servers.heal()
      rounds(servers, 15)
      expect(servers.at(3).status.decided, state).toBe(leader.status.decided)
    }
  })
})
