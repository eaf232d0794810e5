/** Changes of the membership: section 6 of the paper (joint consensus), chapter 4 of the dissertation. */
import { type MembershipChange, nodeId } from '@conclave/interface'
import { describe, expect, it } from 'vitest'
import { add, members, peer, propose, read, reconfigure, remove, type Server, Servers, transfer } from './servers.ts'

const n1 = nodeId('n1')
const n2 = nodeId('n2')
const n3 = nodeId('n3')
const n4 = nodeId('n4')

const led = (count = 3): Servers => {
  const servers = new Servers(count)
  servers.elect(1)
  servers.settle()
  return servers
}
const leads = (servers: Servers): Server[] => [...servers.all.values()].filter(({ status }) => status.leading)
const only = (servers: Servers): Server => {
  const [leader, other] = leads(servers)
  if (leader === undefined || other !== undefined) throw new Error(`${leads(servers).length} servers lead`)
  return leader
}
const outcome = (server: Server, id: number) =>
  server.settled.filter((settle) => settle.id === id).map((s) => s.outcome)
const refused = (reason: string) => [{ type: 'refused', reason }]
const links = (server: Server) =>
  server.effects.findLast((effects) => effects.peers !== undefined)?.peers?.map(({ id }) => id)

describe('who may change, and when', () => {
  it('only a leader takes a change', () => {
    const servers = led()
    servers.at(2).turn(remove(1, 3))
    expect(outcome(servers.at(2), 1)).toEqual(refused('not-leader'))
  })

  it('no change before an entry of the term is committed: an earlier leader may have left one behind', () => {
    const servers = new Servers(3)
    servers.cut = ({ message }) => message.type === 'append'
    const leader = servers.elect(1)
    leader.turn(remove(1, 3))
    expect(outcome(leader, 1)).toEqual(refused('not-ready'))
    servers.heal()
    servers.rounds(15)
    leader.turn(remove(2, 3))
    servers.settle()
    expect(outcome(leader, 2)).toMatchObject([{ type: 'decided' }])
  })

  it('one change at a time: the next is taken when the last configuration is committed and not joint', () => {
    const servers = led()
    const leader = servers.at(1)
    leader.turn(remove(1, 3))
    leader.turn(add(2, 4, 'learner'))
    expect(outcome(leader, 2)).toEqual(refused('in-progress'))
    servers.settle()
    leader.turn(add(3, 4, 'learner'))
    servers.settle()
    expect(outcome(leader, 3)).toMatchObject([{ type: 'decided' }])
  })

  it('no change while leadership is on its way, or while the disk has no room', () => {
    const servers = led()
    const leader = servers.at(1)
    servers.isolate(2)
    leader.turn(propose(9), transfer(2), remove(1, 3))
    expect(outcome(leader, 1)).toEqual(refused('in-progress'))
    servers.heal()
    const full = led()
    full.isolate(1)
    full.at(1).turn({ type: 'disk', state: 'full' })
    full.at(1).tick(31) // nobody answers: what was begun is given up
    const alone = led(1)
    alone.at(1).turn({ type: 'disk', state: 'full' }, add(2, 4, 'learner'))
    expect(outcome(alone.at(1), 2)).toEqual(refused('disk-full'))
  })

  const invalid: [string, MembershipChange][] = [
    ['a member again', { type: 'add', member: { ...peer(3), name: 'x' }, role: 'learner' }],
    ['a name that is taken', { type: 'add', member: { ...peer(9), name: 'n2' }, role: 'learner' }],
    ['a name that is none', { type: 'add', member: { ...peer(9), name: 'a b' }, role: 'learner' }],
    ['too many addresses', { type: 'add', member: { ...peer(9), addresses: Array(33).fill('/x') }, role: 'voter' }],
    ['an address too long', { type: 'add', member: { ...peer(9), addresses: ['x'.repeat(2000)] }, role: 'voter' }],
    ['the removal of a stranger', { type: 'remove', id: nodeId('n9') }],
    ['the promotion of a stranger', { type: 'promote', id: nodeId('n9') }],
    ['the promotion of a voter', { type: 'promote', id: n2 }],
    ['news of a stranger', { type: 'update', member: peer(9) }],
    ['a name that another has', { type: 'update', member: { ...peer(3), name: 'n2' } }],
  ]
  it.each(invalid)('%s is invalid', (_what, change) => {
    const servers = led()
    servers.at(1).turn(reconfigure(1, change))
    expect(outcome(servers.at(1), 1)).toEqual(refused('invalid'))
    expect(members(servers.at(1))).toBe('n1 n2 n3')
  })

  it('the last voter cannot be removed', () => {
    const servers = led(1)
    servers.at(1).turn(remove(1, 1))
    expect(outcome(servers.at(1), 1)).toEqual(refused('invalid'))
  })

  it('whoever was a member never is again, under no name', () => {
    const servers = led()
    const leader = servers.at(1)
    leader.turn(remove(1, 3))
    servers.settle()
    expect(leader.status.membership.removed).toEqual([n3])
    leader.turn(reconfigure(2, { type: 'add', member: { ...peer(3), name: 'other' }, role: 'learner' }))
    expect(outcome(leader, 2)).toEqual(refused('invalid'))
  })
})

