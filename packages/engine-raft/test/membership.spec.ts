/** Changes of the membership: section 6 of the paper (joint consensus), chapter 4 of the dissertation. */
import { concatChunks, type MembershipChange, nodeId } from '@conclave/interface'
import { add, members, peer, propose, read, reconfigure, remove, transfer } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import type { Term } from '../src/entry.ts'
import { encodeMessage, type Message } from '../src/messages.ts'
import { type Flying, type Server, Servers } from './servers.ts'

const t = (n: number) => n as Term
const bytes = (message: Message) => concatChunks(encodeMessage(message))
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

  it('nor while one that is a single entry is not committed', () => {
    const servers = led()
    const leader = servers.at(1)
    leader.turn(add(1, 4, 'learner'), add(2, 5, 'learner'))
    expect(outcome(leader, 2)).toEqual(refused('in-progress'))
    expect(members(leader)).toBe('n1 n2 n3 (n4)')
  })

  it('no change while leadership is on its way, or while the disk has no room', () => {
    const servers = led()
    const leader = servers.at(1)
    servers.isolate(2)
    leader.turn(propose(9), transfer(2), remove(1, 3))
    expect(outcome(leader, 1)).toEqual(refused('in-progress'))
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

  it('the final one is appended when the joint one is committed, not before', () => {
    const servers = led()
    const leader = servers.at(1)
    const late: Flying[] = []
    servers.cut = (m) =>
      m.message.type === 'append' && m.message.entries.some(({ kind }) => kind === 3) && late.push(m) > 0
    leader.turn(propose(1))
    leader.turn(remove(2, 3))
    servers.settle()
    expect(outcome(leader, 1)).toMatchObject([{ type: 'decided' }]) // the commit position moves, but not to the change
    expect(members(leader)).toBe('n1 n2 (n3) | n1 n2 n3')
    servers.heal()
    for (const flying of late) servers.deliver(flying)
    servers.settle()
    expect(members(leader)).toBe('n1 n2')
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

describe('4.2.1 learners', () => {
  it('a learner receives everything and counts in no quorum', () => {
    const servers = led()
    const learner = servers.join(4)
    const leader = servers.at(1)
    leader.turn(propose(1), add(2, 4, 'learner'))
    servers.rounds(5)
    expect(members(leader)).toBe('n1 n2 n3 (n4)')
    expect(outcome(leader, 2)).toMatchObject([{ type: 'decided' }])
    expect(learner.status).toMatchObject({ self: 'learner', decided: leader.status.decided })
    servers.isolate(2, 3)
    leader.turn(propose(3), read(4))
    servers.rounds(5)
    expect(learner.status.last).toBe(leader.status.last)
    expect(outcome(leader, 3)).toEqual([])
    expect(outcome(leader, 4)).toEqual([])
  })

  it('a learner does not campaign, but votes: it may be a voter in a configuration that it has not seen', () => {
    const servers = led()
    const learner = servers.join(4)
    servers.at(1).turn(add(1, 4, 'learner'))
    servers.rounds(5)
    servers.isolate(4)
    learner.tick(300)
    expect(servers.flying.filter(({ from }) => from === n4)).toEqual([])
    servers.heal()
    learner.turn({
      type: 'receive',
      from: n2,
      message: bytes({ type: 'vote', term: t(9), pre: false, last: 99, lastTerm: t(8) }),
    })
    expect(servers.flying.at(-1)).toMatchObject({ from: n4, message: { type: 'voteReply', granted: true } })
  })

  it('one that was added as a voter is a learner first, and becomes a voter by itself when it has caught up', () => {
    const servers = led()
    const leader = servers.at(1)
    for (let i = 10; i < 40; i++) leader.turn(propose(i))
    servers.settle()
    leader.turn(add(1, 4, 'voter'))
    expect(members(leader)).toBe('n1 n2 n3 (n4*)')
    servers.settle()
    expect(outcome(leader, 1)).toMatchObject([{ type: 'decided' }])
    servers.rounds(100) // there is nobody yet
    expect(members(leader)).toBe('n1 n2 n3 (n4*)')
    const joined = servers.join(4)
    servers.rounds(30)
    for (const server of servers.all.values()) expect(members(server)).toBe('n1 n2 n3 n4')
    expect(joined.status).toMatchObject({ self: 'voter', decided: leader.status.decided })
  })

  it('`promote` marks a learner, and it becomes a voter by itself', () => {
    const servers = led()
    servers.join(4)
    const leader = servers.at(1)
    leader.turn(add(1, 4, 'learner'))
    servers.rounds(50)
    expect(members(leader)).toBe('n1 n2 n3 (n4)')
    leader.turn(reconfigure(2, { type: 'promote', id: n4 }))
    servers.settle()
    expect(outcome(leader, 2)).toMatchObject([{ type: 'decided' }])
    servers.rounds(5)
    expect(members(leader)).toBe('n1 n2 n3 n4')
  })

  it('a round that takes longer than an election time-out does not count as caught up', () => {
    const servers = led()
    servers.join(4)
    const leader = servers.at(1)
    servers.cut = ({ from, message }) => from === n4 && message.type === 'appendReply' && message.ok
    leader.turn(add(1, 4, 'voter'))
    servers.rounds(40)
    const slow: typeof servers.flying = []
    servers.cut = (flying) => {
      const late = flying.from === n4 && flying.message.type === 'appendReply' && flying.message.ok
      if (late) slow.push(flying)
      return late
    }
    for (let i = 0; i < 5; i++) {
      leader.turn(propose(100 + i))
      servers.rounds(35)
      for (const flying of slow.splice(0)) servers.deliver(flying) // each answer is an election time-out old
      leader.turn(propose(200 + i))
      expect(members(leader)).toBe('n1 n2 n3 (n4*)')
    }
    servers.heal()
    servers.rounds(50)
    expect(members(leader)).toBe('n1 n2 n3 n4')
  })

  it('a later leader promotes it as well', () => {
    const servers = led()
    servers.at(1).turn(add(1, 4, 'voter'))
    servers.rounds(5)
    servers.isolate(1)
    const leader = servers.elect(2)
    servers.join(4)
    servers.rounds(30)
    expect(members(leader)).toBe('n1 n2 n3 n4')
  })

  it('one that does not answer any more is not promoted, however complete its log is', () => {
    const servers = led()
    servers.join(4)
    const leader = servers.at(1)
    leader.turn(add(1, 4, 'learner'))
    servers.rounds(20)
    servers.isolate(4)
    servers.rounds(20)
    leader.turn(reconfigure(2, { type: 'promote', id: n4 }))
    servers.rounds(100)
    expect(members(leader)).toBe('n1 n2 n3 (n4*)')
  })

  it('nor if it fell silent while something else stood in the way', () => {
    const servers = led(1)
    const leader = servers.at(1)
    leader.turn(add(1, 2, 'voter'))
    leader.turn({ type: 'disk', state: 'full' })
    servers.join(2)
    servers.rounds(30)
    servers.isolate(2)
    servers.rounds(30)
    leader.turn({ type: 'disk', state: 'ok' })
    servers.rounds(30)
    expect(members(leader)).toBe('n1 (n2*)')
    servers.heal()
    servers.rounds(30)
    expect(members(leader)).toBe('n1 n2')
  })

  it('nor if it has fallen behind again meanwhile', () => {
    const servers = led(1)
    const leader = servers.at(1)
    leader.turn(add(1, 2, 'voter'))
    leader.turn({ type: 'disk', state: 'full' })
    servers.join(2)
    servers.rounds(30)
    leader.turn({ type: 'disk', state: 'ok' }, propose(2), { type: 'disk', state: 'full' })
    servers.cut = ({ message }) => message.type === 'appendReply' // heartbeats are answered
    servers.rounds(35)
    leader.turn({ type: 'disk', state: 'ok' })
    servers.rounds(3)
    expect(members(leader)).toBe('n1 (n2*)')
    servers.heal()
    servers.rounds(30)
    expect(members(leader)).toBe('n1 n2')
  })

  it('a learner is removed in one step', () => {
    const servers = led()
    servers.join(4)
    const leader = servers.at(1)
    leader.turn(add(1, 4, 'learner'))
    servers.rounds(10)
    leader.turn(remove(2, 4))
    expect(members(leader)).toBe('n1 n2 n3')
    servers.rounds(10)
    expect(servers.at(4).status).toMatchObject({ self: 'none', decided: leader.status.decided })
  })

  it('a member gets another name and other addresses, and everybody links to these', () => {
    const servers = led()
    const leader = servers.at(1)
    const member = { id: n3, name: 'third', addresses: ['/ip4/10.0.0.9'] }
    leader.turn(reconfigure(1, { type: 'update', member }))
    servers.rounds(5)
    for (const n of [1, 2]) {
      expect(servers.at(n).status.membership.members[2]).toEqual({ ...member, role: 'voter' })
      expect(
        servers
          .at(n)
          .effects.findLast((e) => e.peers !== undefined)
          ?.peers?.at(-1),
      ).toMatchObject(member)
    }
  })
})

describe('a node that joins', () => {
  it('belongs to no configuration and does not campaign until it is added', () => {
    const servers = led()
    const joining = servers.join(4)
    expect(joining.status).toMatchObject({ self: 'none' })
    expect(links(joining)).toEqual([n1, n2, n3])
    servers.rounds(200)
    expect(joining.status).toMatchObject({ role: 'follower', epoch: 0n })
  })

  it('names no snapshot before it has a configuration from the log: what it was told of the cluster may be wrong', () => {
    const servers = led()
    const leader = servers.at(1)
    for (let i = 10; i < 20; i++) leader.turn(propose(i))
    servers.settle()
    leader.turn(add(1, 4, 'learner'))
    const joining = servers.join(4)
    servers.rounds(10)
    const captured = (position: number) =>
      joining.turn({ type: 'captured', snapshot: { id: `s${position}` as never, position: position as never } })
    captured(5)
    expect(joining.status.snapshot).toBe(0)
    captured(12)
    expect(joining.status).toMatchObject({ snapshot: 12, decided: 12 })
    for (let i = 20; i < 25; i++) leader.turn(propose(i))
    servers.rounds(10)
    captured(15) // what the first snapshot says is no guess any more
    expect(joining.status.snapshot).toBe(15)
    expect(members(servers.restart(4))).toBe('n1 n2 n3 (n4)')
  })
})

describe('4.2.2 removed leaders', () => {
  it('leads until C-new is committed, does not count itself meanwhile, and then steps down', () => {
    const servers = led()
    const leader = servers.at(1)
    leader.turn(remove(1, 1))
    servers.cut = ({ from, message }) =>
      from === n3 && message.type === 'appendReply' && message.ok && message.match > 2
    servers.settle()
    expect(members(leader)).toBe('n2 n3') // n1 and n2 have it: half of the new voters
    expect(leader.status.leading).toBe(true)
    expect(outcome(leader, 1)).toEqual([])
    servers.heal()
    servers.rounds(15)
    expect(outcome(leader, 1)).toEqual([{ type: 'decided', position: 3 }])
    expect(leader.status).toMatchObject({ leading: false, self: 'none' })
  })

  it('tells the others that C-new is committed and hands over, so that they are not without a leader for a time-out', () => {
    const servers = led()
    servers.at(1).turn(remove(1, 1))
    servers.settle() // no time passes
    expect(only(servers).id).not.toBe(n1)
    for (const n of [2, 3]) expect(members(servers.at(n))).toBe('n2 n3')
  })

  it('tells it even if nobody takes over', () => {
    const servers = led()
    servers.cut = ({ message }) => message.type === 'timeoutNow'
    servers.at(1).turn(remove(1, 1))
    servers.settle() // no time passes
    expect(leads(servers)).toEqual([])
    for (const n of [2, 3]) expect(servers.at(n).status.decided).toBe(3)
  })

  it('refuses proposals once it is on its way out, and never campaigns again', () => {
    const servers = led()
    const leader = servers.at(1)
    servers.cut = ({ message }) => message.type === 'append' && message.previous === 2
    leader.turn(remove(1, 1))
    servers.settle()
    expect(members(leader)).toBe('n2 n3')
    leader.turn(propose(2))
    expect(outcome(leader, 2)).toEqual(refused('in-progress'))
    servers.heal()
    servers.rounds(20)
    const { epoch } = only(servers).status
    servers.isolate(1)
    servers.rounds(300)
    expect(leader.status).toMatchObject({ role: 'follower', self: 'none' })
    expect(only(servers).status.epoch).toBe(epoch)
  })

  it('a voter that has C-new, which is not committed, still campaigns: nobody else could be elected', () => {
    const servers = led(2)
    const old = servers.at(1)
    servers.cut = ({ message }) => message.type === 'append' && message.previous === 2
    old.turn(remove(1, 1))
    servers.settle()
    expect(members(old)).toBe('n2')
    servers.flying = []
    servers.heal()
    const again = servers.restart(1) // it has C-new on disk, n2 has only the joint configuration
    expect(members(again)).toBe('n2')
    expect(members(servers.at(2))).toBe('(n1) n2 | n1 n2')
    servers.rounds(300)
    expect(only(servers).id).toBe(n2)
    expect(members(servers.at(2))).toBe('n2')
    expect(again.status).toMatchObject({ leading: false, self: 'none' })
  })
})

describe('4.2.3 removed servers', () => {
  it('is told of its removal, and then let go', () => {
    const servers = led()
    const leader = servers.at(1)
    leader.turn(remove(1, 3))
    servers.settle()
    expect(links(leader)).toEqual([n3, n2])
    servers.rounds(10)
    expect(servers.at(3).status).toMatchObject({ self: 'none', decided: leader.status.decided })
    servers.rounds(60)
    expect(links(leader)).toEqual([n2])
    expect(leader.status.detail['peer n3']).toBeUndefined()
    expect(links(servers.at(2))).toEqual([n1])
  })

  it('and by a leader that is none any more at once', () => {
    const servers = led()
    const old = servers.at(1)
    servers.isolate(3)
    old.turn(remove(1, 3))
    servers.settle()
    expect(links(old)).toEqual([n3, n2])
    old.turn(transfer(2))
    servers.settle()
    expect(only(servers).id).toBe(n2)
    expect(links(old)).toEqual([n2])
  })

  it('one that does not answer is let go after a while', () => {
    const servers = led()
    const leader = servers.at(1)
    servers.isolate(3)
    leader.turn(remove(1, 3))
    servers.rounds(100)
    expect(links(leader)).toEqual([n3, n2])
    servers.rounds(300)
    expect(links(leader)).toEqual([n2])
  })

  it('one that never learned of it does not disturb the others', () => {
    const servers = led()
    const leader = servers.at(1)
    servers.isolate(3)
    leader.turn(remove(1, 3))
    servers.rounds(20)
    const { epoch } = leader.status
    servers.cut = ({ to }) => to === n3 // it is not heard of, but is heard
    servers.rounds(400)
    expect(servers.at(3).status.role).toBe('preCandidate')
    expect(leader.status).toMatchObject({ leading: true, epoch })
  })

  it('not even when the others believe that their leader is gone: its log is too old', () => {
    const servers = led()
    servers.isolate(3)
    servers.at(1).turn(remove(1, 3))
    servers.rounds(20)
    servers.heal()
    servers.at(3).tick(70)
    servers.at(2).turn({ type: 'peer', id: n1, state: 'down' })
    for (const flying of servers.flying.splice(0)) servers.deliver(flying)
    expect(servers.flying.filter(({ from }) => from === n2).map(({ message }) => message)).toMatchObject([
      { type: 'voteReply', pre: true, granted: false },
    ])
  })
})
