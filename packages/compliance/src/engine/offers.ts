import assert from 'node:assert/strict'
import type { Member, MembershipChange, NodeId, Outcome, Supports } from '@conclave/interface'
import type { SuiteTest } from '../suite.ts'
import { decided, inCell, snapshots } from './cases.ts'
import type { Cell } from './cell.ts'
import type { EngineNode } from './node.ts'
import type { EngineSubject } from './subject.ts'

const others = (cell: Cell, but: EngineNode): EngineNode[] => cell.nodes.filter((node) => node !== but)

/** Skipped, with the reason, if the engine does not offer it. */
const offered = (supports: Supports, what: keyof Supports, test: SuiteTest): SuiteTest =>
  supports[what] ? test : { ...test, skipped: `the engine says supports.${what} = false` }

/** Only for engines that do not offer it. */
const declined = (supports: Supports, what: keyof Supports, test: SuiteTest): SuiteTest =>
  supports[what] ? { ...test, skipped: `the engine says supports.${what} = true` } : test

const reads = (subject: EngineSubject, supports: Supports): readonly SuiteTest[] => [
  offered(
    supports,
    'reads',
    inCell(
      subject,
      'read: readAt after a quorum round, at a position that holds what was acknowledged',
      (cell, leader) => {
        const write = cell.propose(leader, 'seen')
        cell.settle()
        const id = cell.read(leader)
        cell.settle()
        const [written, outcome] = [cell.outcome(leader, write), cell.outcome(leader, id)]
        assert.ok(written?.type === 'decided' && outcome?.type === 'readAt', `the read is ${outcome?.type}`)
        assert.ok(outcome.position >= written.position)
      },
    ),
  ),
  offered(
    supports,
    'reads',
    inCell(subject, 'read: who does not lead refuses', (cell, leader) => {
      for (const node of others(cell, leader)) {
        const id = cell.read(node)
        cell.settle()
        assert.equal(cell.outcome(node, id)?.type, 'refused')
      }
    }),
  ),
  ...(['linearizable', 'lease'] as const).map((level) =>
    offered(
      supports,
      'reads',
      inCell(
        subject,
        `read: a leader that is cut off serves no ${level} read without a quorum, however long it believes`,
        (cell, leader) => {
          cell.cut = (from, to) => (from === leader.id) !== (to === leader.id)
          const ids = [cell.read(leader, level)]
          for (let at = 0; at < 100; at++) {
            cell.pass(1)
            if (at % 10 === 0) ids.push(cell.read(leader, level))
          }
          for (const id of ids)
            assert.notEqual(cell.outcome(leader, id)?.type, 'readAt', 'a read was served without a quorum')
          const next = others(cell, leader).find(({ status }) => status.leading)
          assert.ok(next !== undefined, 'the majority has elected nobody')
          cell.cut = () => false
          cell.pass(50)
        },
      ),
    ),
  ),
  offered(
    supports,
    'reads',
    inCell(
      subject,
      'cancel: nobody waits for this read any more: it settles no more; a proposal cannot be cancelled',
      (cell, leader) => {
        cell.cut = () => true
        const read = cell.read(leader)
        const write = cell.propose(leader, 'stays')
        cell.cancel(leader, read)
        leader.turn(cell.now, { type: 'cancel', id: write })
        cell.cut = () => false
        cell.pass(20)
        assert.equal(cell.outcome(leader, read), undefined, 'a cancelled read settled')
        assert.ok(cell.outcome(leader, write) !== undefined, 'a proposal that somebody tried to cancel never settled')
      },
    ),
  ),
  declined(
    supports,
    'reads',
    inCell(subject, 'read: refused by an engine that offers none', (cell, leader) => {
      const id = cell.read(leader)
      cell.settle()
      assert.equal(cell.outcome(leader, id)?.type, 'refused')
    }),
  ),
]

const reconfigure = (cell: Cell, node: EngineNode, change: MembershipChange, ticks = 300): Outcome | undefined => {
  const id = cell.request(node, 'change')
  node.turn(cell.now, { type: 'reconfigure', id, change })
  for (let at = 0; at < ticks && cell.outcome(node, id) === undefined; at++) cell.pass(1)
  return cell.outcome(node, id)
}

const idsOf = ({ status }: EngineNode): NodeId[] => status.membership.members.map(({ id }) => id).sort()

