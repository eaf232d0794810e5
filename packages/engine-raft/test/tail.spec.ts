/** What stays in memory, for whom, and what does not. */
import { nodeId } from '@conclave/interface'
import { captured, propose, snapshotId } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { type Server, Servers } from './servers.ts'

const n1 = nodeId('n1')
const n3 = nodeId('n3')
const small = { messageBytes: 500, inflightBytes: 500, undecidedBytes: 1 << 20, tailBytes: 1_000 }
const sentSnapshots = (server: Server) => server.effects.flatMap((effects) => effects.sendSnapshot ?? [])

let proposals = 0
const load = (servers: Servers, n: number): void => {
  for (let i = 0; i < n; i++) {
    servers.at(1).turn(propose(++proposals, 'x'.repeat(100)))
    servers.settle()
  }
}
const rounds = (servers: Servers, n: number): void => {
  for (let i = 0; i < n; i++) {
    for (const server of servers.all.values()) server.tick()
    servers.settle()
  }
}

/** n3 was away for so long that it needs a snapshot, and the leader has asked for one. */
const lagging = (): Servers => {
  const servers = new Servers(3, { limits: small })
  servers.elect(1)
  servers.isolate(3)
  load(servers, 30)
  servers.heal()
  rounds(servers, 12)
  expect(servers.at(1).effects.filter((effects) => effects.capture)).toHaveLength(1)
  return servers
}

describe('the tail', () => {
  it('a capture that takes its time is not in vain: what follows it stays in memory meanwhile', () => {
    const servers = lagging()
    const leader = servers.at(1)
    const { decided } = leader.status
    load(servers, 20)
    leader.turn(captured(decided))
    rounds(servers, 25)
    expect(sentSnapshots(leader).map(({ id }) => id)).toEqual([`s${decided}`])
  })

  it('a peer that was sent a snapshot finds in memory what came after it, and needs no second one', () => {
    const servers = lagging()
    const leader = servers.at(1)
    const { decided } = leader.status
    leader.turn(captured(decided))
    rounds(servers, 25)
    load(servers, 30)
    const header = sentSnapshots(leader)[0]?.header ?? new Uint8Array()
    servers.at(3).turn({ type: 'snapshotReceived', from: n1, id: snapshotId('r'), header })
    leader.turn({ type: 'snapshotSent', to: n3, id: snapshotId(`s${decided}`), ok: true })
    load(servers, 30)
    rounds(servers, 30)
    expect(servers.at(3).status.decided).toBe(leader.status.decided)
    expect(sentSnapshots(leader)).toHaveLength(1)
    load(servers, 1) // nobody is behind any more: the bound holds again
    expect(leader.status.detail.tailBytes).toBeLessThan(1_200)
  })

  it('a peer that is gone holds nothing in memory', () => {
    const servers = lagging()
    servers.isolate(3)
    rounds(servers, 70)
    load(servers, 30)
    expect(servers.at(1).status.detail.tailBytes).toBeLessThan(1_200)
  })

  it('what is not decided yet does not push out what is, or every slower peer would need a snapshot under load', () => {
    const servers = new Servers(3, { limits: { ...small, tailBytes: 3_000 } })
    const leader = servers.elect(1)
    load(servers, 10)
    expect(leader.status.detail.tailFrom).toBe(1)
    for (let i = 0; i < 50; i++) leader.turn(propose(++proposals, 'x'.repeat(100)))
    expect(leader.status.detail.tailFrom).toBe(1)
  })
})
