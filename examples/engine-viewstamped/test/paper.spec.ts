/** Sentences of "Viewstamped Replication Revisited", sections 4 to 6, and what holds if they do. */
import { nodeId } from '@conclave/interface'
import { describe, expect, it } from 'vitest'
import { type Entry, entryKind, makeEntry, makeReign, type View } from '../src/entry.ts'
import type { Message } from '../src/messages.ts'
import { Group, type TestReplica } from './replicas.ts'

const v = (of: number): View => of as View
const [n0, n1, n2] = [nodeId('n0'), nodeId('n1'), nodeId('n2')]
const entry = (of: number, text = `of view ${of}`): Entry =>
  makeEntry(v(of), entryKind.batch, new TextEncoder().encode(text))

/** Entries after `after`, by their views. */
const part = (after: number, afterView: number, entries: readonly Entry[]) => ({
  after,
  afterView: v(afterView),
  entries,
})
const prepare = (view: number, after: number, afterView: number, entries: readonly Entry[], commit = 0): Message => ({
  type: 'prepare',
  view: v(view),
  commit,
  part: part(after, afterView, entries),
})
/** The reign of n1 in view 1 and so many requests. */
const firstView = (requests: number): Entry[] => [
  makeReign(v(1), n1),
  ...Array.from({ length: requests }, (_, at) => entry(1, `${at}`)),
]
const startView = (view: number, entries: readonly Entry[], commit = 0): Message => ({
  type: 'startView',
  view: v(view),
  commit,
  part: part(0, 0, entries),
})
const doViewChange = (view: number, lastNormal: number, entries: readonly Entry[], commit = 0): Message => ({
  type: 'doViewChange',
  view: v(view),
  lastNormal: v(lastNormal),
  op: entries.length,
  commit,
  part: part(0, 0, entries),
})
const decided = (replica: TestReplica, id: number) => expect(replica.outcome(id)?.type).toBe('decided')

describe('4 the replicas', () => {
  it('the primary is chosen round-robin, as replicas move to new views', () => {
    const group = new Group()
    const first = group.primary()
    expect([first.id, first.status.epoch]).toEqual([n1, 1n])
    group.away.add(n1)
    const second = group.primary(first)
    expect([second.id, second.status.epoch]).toEqual([n2, 2n])
  })

  it('if the sender is behind, the receiver drops the message', () => {
    const group = new Group()
    const backup = group.at(0)
    backup.receive('n2', startView(2, [...firstView(2), makeReign(v(2), n2)]))
    group.said.length = 0
    backup.receive('n1', prepare(1, 4, 2, [entry(1)], 4))
    expect(backup.status).toMatchObject({ epoch: 2n, last: 4, decided: 0 })
    expect(group.said).toEqual([])
  })

  it('the status, view-number and log survive a crash: a backup goes on where it was', () => {
    const group = new Group()
    const primary = group.primary()
    primary.propose(1)
    group.pass(10)
    const backup = group.restart(0)
    expect(backup.status).toMatchObject({ role: 'backup', epoch: 1n, last: 2 })
    primary.propose(2)
    group.pass(10)
    expect(backup.requests).toEqual(['request 1', 'request 2'])
  })
})

