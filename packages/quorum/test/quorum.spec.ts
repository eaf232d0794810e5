import { type Membership, nodeId } from '@conclave/interface'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { committed, flexible, intersects, joint, majority, quorumOf, voteResult } from '../src/index.ts'

const ids = ['a', 'b', 'c', 'd', 'e'].map(nodeId)

describe('majority', () => {
  it('needs more than half of the voters', () => {
    for (const [voters, need] of [
      [1, 1],
      [2, 2],
      [3, 2],
      [4, 3],
      [5, 3],
    ] as const)
      expect(majority(ids.slice(0, voters))[0]?.need).toBe(need)
  })

  it('is never reached without voters', () => {
    expect(voteResult(majority([]), () => true)).toBe('lost')
    expect(committed(majority([]), () => 9)).toBe(0)
  })

  it('is pending until enough have voted, then won, or lost once it cannot be won', () => {
    const quorum = majority(ids.slice(0, 3))
    expect(voteResult(quorum, (id) => (id === 'a' ? true : undefined))).toBe('pending')
    expect(voteResult(quorum, (id) => (id === 'c' ? undefined : true))).toBe('won')
    expect(voteResult(quorum, (id) => id === 'a')).toBe('lost')
  })
})

describe('committed', () => {
  it('is the highest position on a quorum, as a brute-force count finds it', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 5 }), (positions) => {
        const voters = ids.slice(0, positions.length)
        const reached = (id: string): number => positions[voters.indexOf(nodeId(id))] ?? 0
        const need = Math.floor(voters.length / 2) + 1
        let expected = 0
        for (let at = 1; at <= 20; at++) if (positions.filter((p) => p >= at).length >= need) expected = at
        expect(committed(majority(voters), reached)).toBe(expected)
      }),
    )
  })

  it('takes the lesser of both groups while joint', () => {
    const quorum = joint(majority(ids.slice(0, 3)), majority(ids.slice(2, 5)))
    expect(committed(quorum, (id) => (id === 'a' || id === 'b' ? 9 : id === 'c' ? 4 : id === 'd' ? 3 : 0))).toBe(3)
  })
})

describe('configurations', () => {
  const member = (id: (typeof ids)[number], role: 'voter' | 'learner') => ({ id, name: id, addresses: [], role })

  it('do not count learners', () => {
    const membership: Membership = {
      members: [
        ...ids.slice(0, 3).map((id) => member(id, 'voter')),
        ...ids.slice(3).map((id) => member(id, 'learner')),
      ],
    }
    expect(quorumOf(membership)).toEqual(majority(ids.slice(0, 3)))
  })

  it('need both majorities while joint', () => {
    const membership: Membership = { members: ids.slice(2).map((id) => member(id, 'voter')), outgoing: ids.slice(0, 3) }
    expect(voteResult(quorumOf(membership), (id) => ['c', 'd', 'e'].includes(id))).toBe('lost')
    expect(voteResult(quorumOf(membership), (id) => ['b', 'c', 'd'].includes(id))).toBe('won')
  })
})

describe('flexible quorums', () => {
  it('intersect when their sizes exceed the number of voters together', () => {
    expect(intersects(flexible(ids, 4), flexible(ids, 2))).toBe(true)
    expect(intersects(flexible(ids, 3), flexible(ids, 2))).toBe(false)
    expect(() => flexible(ids, 6)).toThrow(RangeError)
  })
})
