/** Paxos for one value, as the papers tell it. */
import { type NodeId, nodeId, seededRandom } from '@conclave/interface'
import { flexible, majority, type Quorum } from '@conclave/quorum'
import { describe, expect, it } from 'vitest'
import {
  type AcceptReply,
  acceptValue,
  type Ballot,
  countAccepted,
  newAcceptor,
  newBallot,
  type PromiseReply,
  promiseBallot,
  type SynodAcceptor,
  type SynodProposer,
  takePromise,
} from '../src/index.ts'

const [a, b, c] = [nodeId('a'), nodeId('b'), nodeId('c')]
const ballot = (round: number, ordinal = 1): Ballot => ({ round, ordinal })
const promised = (of: Ballot, vote?: { ballot: Ballot; value: string }): PromiseReply<string> => ({
  type: 'promise',
  ballot: of,
  ...(vote && { vote }),
})

describe('an acceptor', () => {
  it('promises a ballot, and from then on refuses lower ones', () => {
    const [acceptor, reply] = promiseBallot(newAcceptor<string>(), ballot(2))
    expect(reply).toEqual(promised(ballot(2)))
    expect(promiseBallot(acceptor, ballot(1))).toEqual([acceptor, { type: 'nack', promised: ballot(2) }])
    expect(acceptValue(acceptor, { ballot: ballot(1, 9), value: 'x' })).toEqual([
      acceptor,
      { type: 'nack', promised: ballot(2) },
    ])
  })

  it('accepts the ballot that it promised, or a higher one, and promises it with that', () => {
    const [promisedTwo] = promiseBallot(newAcceptor<string>(), ballot(2))
    const [accepted, reply] = acceptValue(promisedTwo, { ballot: ballot(3), value: 'x' })
    expect(reply).toEqual({ type: 'accepted', ballot: ballot(3) })
    expect(promiseBallot(accepted, ballot(2, 9))[1]).toEqual({ type: 'nack', promised: ballot(3) })
    expect(promiseBallot(accepted, ballot(4))[1]).toEqual(promised(ballot(4), { ballot: ballot(3), value: 'x' }))
  })

  it('answers a doubled prepare as it did the first time', () => {
    const [once, first] = promiseBallot(newAcceptor<string>(), ballot(2))
    expect(promiseBallot(once, ballot(2))).toEqual([once, first])
  })
})

describe('a proposer', () => {
  const begin = (quorum: Quorum = majority([a, b, c])) => newBallot(ballot(5), 'mine', quorum)

  it('may propose its own wish if no promise of a quorum carries a value', () => {
    const one = takePromise(begin(), a, promised(ballot(5)))
    expect(one.value).toBeUndefined()
    expect(takePromise(one, a, promised(ballot(5))).value).toBeUndefined() // the same one again
    expect(takePromise(one, b, promised(ballot(5))).value).toBe('mine')
  })

  it('P2c: else it must propose the value of the highest ballot among them', () => {
    let proposer = takePromise(begin(), a, promised(ballot(5), { ballot: ballot(3, 1), value: 'older' }))
    proposer = takePromise(proposer, b, promised(ballot(5), { ballot: ballot(3, 2), value: 'newer' }))
    expect(proposer.value).toBe('newer')
    expect(takePromise(proposer, c, promised(ballot(5), { ballot: ballot(4), value: 'late' })).value).toBe('newer')
  })

  it('counts neither promises nor acceptances of another ballot, nor refusals', () => {
    let proposer = takePromise(begin(), a, promised(ballot(4)))
    proposer = takePromise(proposer, b, promised(ballot(5)))
    proposer = takePromise(proposer, c, { type: 'nack', promised: ballot(6) })
    expect(proposer.value).toBeUndefined()
    for (const id of [a, b]) proposer = countAccepted(proposer, id, { type: 'accepted', ballot: ballot(4) })
    proposer = countAccepted(proposer, c, { type: 'nack', promised: ballot(6) })
    expect(proposer.chosen).toBe(false)
  })

  it('a value is chosen when a quorum has accepted it in one ballot', () => {
    const once = countAccepted(begin(), a, { type: 'accepted', ballot: ballot(5) })
    expect(once.chosen).toBe(false)
    expect(countAccepted(once, b, { type: 'accepted', ballot: ballot(5) }).chosen).toBe(true)
  })
})

/** Three acceptors, several proposers, and messages in any order, lost and doubled, from a seed. @returns every value that was ever chosen. */
const storm = (seed: number, quorum: Quorum): Set<string> => {
  const random = seededRandom(seed)
  const below = (n: number) => Math.floor(random.next() * n)
  const acceptors = new Map<NodeId, SynodAcceptor<string>>([a, b, c].map((id) => [id, newAcceptor<string>()]))
  const proposers: SynodProposer<string>[] = []
  const chosen = new Set<string>()
  const replies: { to: number; from: NodeId; phase1?: PromiseReply<string>; phase2?: AcceptReply }[] = []
  for (let step = 0; step < 400; step++) {
    const id = [a, b, c][below(3)] ?? a
    const acceptor = acceptors.get(id) ?? newAcceptor<string>()
    const which = below(proposers.length)
    const proposer = proposers[which]
    const dice = below(10)
    if (dice === 0 || proposer === undefined)
      proposers.push(newBallot(ballot(1 + below(20), proposers.length), `v${step}`, quorum))
    else if (dice < 4) {
      const [next, phase1] = promiseBallot(acceptor, proposer.ballot)
      acceptors.set(id, next)
      replies.push({ to: which, from: id, phase1 })
    } else if (dice < 7 && proposer.value !== undefined) {
      const [next, phase2] = acceptValue(acceptor, { ballot: proposer.ballot, value: proposer.value })
      acceptors.set(id, next)
      replies.push({ to: which, from: id, phase2 })
    } else {
      const reply = replies[below(replies.length)] // it stays: it may come twice
      const to = reply && proposers[reply.to]
      if (to === undefined || reply === undefined) continue
      const next = reply.phase1 ? takePromise(to, reply.from, reply.phase1) : to
      const after = reply.phase2 ? countAccepted(next, reply.from, reply.phase2) : next
      proposers[reply.to] = after
      if (after.chosen && after.value !== undefined) chosen.add(after.value)
    }
  }
  return chosen
}

describe('safety', () => {
  it('whatever messages do, at most one value is ever chosen', () => {
    let some = 0
    for (let seed = 1; seed <= 500; seed++) {
      const chosen = storm(seed, majority([a, b, c]))
      expect(chosen.size, `seed ${seed}`).toBeLessThanOrEqual(1)
      some += chosen.size
    }
    expect(some).toBeGreaterThan(250)
  })

  it('and it is the intersection of quorums that does it: with quorums of one, several are', () => {
    const most = Array.from({ length: 200 }, (_, seed) => storm(seed, flexible([a, b, c], 1)).size)
    expect(Math.max(...most)).toBeGreaterThan(1)
  })
})