describe('4.1 normal operation', () => {
  it('the primary advances op-number, adds the request to its log and sends PREPARE; backups answer PREPAREOK', () => {
    const group = new Group()
    const primary = group.primary()
    group.said.length = 0
    primary.propose(1)
    group.settle()
    expect(group.of('prepare', primary)).toMatchObject([
      { view: 1, commit: 1, part: { after: 1, entries: [{ view: 1 }] } },
      { view: 1, commit: 1, part: { after: 1, entries: [{ view: 1 }] } },
    ])
    expect(group.of('prepareOk')).toEqual([
      { type: 'prepareOk', view: 1, op: 2 },
      { type: 'prepareOk', view: 1, op: 2 },
    ])
  })

  it('the primary waits for f PREPAREOK messages from different backups; then the operation and all earlier ones are committed', () => {
    const group = new Group(5)
    const primary = group.primary()
    primary.propose(1)
    primary.propose(2)
    for (const _ of [1, 2]) primary.receive('n0', { type: 'prepareOk', view: v(1), op: 3 })
    expect(primary.outcome(2)).toBeUndefined()
    primary.receive('n2', { type: 'prepareOk', view: v(1), op: 3 })
    decided(primary, 1)
    decided(primary, 2)
  })

  it("the primary's own log counts once it is on its disk", () => {
    const group = new Group()
    const primary = group.primary()
    primary.holdSyncs = true
    primary.propose(1)
    group.settle(({ from }) => from === n2)
    expect(primary.outcome(1)).toBeUndefined()
    primary.sync()
    decided(primary, 1)
  })

  it('a backup accepts no PREPARE until it has entries for all earlier requests; it asks for them', () => {
    const group = new Group()
    const backup = group.at(0)
    backup.receive('n1', startView(1, firstView(0)))
    group.said.length = 0
    backup.receive('n1', prepare(1, 3, 1, [entry(1)]))
    expect(backup.status.last).toBe(1)
    expect(group.said.map(({ to, message }) => [to, message])).toEqual([[n1, { type: 'getState', view: 1, after: 1 }]])
  })

  it('PREPAREOK says that this and all earlier operations have prepared locally: on disk', () => {
    const group = new Group()
    const backup = group.at(0)
    backup.receive('n1', startView(1, firstView(0)))
    group.said.length = 0
    backup.holdSyncs = true
    for (const _ of [1, 2]) backup.receive('n1', prepare(1, 1, 1, [entry(1)]))
    expect(group.of('prepareOk')).toEqual([])
    backup.sync()
    expect(group.of('prepareOk').map(({ op }) => op)).toEqual([2, 2])
  })

  it('backups learn of the commit with the next PREPARE, or, without a new request, by COMMIT', () => {
    const group = new Group()
    const primary = group.primary()
    primary.propose(1)
    group.settle()
    expect(group.at(0).requests).toEqual([])
    group.pass(5)
    expect(group.at(0).requests).toEqual(['request 1'])
    primary.propose(2)
    group.settle()
    primary.propose(3)
    group.settle()
    expect(group.at(0).requests).toEqual(['request 1', 'request 2'])
  })

  it('a PREPAREOK of an earlier view counts for nothing', () => {
    const group = new Group()
    const primary = group.primary()
    group.away.add(n1)
    const next = group.primary(primary)
    group.away.add(n0)
    next.propose(1)
    next.receive('n0', { type: 'prepareOk', view: v(1), op: next.status.last })
    expect(next.outcome(1)).toBeUndefined()
  })

  it('a COMMIT tells what was sent, so that the loss of the last PREPARE is noticed', () => {
    const group = new Group()
    const primary = group.primary()
    primary.propose(1)
    group.settle(({ message }) => message.type === 'prepare')
    expect(group.at(0).status.last).toBe(1)
    group.pass(15)
    decided(primary, 1)
    expect(group.at(0).requests).toEqual(['request 1'])
  })
})