describe('6 joint consensus', () => {
  it('a voter is removed by a joint configuration and a final one; the change is decided at the final one', () => {
    const servers = led()
    const leader = servers.at(1)
    leader.turn(remove(1, 3))
    expect(members(leader)).toBe('n1 n2 (n3) | n1 n2 n3')
    servers.settle()
    expect(members(leader)).toBe('n1 n2')
    expect(outcome(leader, 1)).toEqual([{ type: 'decided', position: 3 }])
    const told = leader.decided.flatMap((d) => (d.type === 'members' ? [d.membership] : []))
    expect(told).toHaveLength(2)
    expect(told[1]).toEqual({ members: [peer(1), peer(2)], removed: [n3] })
  })

  it('while it is joint, nothing is decided without a majority of the old voters', () => {
    const servers = led(4)
    const leader = servers.at(1)
    servers.isolate(3, 4)
    leader.turn(remove(1, 4), propose(2)) // n1, n2: a majority of the new three, half of the old four
    servers.settle()
    expect(outcome(leader, 1)).toEqual([])
    expect(outcome(leader, 2)).toEqual([])
    servers.isolate(4)
    servers.rounds(20)
    expect(outcome(leader, 1)).toMatchObject([{ type: 'decided' }])
    expect(outcome(leader, 2)).toMatchObject([{ type: 'decided' }])
  })

  it('nor without a majority of the new ones', () => {
    const servers = led()
    servers.join(4)
    const leader = servers.at(1)
    leader.turn(add(1, 4, 'voter'))
    servers.settle()
    servers.cut = ({ message }) => message.type === 'appendReply'
    servers.rounds(4)
    servers.isolate(3, 4)
    expect(members(leader)).toBe('n1 n2 n3 n4 | n1 n2 n3')
    leader.turn(propose(2))
    servers.rounds(10)
    expect(outcome(leader, 2)).toEqual([]) // n1, n2: a majority of the old three, half of the new four
  })

  it('reads and check-quorum need both majorities as well', () => {
    const servers = led(4)
    const leader = servers.at(1)
    servers.isolate(3, 4)
    leader.turn(remove(1, 4))
    leader.turn(read(2))
    servers.settle()
    expect(outcome(leader, 2)).toEqual([])
    servers.rounds(61)
    expect(leader.status.leading).toBe(false)
    expect(outcome(leader, 1)).toEqual([{ type: 'unknown' }])
  })

  it('a new leader finishes what an earlier one began, once its own reign is committed', () => {
    const servers = led(4)
    const old = servers.at(1)
    servers.cut = ({ message }) => message.type === 'appendReply' && message.ok && message.match > 1
    old.turn(remove(1, 4))
    servers.settle()
    servers.isolate(1)
    const leader = servers.at(2)
    servers.cut = ({ from, to, message }) => from === n1 || to === n1 || message.type === 'appendReply'
    servers.elect(2)
    servers.rounds(3)
    expect(members(leader)).toBe('n1 n2 n3 (n4) | n1 n2 n3 n4')
    servers.isolate(1)
    servers.rounds(20)
    expect(members(leader)).toBe('n1 n2 n3')
    servers.heal()
    servers.rounds(20)
    expect(members(old)).toBe('n1 n2 n3')
    expect(outcome(old, 1)).toEqual([{ type: 'unknown' }])
  })

  it('an uncommitted configuration is taken back with the entry that holds it', () => {
    const servers = led()
    const old = servers.at(1)
    servers.isolate(1)
    old.turn(add(1, 4, 'learner'))
    expect(members(old)).toBe('n1 n2 n3 (n4)')
    expect(links(old)).toEqual([n2, n3, n4])
    servers.elect(2)
    servers.heal()
    servers.rounds(10)
    expect(members(old)).toBe('n1 n2 n3')
    expect(links(old)).toEqual([n2, n3])
    expect(outcome(old, 1)).toEqual([{ type: 'unknown' }])
    const leader = only(servers)
    leader.turn(add(2, 4, 'learner'))
    servers.settle()
    expect(members(old)).toBe('n1 n2 n3 (n4)')
  })

  it('a snapshot in the middle of a joint configuration carries it, and who starts from it finishes it', () => {
    const servers = led(2)
    const leader = servers.at(1)
    leader.turn(remove(1, 2))
    servers.settle()
    servers.isolate(2)
    leader.turn({ type: 'captured', snapshot: { id: 's2' as never, position: 2 as never } })
    expect(leader.status.snapshot).toBe(2)
    leader.disk.slots.clear() // the entry that ends it was never written
    const again = servers.restart(1)
    expect(members(again)).toBe('n1 (n2) | n1 n2')
    expect(links(again)).toEqual([n2])
    servers.rounds(100)
    expect(again.status.leading).toBe(false) // not without n2, as long as it is joint
    servers.heal()
    servers.rounds(100)
    expect(members(again)).toBe('n1')
  })
})
