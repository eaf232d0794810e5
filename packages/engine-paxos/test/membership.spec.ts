/** Changes of the members by stop-sign: "Reconfiguring a State Machine", section 4.2, and what the contract asks of a change. */
import { type Decided, type MembershipChange, nodeId, type RequestId } from '@conclave/interface'
import { batches, limits, propose, read } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import { foundingConfiguration, nextConfiguration } from '../src/configuration.ts'
import { makeReign, makeStop, makeValue, noop, valueKind } from '../src/value.ts'
import { ballotOf, give, lone, type Node, Nodes } from './nodes.ts'

const n1 = nodeId('n1')
const n2 = nodeId('n2')
const n3 = nodeId('n3')
const n4 = nodeId('n4')
const peer = (n: number, name = `n${n}`) => ({ id: nodeId(`n${n}`), name, addresses: [] })
const change = (id: number, what: MembershipChange) =>
  ({ type: 'reconfigure', id: id as RequestId, change: what }) as const
const add = (n: number, role: 'voter' | 'learner' = 'voter'): MembershipChange => ({
  type: 'add',
  member: peer(n),
  role,
})
const remove = (n: number): MembershipChange => ({ type: 'remove', id: nodeId(`n${n}`) })
const outcome = (node: Node, id: number) => node.settled.find((settled) => settled.id === id)?.outcome
const roles = (node: Node) => node.status.membership.members.map(({ id, role }) => `${id} ${role}`)
const epochs = (node: Node) => new Set(node.decided.map(({ epoch }) => epoch))
const memberships = (decided: readonly Decided[]) => decided.flatMap((d) => (d.type === 'members' ? [d.position] : []))