describe('4.2 view changes', () => {
  it('a replica notices the need for a view change by its own timer, and changes it when f others do too', () => {
    const group = new Group()
    const [suspicious, other] = [group.at(0), group.at(2)]
    group.primary()
    suspicious.tick(60)
    expect(suspicious.status).toMatchObject({ role: 'backup', epoch: 1n })
    group.settle()
    expect(other.status).toMatchObject({ role: 'backup', epoch: 1n }) // it has heard the primary
    group.away.add(n1)
    group.pass(61)
    expect(suspicious.status.epoch).toBeGreaterThan(1n)
  })

  it('a replica that comes back after a long time deposes nobody', () => {
    const group = new Group()
    const primary = group.primary()
    group.away.add(n0)
    group.pass(300)
    group.away.clear()
    group.pass(100)
    expect(group.at(1)).toBe(primary)
    expect(primary.status).toMatchObject({ leading: true, epoch: 1n })
  })

  it('STARTVIEWCHANGE with a larger view-number makes a replica advance its own, and say so to all', () => {
    const group = new Group()
    const replica = group.at(0)
    replica.receive('n2', { type: 'startViewChange', view: v(4) })
    expect(replica.status).toMatchObject({ role: 'view-change', epoch: 4n })
    expect(group.of('startViewChange', replica).map(({ view }) => view)).toEqual([4, 4])
  })

  it('DOVIEWCHANGE goes to the new primary upon STARTVIEWCHANGE from f others', () => {
    const group = new Group(5)
    const replica = group.at(0)
    replica.receive('n2', { type: 'startViewChange', view: v(4) })
    expect(group.of('doViewChange')).toEqual([])
    replica.receive('n3', { type: 'startViewChange', view: v(4) })
    const [sent] = group.said.filter(({ message }) => message.type === 'doViewChange')
    expect(sent).toMatchObject({ to: 'n4', message: { view: 4, lastNormal: 0, op: 0, commit: 0 } })
  })

  it('DOVIEWCHANGE leaves when view-number and log are on disk', () => {
    const group = new Group()
    const replica = group.at(0)
    replica.holdSyncs = true
    replica.receive('n2', { type: 'startViewChange', view: v(1) })
    expect(group.of('doViewChange')).toEqual([])
    replica.sync()
    expect(group.of('doViewChange')).toHaveLength(1)
    expect(group.restart(0).status.epoch).toBe(1n)
  })

  it('the new log is that with the largest last normal view', () => {
    const group = new Group(5)
    const primary = group.at(1)
    primary.receive('n0', doViewChange(6, 1, firstView(4)))
    primary.receive('n2', doViewChange(6, 2, [...firstView(1), makeReign(v(2), n2)]))
    expect(primary.status).toMatchObject({ leading: true, last: 4 })
    expect(group.of('startView', primary)[0]?.part.entries.map(({ view }) => view)).toEqual([1, 1, 2, 6])
  })

  it('of those with the same last normal view it is the longest', () => {
    const group = new Group(5)
    const primary = group.at(1)
    primary.receive('n0', doViewChange(6, 1, firstView(4)))
    primary.receive('n2', doViewChange(6, 1, firstView(2)))
    expect(primary.status).toMatchObject({ leading: true, last: 6 })
  })

  it('when a better log turns up while another is being taken over, nothing that differs is left of the first', () => {
    const group = new Group(5)
    const primary = group.at(1)
    const first = firstView(9)
    primary.receive('n2', doViewChange(6, 0, []))
    primary.receive('n0', { ...doViewChange(6, 1, first), part: part(8, 1, first.slice(8)) } as Message)
    primary.receive('n0', { type: 'newState', view: v(6), commit: 0, part: part(0, 0, first.slice(0, 5)) })
    expect(primary.status).toMatchObject({ leading: false, last: 5 })
    primary.receive('n3', doViewChange(6, 2, [...firstView(1), makeReign(v(2), n2)]))
    expect(primary.status).toMatchObject({ leading: true, last: 4 })
    expect(group.of('startView', primary)[0]?.part.entries.map(({ view }) => view)).toEqual([1, 1, 2, 6])
  })

  it("the new primary's own DOVIEWCHANGE counts once its view-number is on its disk", () => {
    const group = new Group()
    const primary = group.at(1)
    primary.holdSyncs = true
    primary.receive('n0', doViewChange(4, 1, firstView(1)))
    expect(primary.status.leading).toBe(false)
    primary.sync()
    expect(primary.status.leading).toBe(true)
  })

  it('the commit-number becomes the largest that it received', () => {
    const group = new Group(5)
    const primary = group.at(1)
    primary.receive('n0', doViewChange(6, 1, firstView(4), 2))
    primary.receive('n2', doViewChange(6, 1, firstView(2), 3))
    expect(primary.decided.map(({ position }) => position)).toEqual([1, 2, 3])
  })

  it('STARTVIEW leaves when the beginning of the view is on disk, and nothing of that view before it', () => {
    const group = new Group()
    const primary = group.at(1)
    primary.receive('n0', { type: 'startViewChange', view: v(4) })
    primary.holdSyncs = true
    primary.receive('n0', doViewChange(4, 1, firstView(1)))
    expect(primary.status.leading).toBe(true)
    primary.propose(1)
    primary.tick(10)
    const spoken = () => group.said.filter(({ message: { type } }) => ['startView', 'prepare', 'commit'].includes(type))
    expect(spoken()).toEqual([])
    primary.sync()
    expect(spoken().map(({ message }) => message.type)).toEqual(['startView', 'startView', 'prepare', 'prepare'])
  })

  it('on STARTVIEW the others replace their log, and acknowledge what is not committed', () => {
    const group = new Group()
    const backup = group.at(0)
    backup.receive('n1', startView(1, firstView(3), 1))
    group.said.length = 0
    backup.receive('n2', startView(2, [...firstView(1), makeReign(v(2), n2)], 2))
    expect(backup.status).toMatchObject({ role: 'backup', epoch: 2n, last: 3, decided: 2 })
    expect(group.of('prepareOk')).toEqual([{ type: 'prepareOk', view: 2, op: 3 }])
  })

  it('a view change may not succeed, because the new primary fails: then a further one does, with yet another primary', () => {
    const group = new Group(5)
    const primary = group.primary()
    primary.propose(1)
    group.pass(10)
    group.away.add(n1).add(n2)
    const third = group.primary(primary)
    expect([third.id, third.status.epoch]).toEqual(['n3', 3n])
    expect(third.requests).toEqual(['request 1'])
  })

  it('a primary that hears no quorum gives way, although it is heard', () => {
    const group = new Group()
    const primary = group.primary()
    for (let ticks = 0; ticks < 200; ticks++) {
      for (const at of [0, 1, 2]) group.at(at).tick()
      group.settle(({ to }) => to === n1)
    }
    expect(primary.status.leading).toBe(false)
    expect(group.primary(primary).status.epoch).toBeGreaterThan(1n)
  })

  it('a primary that was restarted does not lead the same view again', () => {
    const group = new Group()
    group.primary()
    const restarted = group.restart(1)
    expect(restarted.status).toMatchObject({ leading: false, epoch: 1n })
    const next = group.primary()
    expect(next.status.epoch).toBeGreaterThan(1n)
  })

  it('what was acknowledged is in the log of every later view', () => {
    const group = new Group()
    const primary = group.primary()
    for (const id of [1, 2, 3]) primary.propose(id)
    group.settle()
    decided(primary, 3)
    for (const at of [0, 1, 2]) group.restart(at)
    group.flying = []
    expect(group.primary().status.last).toBeGreaterThan(4)
    group.pass(20)
    for (const at of [0, 1, 2]) expect(group.at(at).requests).toEqual(['request 1', 'request 2', 'request 3'])
  })
})

