/** Snapshots: what they stand for, and what they must leave alone. */
import { nodeId } from '@conclave/interface'
import { captured, limits, propose, snapshotId } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import type { Ballot } from '../src/ballot.ts'
import type { Body, Filled } from '../src/messages.ts'
import { makeValue, type Value, valueKind } from '../src/value.ts'
import { ballotOf, give, headerOf, lone, Nodes } from './nodes.ts'

const n1 = nodeId('n1')
const n2 = nodeId('n2')
const n3 = nodeId('n3')
const text = new TextEncoder()
const value = (content: string, origin: Ballot): Value => makeValue(origin, valueKind.batch, text.encode(content))
const accept = (slots: Filled[]): Body => ({ type: 'accept', sequence: 1, slots })
const prepare = (from: number, cursor = from): Body => ({ type: 'prepare', from, cursor, given: ballotOf(0, 0) })

describe('snapshots', () => {
  it('naming a snapshot and forgetting what it stands for is one write', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(propose(1), propose(2))
    nodes.settle()
    leader.turn(captured(2))
    const ops = leader.effects.findLast((e) => e.write !== undefined)?.write?.ops.map((op) => op.type)
    expect(ops).toEqual(['meta', 'snapshot', 'compactTo'])
    expect([...leader.disk.slots.keys()]).toEqual([3])
    expect(nodes.restart(1).status).toMatchObject({ decided: 3, snapshot: 2 })
  })

  it('a snapshot keeps what was accepted above it in the same configuration: that may be chosen', () => {
    const { node, said, reply } = lone()
    const slots = [4, 5].map((slot) => ({ slot, value: value(`${slot}`, ballotOf(1, 2)) }))
    give(node, 'n2', accept(slots), ballotOf(1, 2))
    const header = headerOf(node, 4)
    node.turn({ type: 'snapshotOffered', from: n2, header })
    expect(node.effects.at(-1)?.answerSnapshot).toEqual([{ from: n2, accept: true }])
    node.turn({ type: 'snapshotReceived', from: n2, id: snapshotId('r'), header })
    expect(node.effects.some((e) => e.restore?.position === 4)).toBe(true)
    said.length = 0
    node.tick(40)
    give(node, 'n3', prepare(5), ballotOf(2, 3))
    expect(reply()).toMatchObject({ type: 'promise', reports: [{ slot: 5, ballot: ballotOf(1, 2) }] })
  })

  it('a snapshot of what is decided is declined, and its sender told how far this node has come', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn(propose(1), propose(2))
    nodes.settle()
    nodes.rounds(6)
    const header = headerOf(leader, 2)
    nodes.at(2).turn({ type: 'snapshotOffered', from: n1, header })
    expect(nodes.at(2).effects.flatMap((e) => e.answerSnapshot ?? [])).toEqual([{ from: n1, accept: false }])
    expect(nodes.flying.at(-1)?.message).toMatchObject({ type: 'watermark', decided: 3 })
    nodes.at(2).turn({ type: 'snapshotReceived', from: n1, id: snapshotId('late'), header })
    expect(nodes.at(2).effects.some((e) => e.restore !== undefined)).toBe(false)
  })

  it('a peer that lags behind the memory gets a snapshot, a newer one being asked for if there is none', () => {
    const nodes = new Nodes(3, { limits: { ...limits, tailBytes: 200 } })
    const leader = nodes.elect(1)
    nodes.isolate(3)
    for (let i = 1; i <= 20; i++) {
      leader.turn(propose(i, 'x'.repeat(100)))
      nodes.settle()
    }
    nodes.heal()
    nodes.rounds(30)
    expect(leader.effects.some((e) => e.capture)).toBe(true)
    leader.turn(captured(21))
    nodes.rounds(30)
    const offers = leader.effects.flatMap((e) => e.sendSnapshot ?? [])
    expect(offers).toMatchObject([{ to: n3, id: 's21' }])
    const header = offers[0]?.header ?? new Uint8Array()
    nodes.at(3).turn({ type: 'snapshotReceived', from: n1, id: snapshotId('r1'), header })
    leader.turn({ type: 'snapshotSent', to: n3, id: snapshotId('s21'), ok: true }, propose(99))
    nodes.settle()
    nodes.rounds(10)
    expect(nodes.at(3).status).toMatchObject({ snapshot: 21, decided: 22 })
    expect(nodes.restart(3).status).toMatchObject({ snapshot: 21, last: 22 })
  })

  it('a header that does not parse is declined and counted', () => {
    const { node } = lone()
    node.turn({ type: 'snapshotOffered', from: n2, header: new Uint8Array([9, 9]) })
    expect(node.effects.at(-1)?.answerSnapshot).toEqual([{ from: n2, accept: false }])
    node.turn({ type: 'snapshotReceived', from: n2, id: snapshotId('r'), header: new Uint8Array() })
    expect(node.status.malformed).toBe(2)
  })
})
