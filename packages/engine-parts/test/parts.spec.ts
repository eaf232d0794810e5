import { type Epoch, type Member, type Membership, type Monotonic, nodeId } from '@conclave/interface'
import { describe, expect, it } from 'vitest'
import {
  Configurations,
  decodeMembers,
  encodeMembers,
  Inflight,
  jointWithout,
  jointWithVoters,
  membershipFits,
  Outbox,
  Pledge,
  StableMark,
  settledMembership,
} from '../src/index.ts'

const id = (n: number) => nodeId(`n${n}`)
const voter = (n: number): Member => ({ id: id(n), name: `n${n}`, addresses: [], role: 'voter' })
const learner = (n: number): Member => ({ ...voter(n), role: 'learner' })
const of = (...members: Member[]): Membership => ({ members })

describe('what is durable', () => {
  it('is what the writes that are durable have covered', () => {
    const stable = new StableMark(4)
    stable.issued(1, 6)
    stable.issued(2, 9)
    expect(stable.position).toBe(4)
    stable.persisted(1)
    expect(stable.position).toBe(6)
    stable.persisted(2)
    expect(stable.position).toBe(9)
  })

  it('is not what was replaced while its write was in flight', () => {
    const stable = new StableMark(4)
    stable.issued(1, 6)
    stable.truncatedFrom(6)
    stable.issued(2, 7) // another 6, and 7
    stable.persisted(1)
    expect(stable.position).toBe(5)
    stable.persisted(2)
    expect(stable.position).toBe(7)
  })

  it('falls with a truncation, and is nothing while a received snapshot is being named', () => {
    const stable = new StableMark(4)
    stable.truncatedFrom(3)
    expect(stable.position).toBe(2)
    stable.issued(1, 5)
    stable.reset()
    stable.persisted(1)
    expect(stable.position).toBe(0)
    stable.issued(2, 9)
    stable.persisted(2)
    expect(stable.position).toBe(9)
  })
})

describe('what is on its way to a peer', () => {
  it('bounds what is sent ahead, but never keeps one message back', () => {
    const inflight = new Inflight()
    expect(inflight.hasRoom(0)).toBe(true)
    inflight.sent(3, 50)
    expect(inflight.hasRoom(50)).toBe(false)
    expect(inflight.hasRoom(51)).toBe(true)
  })

  it('ends with an acknowledgement of everything in the message, or with the link', () => {
    const inflight = new Inflight()
    inflight.sent(3, 50)
    inflight.sent(6, 20)
    inflight.acknowledged(5) // of the second message only a part
    expect([inflight.isEmpty, inflight.hasRoom(20), inflight.hasRoom(21)]).toEqual([false, false, true])
    inflight.acknowledged(6)
    expect(inflight.isEmpty).toBe(true)
    inflight.sent(9, 50)
    inflight.clear()
    expect([inflight.isEmpty, inflight.hasRoom(0)]).toEqual([true, true])
  })
})

describe('the configurations in a log', () => {
  const [founders, second, third] = [of(voter(1)), of(voter(1), voter(2)), of(voter(2))]

  it('the latest is in use, decided or not; what is truncated never was', () => {
    const configurations = new Configurations(0, founders, false)
    configurations.append(3, second)
    configurations.append(5, third)
    expect(configurations.latest).toEqual({ position: 5, membership: third })
    configurations.truncateFrom(5)
    expect(configurations.latest.membership).toBe(second)
    expect([0, 2, 3, 9].map((at) => configurations.at(at))).toEqual([founders, founders, second, second])
  })

  it('all from the last one that is decided on may still count, and whoever votes in one of them', () => {
    const configurations = new Configurations(0, founders, false)
    configurations.append(3, second)
    configurations.append(5, third)
    expect(configurations.live(2)).toEqual([founders, second, third])
    expect(configurations.live(4)).toEqual([second, third])
    expect(configurations.live(5)).toEqual([third])
    expect([...configurations.peers(4).keys()]).toEqual(['n1', 'n2'])
    expect([4, 5].map((commit) => configurations.counts(id(1), commit))).toEqual([true, false])
  })

  it('a snapshot stands for those before it', () => {
    const configurations = new Configurations(0, founders, false)
    configurations.append(3, second)
    configurations.append(5, third)
    configurations.snapshotAt(4)
    expect(configurations.at(4)).toBe(second)
    expect(configurations.at(3)).toBeUndefined()
    expect(configurations.latest.membership).toBe(third)
    configurations.reset(9, founders)
    expect(configurations.latest).toEqual({ position: 9, membership: founders })
    expect(() => configurations.snapshotAt(8)).toThrow('no configuration is known at 8')
  })

  it('what a node that joins was told is no configuration to found anything on', () => {
    const configurations = new Configurations(0, founders, true)
    expect(configurations.at(2)).toBeUndefined()
    expect(configurations.latest.membership).toBe(founders)
    configurations.append(3, second)
    expect(configurations.at(3)).toBe(second)
    configurations.snapshotAt(3)
    expect(configurations.at(3)).toBe(second)
  })
})