describe('5.1 checkpoints, 5.2 state transfer', () => {
  it('a replica that lacks requests of its view sends GETSTATE with its op-number, and gets the log after it', () => {
    const group = new Group()
    const primary = group.primary()
    group.away.add(n0)
    for (const id of [1, 2, 3]) primary.propose(id)
    group.pass(5)
    group.away.clear()
    group.said.length = 0
    group.pass(15)
    expect(group.of('getState')[0]).toEqual({ type: 'getState', view: 1, after: 1 })
    expect(group.of('newState')[0]?.part).toMatchObject({ after: 1, entries: [{}, {}, {}] })
    expect(group.at(0).requests).toHaveLength(3)
  })

  it('one that has heard of a later view asks from its commit-number', () => {
    const group = new Group()
    const backup = group.at(0)
    backup.receive('n1', startView(1, firstView(3), 2))
    group.said.length = 0
    backup.receive('n2', { type: 'commit', view: v(2), commit: 2, op: 3, round: 0 })
    expect(backup.status).toMatchObject({ role: 'state-transfer', epoch: 2n })
    expect(group.of('getState')).toEqual([{ type: 'getState', view: 2, after: 2 }])
  })

  it('it keeps what it acknowledged until its successor is there: a view change meanwhile still finds it', () => {
    const group = new Group()
    const backup = group.at(0)
    backup.receive('n1', startView(1, firstView(3), 1))
    backup.receive('n2', { type: 'commit', view: v(2), commit: 1, op: 6, round: 0 })
    backup.receive('n2', { type: 'startViewChange', view: v(4) })
    expect(group.of('doViewChange')).toMatchObject([{ view: 4, lastNormal: 1, op: 4 }])
  })

  it('with a part of the log of a later view it does not count as normal there', () => {
    const group = new Group()
    const backup = group.at(0)
    backup.receive('n1', startView(1, firstView(3), 1))
    backup.receive('n2', prepare(2, 1, 1, [...firstView(1).slice(1), makeReign(v(2), n2)].slice(0, 1)))
    backup.receive('n2', { type: 'startViewChange', view: v(4) })
    expect(group.of('doViewChange')).toMatchObject([{ view: 4, lastNormal: 1, op: 4 }])
    expect(group.of('prepareOk').filter(({ view }) => view === 2)).toEqual([])
  })

  it('pages are no larger than a message may be', () => {
    const group = new Group(3, { messageBytes: 400 })
    const primary = group.primary()
    group.away.add(n0)
    for (let id = 1; id <= 20; id++) primary.propose(id, `${id} ${'x'.repeat(100)}`)
    group.pass(5)
    group.away.clear()
    group.said.length = 0
    group.pass(15)
    const pages = [...group.of('newState'), ...group.of('prepare')].map((message) => message.part.entries.length)
    expect(pages.length).toBeGreaterThan(6)
    expect(Math.max(...pages)).toBeLessThan(4)
    expect(group.at(0).requests).toHaveLength(20)
  })

  it('5.3 a DOVIEWCHANGE has a suffix of the log; the new primary asks for what it lacks', () => {
    const group = new Group(3, { messageBytes: 400 })
    const primary = group.primary()
    group.away.add(n2)
    for (let id = 1; id <= 20; id++) primary.propose(id, `${id} ${'x'.repeat(100)}`)
    group.settle()
    group.away.clear()
    group.away.add(n1)
    const next = group.primary(primary)
    expect(next.id).toBe(n2)
    const [sent] = group.of('doViewChange', group.at(0)).filter(({ view }) => view === 2)
    expect(sent?.part.entries.length).toBeLessThan(4)
    expect(group.of('getState', next).length).toBeGreaterThan(1)
    group.pass(20)
    expect(next.requests).toHaveLength(20)
  })
})

