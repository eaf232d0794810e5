import { type Member, type Membership, type MembershipChange, nodeId } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { judgeChange, judgeTransfer } from '../src/judge.ts'
import { Roster } from '../src/roster.ts'

const member = (name: string, role: Member['role'] = 'voter'): Member => ({
  id: nodeId(name),
  name,
  addresses: [`/log/${name}`],
  role,
})
const members = (...names: string[]): Membership => ({ members: names.map((name) => member(name)) })
const configured = [{ id: nodeId('b'), name: 'b', addresses: ['/file/b'] }]
const ids = (list: readonly { readonly id: string }[]): string[] => list.map(({ id }) => id)

describe('the gate', () => {
  test('lets in whoever is in the file, in a configuration of the log, or told of by a member', () => {
    const roster = new Roster(nodeId('a'), configured, members('a', 'c'))
    const known = (...names: string[]) => names.map((name) => roster.isMember(nodeId(name)))
    expect(known('a', 'b', 'c', 'd', 'e')).toEqual([true, true, true, false, false])
    roster.setPeers([member('d')])
    expect(roster.hear(members('a', 'e'))).toBe(true)
    expect(known('a', 'b', 'c', 'd', 'e', 'f')).toEqual([true, true, true, true, true, false])
    expect(roster.hear(members('a', 'e'))).toBe(false)
  })

  test('lets in the voters that go out of a joint configuration', () => {
    const roster = new Roster(nodeId('a'), [], { ...members('a'), outgoing: [nodeId('a'), nodeId('x')] })
    expect(roster.isMember(nodeId('x'))).toBe(true)
  })

  test('knows who was removed, whatever file and hearsay say', () => {
    const roster = new Roster(nodeId('a'), configured, members('a', 'b'))
    roster.decide({ ...members('a'), removed: [nodeId('b')] })
    roster.hear(members('a', 'b'))
    expect([roster.isMember(nodeId('b')), roster.wasMember(nodeId('b'))]).toEqual([false, true])
    expect(roster.links()).toEqual([])
  })

  test('still lets in one that leaves, as long as the engine holds on to it', () => {
    const roster = new Roster(nodeId('a'), [], members('a', 'b'))
    roster.setPeers([member('b')])
    roster.decide({ ...members('a'), removed: [nodeId('b')] })
    expect([roster.isMember(nodeId('b')), roster.wasMember(nodeId('b'))]).toEqual([true, false])
    roster.setPeers([])
    expect([roster.isMember(nodeId('b')), roster.wasMember(nodeId('b'))]).toEqual([false, true])
  })

  test('hearsay of a removal closes it', () => {
    const roster = new Roster(nodeId('a'), configured, members('a', 'b'))
    expect(roster.hear({ ...members('a'), removed: [nodeId('b')] })).toBe(true)
    expect(roster.wasMember(nodeId('b'))).toBe(true)
  })
})

test('addresses of the own file go before those of the log', () => {
  const roster = new Roster(nodeId('a'), configured, members('a', 'b', 'c'))
  expect(roster.members().map(({ addresses }) => addresses)).toEqual([['/log/a'], ['/file/b', '/log/b'], ['/log/c']])
  roster.setPeers([member('b'), member('c')])
  expect(roster.links().map(({ addresses }) => addresses)).toEqual([['/file/b', '/log/b'], ['/log/c']])
  expect(roster.find(nodeId('b'))?.addresses).toEqual(['/file/b', '/log/b'])
  expect(roster.find(nodeId('z'))).toBeUndefined()
})

test('links are held to the peers of the engine and to those of hearsay, never to itself', () => {
  const roster = new Roster(nodeId('a'), configured, members('a'))
  roster.setPeers([member('b')])
  roster.hear(members('a', 'b', 'c'))
  expect(ids(roster.links())).toEqual(['b', 'c'])
})

describe('a change is judged in words', () => {
  const now: Membership = { members: [member('a'), member('l', 'learner')], removed: [nodeId('gone')] }
  const peer = { id: nodeId('d'), name: 'd', addresses: ['/ip4/127.0.0.1/tcp/1'] }
  const add = (more: Partial<typeof peer>): MembershipChange => ({
    type: 'add',
    member: { ...peer, ...more },
    role: 'voter',
  })

  test.each<[string, MembershipChange, string | undefined]>([
    ['a new member', add({}), undefined],
    ['one that is there', add({ id: nodeId('a') }), 'a member already, under the name a'],
    ['one that was there', add({ id: nodeId('gone') }), 'an id is never used again'],
    ['a name that is taken', add({ name: 'l' }), 'another member is called l'],
    ['a name that is none', add({ name: 'two words' }), '1 to 63 characters'],
    ['no address', add({ addresses: [] }), 'at least one address'],
    ['a learner', { type: 'promote', id: nodeId('l') }, undefined],
    ['a voter', { type: 'promote', id: nodeId('a') }, 'a is a voter already'],
    ['a stranger', { type: 'promote', id: nodeId('z') }, 'there is no member of this id'],
    ['the last voter', { type: 'remove', id: nodeId('a') }, 'a is the last voter'],
    ['the only learner', { type: 'remove', id: nodeId('l') }, undefined],
    ['one that is gone', { type: 'remove', id: nodeId('gone') }, 'was removed before'],
    ['a name of its own', { type: 'update', member: { ...peer, id: nodeId('l'), name: 'l' } }, undefined],
    ['the name of another', { type: 'update', member: { ...peer, id: nodeId('l'), name: 'a' } }, 'is called a'],
  ])('%s', (_, change, reason) => {
    if (reason === undefined) expect(judgeChange(now, change)).toBeUndefined()
    else expect(judgeChange(now, change)).toContain(reason)
  })

  test('a cluster has room for 64', () => {
    const full = members(...Array.from({ length: 64 }, (_, at) => `m${at}`))
    expect(judgeChange(full, add({}))).toContain('at most 64 members')
  })

  test('only a voter can lead', () => {
    expect(judgeTransfer(now, nodeId('a'))).toBeUndefined()
    expect(judgeTransfer(now, nodeId('l'))).toContain('l is a learner')
    expect(judgeTransfer(now, nodeId('z'))).toContain('no member')
  })
})