const membership = (subject: EngineSubject, supports: Supports): readonly SuiteTest[] => [
  offered(
    supports,
    'learners',
    inCell(subject, 'reconfigure add: a learner receives everything and counts in no quorum', (cell, leader) => {
      const learner = cell.join(4)
      const { role: _, ...peer } = cell.member(4)
      assert.equal(reconfigure(cell, leader, { type: 'add', member: peer, role: 'learner' })?.type, 'decided')
      cell.until('the learner has caught up', () => learner.decidedPosition === leader.decidedPosition)
      assert.equal(learner.status.self, 'learner')
      const voters = others(cell, leader).filter((node) => node !== learner)
      cell.cut = (from, to) => voters.some(({ id }) => id === from || id === to)
      const id = cell.propose(leader, 'one voter and a learner')
      cell.pass(5)
      assert.equal(cell.outcome(leader, id)?.type === 'decided', false, 'a learner was counted in a quorum')
      cell.cut = () => false
      cell.pass(50)
    }),
  ),
  offered(
    supports,
    'membership',
    inCell(subject, 'reconfigure add, then remove: decided, told to all, and settled once each', (cell, leader) => {
      const joining = cell.join(4)
      const { role: _, ...peer } = cell.member(4)
      assert.equal(reconfigure(cell, leader, { type: 'add', member: peer, role: 'voter' })?.type, 'decided')
      cell.until('the new member votes', () => joining.status.self === 'voter')
      cell.pass(20)
      assert.deepEqual(
        cell.nodes.map(idsOf),
        cell.nodes.map(() => ['n1', 'n2', 'n3', 'n4']),
      )
      const [leaving] = others(cell, leader).filter((node) => node !== joining)
      if (leaving === undefined) return
      assert.equal(reconfigure(cell, leader, { type: 'remove', id: leaving.id })?.type, 'decided')
      cell.pass(20)
      for (const node of others(cell, leaving)) assert.ok(!idsOf(node).includes(leaving.id))
      const id = cell.propose(leader, 'without it')
      cell.pass(20)
      assert.equal(cell.outcome(leader, id)?.type, 'decided')
    }),
  ),
  offered(
    supports,
    'membership',
    inCell(
      subject,
      'reconfigure remove: the last voter cannot leave; who is no member cannot either',
      (cell, leader) => {
        assert.equal(reconfigure(cell, leader, { type: 'remove', id: leader.id })?.type, 'refused')
        assert.equal(reconfigure(cell, leader, { type: 'remove', id: 'nobody' as NodeId })?.type, 'refused')
        assert.equal(reconfigure(cell, leader, { type: 'add', member: cell.member(1), role: 'voter' })?.type, 'refused')
      },
      { nodes: 1 },
    ),
  ),
  offered(
    supports,
    'membership',
    inCell(subject, 'reconfigure remove: maybe the leader itself: another leads, without it', (cell, leader) => {
      assert.equal(reconfigure(cell, leader, { type: 'remove', id: leader.id })?.type, 'decided')
      const rest = others(cell, leader)
      cell.until('another leader', () => rest.some(({ status }) => status.leading))
      const next = rest.find(({ status }) => status.leading)
      if (next === undefined) return
      const id = cell.propose(next, 'two of two')
      cell.pass(20)
      assert.equal(cell.outcome(next, id)?.type, 'decided')
      assert.ok(!leader.status.leading, 'a leader that was removed still believes that it leads')
      for (const node of rest) assert.ok(!idsOf(node).includes(leader.id))
    }),
  ),
  offered(
    supports,
    'membership',
    inCell(
      subject,
      'reconfigure update: a member gets other addresses; decided as members, peers told anew',
      (cell, leader) => {
        const [node] = others(cell, leader)
        if (node === undefined) return
        const addresses = ['/ip4/127.0.0.77/tcp/7400']
        const member = { id: node.id, name: 'renamed', addresses }
        assert.equal(reconfigure(cell, leader, { type: 'update', member })?.type, 'decided')
        cell.pass(20)
        for (const each of cell.nodes) {
          const found: Member | undefined = each.status.membership.members.find(({ id }) => id === node.id)
          assert.deepEqual([found?.name, found?.addresses, found?.role], ['renamed', addresses, 'voter'])
          const told = each.log.findLast(({ type }) => type === 'members')
          assert.ok(told?.type === 'members' && told.membership.members.some(({ name }) => name === 'renamed'))
        }
      },
    ),
  ),
  offered(
    supports,
    'membership',
    inCell(
      subject,
      'reconfigure: a change is taken when the one before is done, and refused until then',
      (cell, leader) => {
        cell.cut = () => true
        const { role: _, ...peer } = cell.member(4)
        const first = cell.request(leader, 'change')
        leader.turn(cell.now, {
          type: 'reconfigure',
          id: first,
          change: { type: 'add', member: peer, role: 'learner' },
        })
        const second = cell.request(leader, 'change')
        leader.turn(cell.now, { type: 'reconfigure', id: second, change: { type: 'remove', id: leader.id } })
        cell.settle()
        assert.deepEqual(cell.outcome(leader, second), { type: 'refused', reason: 'in-progress' })
        cell.cut = () => false
        cell.pass(50)
        assert.ok(cell.outcome(leader, first) !== undefined, 'the first change never settled')
      },
    ),
  ),
  declined(
    supports,
    'membership',
    inCell(subject, 'reconfigure: refused as unsupported by an engine that offers no changes', (cell, leader) => {
      assert.deepEqual(reconfigure(cell, leader, { type: 'remove', id: leader.id }), {
        type: 'refused',
        reason: 'unsupported',
      })
    }),
  ),
]

