/** Every invariant of a storm can fail, and a story without a mistake passes. */
import { type Decided, epoch, type Membership, nodeId, position } from '@conclave/interface'
import { describe, expect, it } from 'vitest'
import { changesAreJoint, peer, type Subject, Violation } from '../src/index.ts'
import { Invariants } from '../src/invariants.ts'

const [n1, n2] = [nodeId('n1'), nodeId('n2')]
const founders: Membership = { members: [peer(1), peer(2), peer(3)] }
const subject = { configured: changesAreJoint } as Subject
const batch = (at: number, text: string, of = 1n): Decided => ({
  type: 'batch',
  position: position(at),
  epoch: epoch(of),
  batch: new TextEncoder().encode(text),
})
const members = (at: number, membership: Membership): Decided => ({
  type: 'members',
  position: position(at),
  epoch: epoch(1n),
  membership,
})
const joint: Membership = { members: [peer(1), peer(2), peer(3), peer(4)], outgoing: [n1, n2, nodeId('n3')] }
const final: Membership = { members: joint.members }

/** n1 decides "a" at 1, under n1 in epoch 1. */
const begun = (): Invariants => {
  const invariants = new Invariants(subject, founders)
  invariants.leads(n1, 1n)
  invariants.decide(n1, batch(1, 'a'))
  return invariants
}

const mistakes: readonly [what: string, make: (invariants: Invariants) => void][] = [
  ['both lead in epoch 1', (i) => i.leads(n2, 1n)],
  ['1 was decided as "1 batch a", and as "1 batch b"', (i) => i.decide(n2, batch(1, 'b'))],
  ['decides 3, after 1', (i) => i.decide(n2, batch(3, 'c'))],
  ['the epoch falls at 2', (i) => i.decide(n1, batch(2, 'b', 0n))],
  ['"a" is decided, and refused', (i) => i.refuse('a')],
  [
    '"b" was refused, and is decided',
    (i) => {
      i.refuse('b')
      i.decide(n1, batch(2, 'b'))
    },
  ],
  ['"b" is not what is decided at 1', (i) => i.settledDecided('b', 1)],
  ['no voter is left', (i) => i.decide(n1, members(2, { members: [] }))],
  ['the voters change in one step', (i) => i.decide(n1, members(2, final))],
  ['leave at 2, where the voters were', (i) => i.decide(n1, members(2, { ...joint, outgoing: [n1] }))],
  [
    'two changes at once',
    (i) => {
      i.decide(n1, members(2, joint))
      i.decide(n1, members(3, joint))
    },
  ],
  [
    'n4 is back',
    (i) => {
      i.decide(n1, members(2, { ...founders, removed: [nodeId('n4')] }))
      i.decide(n1, members(3, { members: [...founders.members, peer(4, 'learner')] }))
    },
  ],
  ['which does not show it', (i) => i.changed(1, () => true)],
  [
    'where it is joint',
    (i) => {
      i.decide(n1, members(2, joint))
      i.changed(2, () => true)
    },
  ],
  ['of epoch 2, which was never decided', (i) => i.restore(n2, 1, 2n, founders)],
  ['with other members', (i) => i.restore(n2, 1, 1n, final)],
]

describe('the invariants', () => {
  it.each(mistakes)('notice: %s', (what, make) => {
    const invariants = begun()
    expect(() => make(invariants)).toThrow(Violation)
    const again = begun()
    expect(() => make(again)).toThrow(what)
  })

  it('have nothing against what is right', () => {
    const invariants = begun()
    invariants.decide(n2, batch(1, 'a'))
    invariants.leads(n2, 2n)
    invariants.decide(n1, members(2, joint))
    invariants.decide(n1, members(3, final))
    invariants.changed(3, ({ members }) => members.length === 4)
    invariants.settledDecided('a', 1)
    invariants.refuse('b')
    invariants.restore(n2, 3, 1n, final)
    expect(invariants).toMatchObject({ decided: 3, restored: 1, done: { changes: 2, promotions: 1 } })
  })
})