describe('joint configurations', () => {
  const three = of(voter(1), voter(2), voter(3))

  it('a voter that leaves stands in the joint one as a learner, and in the settled one no more', () => {
    const joint = jointWithout(three, id(3))
    expect(joint).toEqual({ ...of(voter(1), voter(2), learner(3)), outgoing: [id(1), id(2), id(3)] })
    expect(joint && settledMembership(joint)).toEqual({ ...of(voter(1), voter(2)), removed: [id(3)] })
  })

  it('a learner just goes; the last voter, and nobody, do not', () => {
    expect(jointWithout(of(voter(1), learner(2)), id(2))).toEqual({ ...of(voter(1)), removed: [id(2)] })
    expect(jointWithout(of(voter(1), learner(2)), id(1))).toBeUndefined()
    expect(jointWithout(three, id(9))).toBeUndefined()
  })

  it('learners become voters by a joint one as well', () => {
    const joint = jointWithVoters(of(voter(1), { ...learner(2), promote: true }, learner(3)), new Set([id(2)]))
    expect(joint).toEqual({ ...of(voter(1), voter(2), learner(3)), outgoing: [id(1)] })
    expect(settledMembership(joint)).toEqual(of(voter(1), voter(2), learner(3)))
    expect(settledMembership(three)).toBe(three)
  })

  it('only the newest five hundred of those who were removed are kept', () => {
    const removed = Array.from({ length: 500 }, (_, n) => id(100 + n))
    const after = jointWithout({ ...of(voter(1), learner(2)), removed }, id(2))
    expect(after?.removed).toEqual([...removed.slice(1), id(2)])
  })
})

describe('the bytes of a configuration', () => {
  it('say everything of it', () => {
    const membership: Membership = {
      members: [{ ...voter(1), addresses: ['/ip4/127.0.0.1/tcp/1'] }, learner(2), { ...learner(3), promote: true }],
      outgoing: [id(1), id(4)],
      removed: [id(9)],
    }
    expect(decodeMembers(encodeMembers(membership))).toEqual(membership)
    expect(decodeMembers(encodeMembers(of(voter(1))))).toEqual(of(voter(1)))
  })

  it('fit if everybody could read them: in number, in size, in a message beside what else is in it', () => {
    expect(membershipFits(of(voter(1)), 1_000, 40)).toBe(true)
    expect(membershipFits(of(voter(1)), 50, 40)).toBe(false)
    expect(membershipFits(of(...Array.from({ length: 1_001 }, (_, n) => voter(n))), 1 << 20, 40)).toBe(false)
    const long = { ...voter(1), addresses: Array.from({ length: 31 }, () => 'x'.repeat(1_000)) }
    expect(membershipFits(of(long), 1 << 20, 40)).toBe(true)
    expect(membershipFits(of(long, { ...long, id: id(2) }), 1 << 20, 40)).toBe(false)
    expect(membershipFits(of({ ...voter(1), addresses: ['x'.repeat(1_025)] }), 1 << 20, 40)).toBe(false)
  })
})

describe('pledges', () => {
  const at = (ms: number) => ms as Monotonic

  it('forbid to help anybody else, for as long as they last', () => {
    const pledge = new Pledge(false, 300)
    pledge.give(id(2), at(100), 1)
    expect(pledge.forbids(id(3), at(399))).toBe(true)
    expect(pledge.forbids(id(2), at(399))).toBe(false)
    expect(pledge.forbids(id(3), at(400))).toBe(false)
  })

  it('the first one waits until it is on disk that there are any', () => {
    const pledge = new Pledge(false, 300)
    expect(pledge.give(id(2), at(100), 7)).toBe(false)
    pledge.persisted(6)
    expect(pledge.give(id(2), at(110), 8)).toBe(false)
    pledge.persisted(7)
    expect(pledge.give(id(2), at(120), 9)).toBe(true)
  })

  it('are over when their leader has given its reign away', () => {
    const pledge = new Pledge(false, 300)
    pledge.give(id(2), at(100), 1)
    pledge.release()
    expect(pledge.forbids(id(3), at(101))).toBe(false)
  })

  it('one that starts again, and has ever made any, keeps quiet from its first step on', () => {
    const pledge = new Pledge(true, 300)
    expect(pledge.isQuiet(at(0))).toBe(true)
    pledge.begin(at(1_000))
    pledge.begin(at(1_200)) // not its first
    pledge.release() // of what it promises now
    expect(pledge.forbids(id(2), at(1_299))).toBe(true)
    expect(pledge.forbids(id(2), at(1_300))).toBe(false)
    expect(new Pledge(false, 300).isQuiet(at(0))).toBe(false)
  })
})

describe('the effects of a turn', () => {
  it('are handed over once; writes are numbered, and the leader is told when it has changed', () => {
    const out = new Outbox()
    const [first, second] = [1n as Epoch, 2n as Epoch]
    expect(out.drain(undefined, { epoch: first })).toEqual({ send: [], decide: [], settle: [], leader: { epoch: 1n } })
    expect(out.drain(undefined, { epoch: first })).toEqual({ send: [], decide: [], settle: [] })
    expect(out.nextWrite).toBe(1)
    const { write, leader } = out.drain(new Uint8Array([7]), { epoch: second, id: id(1) })
    expect(write).toEqual({ id: 1, ops: [{ type: 'meta', bytes: new Uint8Array([7]) }] })
    expect(leader).toEqual({ epoch: 2n, id: 'n1' })
    expect(out.nextWrite).toBe(2)
    out.capture = true
    out.settle(3 as never, { type: 'unknown' })
    expect(out.drain(undefined, { epoch: second, id: id(1) })).toEqual({
      send: [],
      decide: [],
      settle: [{ id: 3, outcome: { type: 'unknown' } }],
      capture: true,
    })
    expect(out.drain(undefined, { epoch: second, id: id(1) })).toEqual({ send: [], decide: [], settle: [] })
  })
})