const transfers = (subject: EngineSubject, supports: Supports): readonly SuiteTest[] => [
  offered(
    supports,
    'transfer',
    inCell(subject, 'transfer: leadership goes to this voter; the news is in Effects.leader', (cell, leader) => {
      const [heir] = others(cell, leader)
      if (heir === undefined) return
      leader.turn(cell.now, { type: 'transfer', to: heir.id })
      cell.pass(9)
      assert.equal(cell.leader()?.id, heir.id, `after nine ticks: ${cell.beliefs}`)
    }),
  ),
  offered(
    supports,
    'transfer',
    inCell(subject, 'transfer: ignored by who does not lead; given up after an election time-out', (cell, leader) => {
      const [heir, other] = others(cell, leader)
      if (heir === undefined || other === undefined) return
      other.turn(cell.now, { type: 'transfer', to: heir.id })
      cell.pass(30)
      assert.equal(cell.leader()?.id, leader.id, 'who does not lead gave leadership away')
      cell.cut = (from, to) => from === heir.id || to === heir.id
      leader.turn(cell.now, { type: 'transfer', to: heir.id })
      cell.pass(30)
      const id = cell.propose(leader, 'leads on')
      cell.pass(5)
      assert.equal(
        cell.outcome(leader, id)?.type,
        'decided',
        'a transfer to who cannot be reached stops the leader for good',
      )
      cell.cut = () => false
      cell.pass(50)
    }),
  ),
  declined(
    supports,
    'transfer',
    inCell(subject, 'transfer: ignored by an engine that offers none', (cell, leader) => {
      const [heir] = others(cell, leader)
      if (heir !== undefined) leader.turn(cell.now, { type: 'transfer', to: heir.id })
      cell.pass(50)
      assert.equal(cell.leader()?.id, leader.id)
    }),
  ),
]

const leases = (subject: EngineSubject, supports: Supports): readonly SuiteTest[] => [
  offered(
    supports,
    'leases',
    inCell(
      subject,
      'read lease: served under a lease, and not when the process goes on after a pause with its old beliefs',
      (cell, leader) => {
        cell.pass(30)
        const fresh = cell.read(leader, 'lease')
        cell.settle()
        assert.equal(cell.outcome(leader, fresh)?.type, 'readAt')
        cell.cut = (from, to) => (from === leader.id) !== (to === leader.id)
        const rest = others(cell, leader)
        // The leader is stopped: the others tick alone.
        for (let at = 0; at < 200; at++) {
          cell.tick(rest)
          cell.settle()
        }
        const next = rest.find(({ status }) => status.leading)
        assert.ok(next !== undefined, 'the others elected nobody')
        const write = cell.propose(next, 'behind its back')
        cell.settle()
        assert.equal(cell.outcome(next, write)?.type, 'decided')
        const stale = cell.read(leader, 'lease')
        cell.pass(1)
        assert.notEqual(cell.outcome(leader, stale)?.type, 'readAt', 'a lease was believed after a pause')
        cell.cut = () => false
        cell.pass(60)
      },
      { leases: true },
    ),
  ),
]

const snapshotting = (subject: EngineSubject, supports: Supports): readonly SuiteTest[] => [
  ...snapshots(subject).map((test) => offered(supports, 'snapshots', test)),
  declined(
    supports,
    'snapshots',
    inCell(subject, 'captured, snapshotReceived: named by no engine that offers no snapshots', (cell, leader) => {
      decided(cell, leader, 'kept for ever')
      leader.capture(cell.now)
      leader.receiveSnapshot(cell.now, others(cell, leader)[0]?.id ?? leader.id, new Uint8Array())
      cell.settle()
      assert.equal(leader.disk.state.snapshot, undefined)
      decided(cell, leader, 'goes on')
    }),
  ),
]

/** What `supports` gates. */
export const offers = (subject: EngineSubject, supports: Supports): readonly SuiteTest[] => [
  ...snapshotting(subject, supports),
  ...reads(subject, supports),
  ...membership(subject, supports),
  ...transfers(subject, supports),
  ...leases(subject, supports),
]