describe('a stop-sign', () => {
  it('is the last entry of its configuration and names the next; the leader goes on with its ballot', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(propose(1), change(2, remove(3)), propose(3))
    nodes.settle()
    expect(outcome(leader, 2)).toEqual({ type: 'decided', position: 3 })
    expect(outcome(leader, 3)).toEqual({ type: 'decided', position: 4 })
    expect(leader.decided.map(({ type }) => type)).toEqual(['reign', 'batch', 'members', 'batch'])
    expect(epochs(leader).size).toBe(1)
    expect(leader.status).toMatchObject({ leading: true, detail: { configuration: 1 } })
    expect(roles(leader)).toEqual(['n1 voter', 'n2 voter'])
    expect(leader.status.membership.removed).toEqual([n3])
  })

  it('nothing is proposed above it: proposals are held for the next configuration, within the bound', () => {
    const nodes = new Nodes(3, { limits: { ...limits, undecidedBytes: 1000 } })
    const leader = nodes.elect(1)
    nodes.cut = () => true
    leader.turn(change(1, remove(3)), propose(2, 'x'.repeat(600)), propose(3, 'x'.repeat(600)), read(4))
    expect(leader.status.last).toBe(2)
    expect(outcome(leader, 3)).toEqual({ type: 'refused', reason: 'overloaded' })
    nodes.heal()
    nodes.rounds(20)
    expect(outcome(leader, 2)).toEqual({ type: 'decided', position: 3 })
    expect(outcome(leader, 4)).toEqual({ type: 'readAt', position: 1 })
  })

  it('what was held is refused, not unknown, if the lead is lost meanwhile: it was told to nobody', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.isolate(1)
    leader.turn(propose(1), change(2, remove(3)), propose(3))
    nodes.rounds(80)
    expect(outcome(leader, 1)).toEqual({ type: 'unknown' })
    expect(outcome(leader, 2)).toEqual({ type: 'unknown' })
    expect(outcome(leader, 3)).toEqual({ type: 'refused', reason: 'not-leader' })
  })

  it('a change that its leader could not finish is finished by the next, and the next configuration decides what follows', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.cut = ({ message }) => message.type === 'accepted'
    leader.turn(change(1, remove(1)))
    nodes.settle()
    nodes.heal()
    nodes.isolate(1)
    const next = nodes.elect(2)
    next.turn(propose(9))
    nodes.settle()
    nodes.rounds(60)
    const [survivor] = [nodes.at(2), nodes.at(3)].filter(({ status }) => status.leading)
    expect(survivor && roles(survivor)).toEqual(['n2 voter', 'n3 voter'])
    survivor?.turn(propose(10))
    nodes.settle()
    nodes.rounds(10)
    expect(batches(nodes.at(3))).toContain('batch 10')
  })

  it('what an acceptor holds above it belongs to the configuration that ended, on disk too', () => {
    const { node } = lone()
    const founders = node.status.membership
    const next = nextConfiguration(foundingConfiguration(founders), { members: founders.members.slice(0, 2) })
    const ballot = ballotOf(1, 2)
    const batch = (content: string) => makeValue(ballot, valueKind.batch, new TextEncoder().encode(content))
    const slots = [
      { slot: 1, value: makeReign(ballot, n2) },
      { slot: 2, value: makeStop(ballot, next) },
      { slot: 3, value: batch('of the configuration that ended') },
    ]
    give(node, 'n2', { type: 'accept', sequence: 1, slots }, ballot, { decided: 3 })
    expect(node.decided.map(({ type }) => type)).toEqual(['reign', 'members'])
    expect([...node.disk.slots.keys()]).toEqual([1, 2])
    expect(node.status.detail.configuration).toBe(1)
    give(node, 'n2', { type: 'accept', sequence: 2, slots: [{ slot: 3, value: batch('new') }] }, ballot, {
      decided: 3,
      configuration: 1,
    })
    expect(batches(node)).toEqual(['new'])
  })

  it('links to those who come are held from the time when it is accepted, and status shows where it leads; another value takes it back', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.cut = ({ message }) => message.type === 'accepted'
    leader.turn(change(1, add(4, 'learner')))
    nodes.settle()
    const linked = (n: number) =>
      nodes
        .at(n)
        .effects.findLast((e) => e.peers !== undefined)
        ?.peers?.map(({ id }) => id)
    for (const n of [1, 2, 3]) {
      expect(linked(n), `n${n}`).toContain(n4)
      expect(roles(nodes.at(n)).at(-1)).toBe('n4 learner')
      expect(nodes.at(n).status.detail.configuration).toBe(0)
    }
    expect(roles(nodes.restart(2)).at(-1)).toBe('n4 learner')
    give(nodes.at(3), 'n2', { type: 'accept', sequence: 1, slots: [{ slot: 2, value: noop }] }, ballotOf(9, 2))
    expect(linked(3)).not.toContain(n4)
    expect(roles(nodes.at(3))).toHaveLength(3)
  })

  it('while it is not decided, status says whose votes are needed: those who decide it and those who go on', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.cut = ({ message }) => message.type === 'accepted'
    leader.turn(change(1, remove(3)))
    nodes.settle()
    for (const n of [1, 2, 3]) {
      expect(nodes.at(n).status.membership).toMatchObject({ outgoing: [n1, n2, n3], removed: [n3] })
      expect(roles(nodes.at(n))).toEqual(['n1 voter', 'n2 voter'])
    }
    nodes.heal()
    nodes.rounds(15)
    expect(leader.status.membership.outgoing).toBeUndefined()
  })

  it('a restart between two configurations does not take the slots of both for those of one', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(change(1, remove(3)), propose(2))
    nodes.settle()
    nodes.rounds(6)
    for (const n of [1, 2]) {
      const again = nodes.restart(n)
      expect(again.status.detail.configuration, `n${n}`).toBe(1)
      expect(memberships(again.decided)).toEqual([2])
    }
  })

  it('messages of another configuration are not taken; who is behind says so and is brought up', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.isolate(3)
    leader.turn(change(1, { type: 'update', member: peer(2, 'other') }), propose(2))
    nodes.settle()
    expect(nodes.at(3).status.detail.configuration).toBe(0)
    nodes.heal()
    leader.tick(5)
    const answers: string[] = []
    nodes.watch = ({ from, message }) => from === n3 && answers.push(message.type)
    nodes.rounds(12)
    expect(answers).toContain('watermark')
    expect(nodes.at(3).status).toMatchObject({ decided: 3, detail: { configuration: 1 } })
    expect(batches(nodes.at(3))).toEqual(['batch 2'])
  })

  it('a stray accept or promise of the configuration that ended counts for nothing', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(change(1, remove(3)))
    nodes.settle()
    const { decided } = leader.status
    nodes.isolate(2)
    leader.turn(propose(2))
    nodes.settle()
    for (const id of ['n2', 'n3'])
      give(leader, id, { type: 'accepted', sequence: 9, reached: decided + 1, slots: [] }, ballotOf(1, 1))
    give(leader, 'n3', { type: 'accepted', sequence: 9, reached: decided + 1, slots: [] }, ballotOf(1, 1), {
      configuration: 1,
    })
    expect(leader.status.decided).toBe(decided)
  })
})