describe('6.3 reads', () => {
  it('a read is served once a quorum has said, in a round that began after it, that the view goes on', () => {
    const group = new Group()
    const primary = group.primary()
    primary.propose(1)
    group.settle()
    primary.read(7)
    expect(primary.outcome(7)).toBeUndefined()
    group.settle()
    expect(primary.outcome(7)).toEqual({ type: 'readAt', position: 2 })
  })

  it('not by answers to an earlier round, and not before the entry that began the view is committed', () => {
    const group = new Group()
    const primary = group.at(1)
    primary.receive('n0', doViewChange(4, 1, firstView(2), 1))
    primary.read(7)
    for (const round of [0, 1]) primary.receive('n0', { type: 'commitOk', view: v(4), round })
    expect(primary.outcome(7)).toBeUndefined()
    primary.receive('n0', { type: 'prepareOk', view: v(4), op: 4 })
    primary.receive('n0', { type: 'commitOk', view: v(4), round: 0 })
    expect(primary.outcome(7)).toBeUndefined()
    primary.receive('n0', { type: 'commitOk', view: v(4), round: 1 })
    expect(primary.outcome(7)).toEqual({ type: 'readAt', position: 4 })
  })

  it('a primary that was deposed refuses the reads that wait, and does not know what became of the requests', () => {
    const group = new Group()
    const primary = group.primary()
    group.away.add(n1)
    primary.propose(1)
    primary.read(2)
    group.primary(primary)
    group.away.clear()
    group.pass(20)
    expect(primary.outcome(1)).toEqual({ type: 'unknown' })
    expect(primary.outcome(2)).toEqual({ type: 'refused', reason: 'not-leader' })
  })
})
