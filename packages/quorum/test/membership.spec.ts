import { type Membership, type MembershipChange, nodeId, type Peer } from '@conclave/interface'
import { changedMembership, mostAddresses } from '@conclave/quorum'
import { expect, test } from 'vitest'

const peer = (id: string, name = id, addresses: readonly string[] = []): Peer => ({ id: nodeId(id), name, addresses })
const now: Membership = {
  members: [
    { ...peer('a'), role: 'voter' },
    { ...peer('b'), role: 'learner' },
  ],
  removed: [nodeId('old')],
}
const change = (of: MembershipChange): Membership | undefined =>
  changedMembership(now, of, ({ members }, id) => ({ members: members.filter((member) => member.id !== id) }))

test('a new member is a learner, marked if it is to become a voter', () => {
  const added = (role: 'voter' | 'learner') => change({ type: 'add', member: peer('c'), role })?.members.at(-1)
  expect(added('learner')).toEqual({ ...peer('c'), role: 'learner' })
  expect(added('voter')).toEqual({ ...peer('c'), role: 'learner', promote: true })
})

test('an id that is or was a member, a name that is taken or no name, and too many addresses are refused', () => {
  const many = Array.from({ length: mostAddresses + 1 }, (_, at) => `/ip4/10.0.0.1/tcp/${at + 1}`)
  const unfit = [peer('a', 'x'), peer('old'), peer('c', 'a'), peer('c', 'no name'), peer('c', 'c', many)]
  for (const member of unfit) expect(change({ type: 'add', member, role: 'learner' })).toBeUndefined()
  expect(change({ type: 'update', member: peer('b', 'a') })).toBeUndefined()
  expect(change({ type: 'update', member: peer('nobody') })).toBeUndefined()
})

test('only a learner is promoted; how a member leaves is up to the engine', () => {
  expect(change({ type: 'promote', id: nodeId('b') })?.members.at(-1)).toMatchObject({ promote: true })
  expect(change({ type: 'promote', id: nodeId('a') })).toBeUndefined()
  expect(change({ type: 'remove', id: nodeId('b') })?.members.map(({ id }) => id)).toEqual(['a'])
})

test('a new name and new addresses leave the role as it is', () => {
  const updated = change({ type: 'update', member: peer('a', 'z', ['/ip4/10.0.0.1/tcp/1']) })
  expect(updated?.members[0]).toEqual({ ...peer('a', 'z', ['/ip4/10.0.0.1/tcp/1']), role: 'voter' })
})