describe('who comes', () => {
  it('a voter is a learner first, receives everything, and is promoted by itself once it has caught up', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(propose(1), propose(2))
    nodes.settle()
    leader.turn(change(3, add(4)))
    nodes.settle()
    expect(outcome(leader, 3)).toEqual({ type: 'decided', position: 4 })
    expect(roles(leader).at(-1)).toBe('n4 learner')
    const joiner = nodes.join(4)
    nodes.rounds(30)
    expect(roles(leader).at(-1)).toBe('n4 voter')
    expect(joiner.status).toMatchObject({ self: 'voter', leader: n1 })
    expect(batches(joiner)).toEqual(['batch 1', 'batch 2'])
    expect(memberships(joiner.decided)).toHaveLength(2)
  })

  it('a learner counts in no quorum', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(change(1, add(4, 'learner')))
    nodes.settle()
    nodes.join(4)
    nodes.rounds(20)
    expect(roles(leader).at(-1)).toBe('n4 learner')
    nodes.isolate(1, 4)
    leader.turn(propose(2))
    nodes.settle()
    expect(nodes.at(4).status.last).toBe(leader.status.last)
    expect(outcome(leader, 2)).toBeUndefined()
    nodes.at(4).tick(200)
    expect(nodes.at(4).status.role).toBe('acceptor')
  })

  it('a new member has an ordinal that nobody had, and can lead with it', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(change(1, add(4)))
    nodes.settle()
    nodes.join(4)
    nodes.rounds(30)
    leader.turn(change(2, remove(4)))
    nodes.settle()
    nodes.rounds(30)
    leader.turn(change(3, add(5)))
    nodes.settle()
    nodes.join(5)
    nodes.rounds(30)
    expect(nodes.at(5).status.detail.ordinal).toBe(5)
    leader.turn({ type: 'transfer', to: nodeId('n5') })
    nodes.rounds(5)
    expect(nodes.at(5).status).toMatchObject({ leading: true })
    expect(nodes.at(5).status.epoch & 0xff_ffffn).toBe(5n)
  })

  it('a promotion that its leader could not make is made by the next', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(change(1, add(4)))
    nodes.settle()
    nodes.isolate(1)
    nodes.elect(2)
    nodes.join(4)
    nodes.rounds(40)
    expect(roles(nodes.at(2)).at(-1)).toBe('n4 voter')
  })

  it('who never was promoted can be, on request', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(change(1, add(4, 'learner')))
    nodes.settle()
    nodes.join(4)
    leader.turn(change(2, { type: 'promote', id: n4 }))
    nodes.rounds(30)
    expect(outcome(leader, 2)).toMatchObject({ type: 'decided' })
    expect(roles(leader).at(-1)).toBe('n4 voter')
  })
})

describe('who leaves', () => {
  it('a removed member is told so, and stands for nothing any more', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(change(1, remove(3)))
    nodes.settle()
    nodes.rounds(100)
    expect(nodes.at(3).status).toMatchObject({ self: 'none', role: 'acceptor' })
    expect(leader.status.leading).toBe(true)
    expect(leader.effects.findLast((e) => e.peers !== undefined)?.peers?.map(({ id }) => id)).toEqual([n2])
  })

  it('also if it was away when it happened, for a while', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.isolate(3)
    leader.turn(change(1, remove(3)))
    nodes.settle()
    expect(leader.effects.findLast((e) => e.peers !== undefined)?.peers?.map(({ id }) => id)).toContain(n3)
    nodes.rounds(50)
    nodes.heal()
    nodes.rounds(10)
    expect(nodes.at(3).status.self).toBe('none')
  })

  it('a leader that is removed leads no more; the others learn how its configuration ended, and elect one of them', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(propose(1), change(2, remove(1)), propose(3))
    nodes.settle()
    nodes.rounds(40)
    expect(outcome(leader, 1)).toMatchObject({ type: 'decided' })
    expect(outcome(leader, 2)).toEqual({ type: 'decided', position: 3 })
    expect(outcome(leader, 3)).toEqual({ type: 'refused', reason: 'not-leader' })
    expect(leader.status).toMatchObject({ leading: false, self: 'none' })
    expect([2, 3].filter((n) => nodes.at(n).status.leading)).toHaveLength(1)
  })

  it('its change is settled only when the others can do without it', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.cut = ({ from, message }) => from === n1 && (message.type === 'heartbeat' || message.type === 'learn')
    leader.turn(change(1, remove(1)))
    nodes.rounds(20)
    expect(leader.status.self).toBe('none')
    expect(outcome(leader, 1)).toBeUndefined()
    nodes.heal()
    nodes.rounds(20)
    expect(outcome(leader, 1)).toMatchObject({ type: 'decided' })
  })

  it('the change to a configuration is settled only when a quorum of it has promised in it', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.cut = ({ message }) => message.type === 'promise'
    leader.turn(change(1, remove(3)))
    nodes.rounds(5)
    expect(leader.status.detail.configuration).toBe(1)
    expect(outcome(leader, 1)).toBeUndefined()
    nodes.heal()
    nodes.rounds(10)
    expect(outcome(leader, 1)).toEqual({ type: 'decided', position: 2 })
  })

  it('from five to one, one by one, while the others are switched off', () => {
    const nodes = new Nodes(5)
    let leader = nodes.elect(1)
    for (const n of [5, 4, 3, 2]) {
      leader.turn(change(n, remove(n)))
      nodes.settle()
      nodes.rounds(10)
      expect(outcome(leader, n), `n${n}`).toMatchObject({ type: 'decided' })
      nodes.all.delete(nodeId(`n${n}`))
    }
    leader.turn(propose(99))
    nodes.settle()
    expect(outcome(leader, 99)).toMatchObject({ type: 'decided' })
    leader = nodes.restart(1)
    nodes.rounds(70)
    expect(leader.status).toMatchObject({ leading: true, self: 'voter' })
  })
})

describe('refusals', () => {
  const refusal = (what: MembershipChange) => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(change(1, what))
    return outcome(leader, 1)
  }
  const invalid = { type: 'refused', reason: 'invalid' }

  it('who is a member cannot be added, who is none cannot be promoted, updated or removed', () => {
    expect(refusal(add(2))).toEqual(invalid)
    expect(refusal({ type: 'promote', id: n4 })).toEqual(invalid)
    expect(refusal({ type: 'promote', id: n2 })).toEqual(invalid)
    expect(refusal({ type: 'update', member: peer(4) })).toEqual(invalid)
    expect(refusal(remove(4))).toEqual(invalid)
  })

  it('a name is used once and has its form, and addresses have a bound', () => {
    expect(refusal({ type: 'add', member: peer(4, 'n2'), role: 'voter' })).toEqual(invalid)
    expect(refusal({ type: 'add', member: peer(4, 'no spaces'), role: 'voter' })).toEqual(invalid)
    const addresses = Array.from({ length: 33 }, (_, i) => `/x/${i}`)
    expect(refusal({ type: 'add', member: { ...peer(4), addresses }, role: 'voter' })).toEqual(invalid)
    expect(refusal({ type: 'add', member: { ...peer(4), addresses: ['x'.repeat(1025)] }, role: 'voter' })).toEqual(
      invalid,
    )
  })

  it('an id that was removed is never used again, and the last voter cannot leave', () => {
    const nodes = new Nodes(2)
    const leader = nodes.elect(1)
    leader.turn(change(1, remove(2)))
    nodes.settle()
    nodes.rounds(10)
    leader.turn(change(2, add(2)), change(3, remove(1)))
    expect([2, 3].map((id) => outcome(leader, id))).toEqual([invalid, invalid])
  })

  it('one change at a time, and none before the reign is open', () => {
    const nodes = new Nodes(3)
    nodes.cut = ({ message }) => message.type === 'accept'
    const leader = nodes.elect(1)
    leader.turn(change(1, remove(3)))
    expect(outcome(leader, 1)).toEqual({ type: 'refused', reason: 'not-ready' })
    nodes.heal()
    nodes.rounds(20)
    leader.turn(change(2, remove(3)), change(3, remove(2)))
    expect(outcome(leader, 3)).toEqual({ type: 'refused', reason: 'in-progress' })
    nodes.settle()
    expect(outcome(leader, 2)).toMatchObject({ type: 'decided' })
  })

  it('a configuration that could elect no leader, since too many of its voters are silent, is not begun', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    nodes.isolate(3)
    nodes.rounds(40)
    leader.turn(change(1, remove(2)))
    expect(outcome(leader, 1)).toEqual({ type: 'refused', reason: 'not-ready' })
    leader.turn(change(2, remove(3)))
    nodes.settle()
    expect(outcome(leader, 2)).toMatchObject({ type: 'decided' })
  })

  it('a configuration that fits no message is refused', () => {
    const nodes = new Nodes(3, { limits: { ...limits, messageBytes: 400 } })
    const leader = nodes.elect(1)
    leader.turn(change(1, { type: 'update', member: { ...peer(2), addresses: ['x'.repeat(300)] } }))
    expect(outcome(leader, 1)).toEqual(invalid)
  })
})
