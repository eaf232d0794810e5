/** What happens at every bound, and with input that no honest peer sends. */
import { nodeId } from '@conclave/interface'
import { batches, limits, propose } from '@conclave/torture'
import { describe, expect, it } from 'vitest'
import type { Ballot } from '../src/ballot.ts'
import type { Body, Filled } from '../src/messages.ts'
import { makeValue, noop, type Value, valueKind } from '../src/value.ts'
import { ballotOf, give, lone, Nodes } from './nodes.ts'

const _n1 = nodeId('n1')
const n2 = nodeId('n2')
const _n3 = nodeId('n3')
const text = new TextEncoder()
const value = (content: string, origin: Ballot): Value => makeValue(origin, valueKind.batch, text.encode(content))
const accept = (slots: Filled[]): Body => ({ type: 'accept', sequence: 1, slots })

describe('bounds and bad input', () => {
  it('proposals beyond the bound of undecided bytes are refused as overloaded, and one that fits no message as invalid', () => {
    const nodes = new Nodes(3, {
      limits: { messageBytes: 2000, inflightBytes: 4000, undecidedBytes: 1000, tailBytes: 1 << 20 },
    })
    const leader = nodes.elect(1)
    leader.turn(propose(1, 'x'.repeat(900)), propose(2, 'x'.repeat(900)), propose(3, 'x'.repeat(3000)))
    expect(leader.settled).toEqual([
      { id: 2, outcome: { type: 'refused', reason: 'overloaded' } },
      { id: 3, outcome: { type: 'refused', reason: 'invalid' } },
    ])
  })

  it('the largest batch that is taken fits every message that may carry it', () => {
    const nodes = new Nodes(3, { limits: { ...limits, messageBytes: 2000 } })
    const leader = nodes.elect(1)
    let [size, largest] = [2000, 0]
    nodes.watch = ({ bytes }) => {
      largest = Math.max(largest, bytes.length)
    }
    for (let refused = 1; leader.settled.length === refused - 1; refused++, size--)
      leader.turn(propose(size, 'x'.repeat(size)))
    nodes.settle()
    nodes.isolate(1)
    nodes.rounds(200)
    expect(batches(nodes.at(2))[0]?.length).toBeGreaterThan(1900)
    expect(largest).toBeLessThanOrEqual(2000)
    expect([2, 3].some((n) => nodes.at(n).status.leading)).toBe(true)
  })

  it('bytes in flight to one peer are bounded', () => {
    const nodes = new Nodes(3, {
      limits: { messageBytes: 1000, inflightBytes: 2000, undecidedBytes: 1 << 20, tailBytes: 1 << 20 },
    })
    const leader = nodes.elect(1)
    nodes.flying = []
    for (let i = 1; i <= 50; i++) leader.turn(propose(i, 'x'.repeat(500)))
    const sent = nodes.flying.filter((m) => m.to === 'n2').reduce((sum, m) => sum + m.bytes.length, 0)
    expect(sent).toBeLessThan(4000)
    nodes.settle()
    expect(leader.settled).toHaveLength(50)
  })

  it('a slot far beyond the watermark is not accepted', () => {
    const { node, reply } = lone()
    give(node, 'n2', accept([{ slot: 2 ** 40, value: noop }]), ballotOf(1, 2))
    expect(reply()).toMatchObject({ type: 'accepted', slots: [] })
    expect(node.disk.slots.size).toBe(0)
  })

  it('a message that does not parse is dropped and counted, whatever it is', () => {
    const { node, said } = lone()
    give(node, 'n2', accept([{ slot: 1, value: value('x', ballotOf(1, 2)) }]), ballotOf(1, 2))
    const good = said[0]?.bytes ?? new Uint8Array()
    for (let length = 0; length < good.length; length++)
      node.turn({ type: 'receive', from: n2, message: good.slice(0, length) })
    expect(node.status.malformed).toBe(good.length)
  })

  it('a full disk: proposals are refused, and the reign is given away', () => {
    const nodes = new Nodes(3)
    const leader = nodes.elect(1)
    leader.turn({ type: 'disk', state: 'full' }, propose(1))
    expect(leader.settled).toEqual([{ id: 1, outcome: { type: 'refused', reason: 'disk-full' } }])
    nodes.settle()
    nodes.rounds(3)
    expect(leader.status.leading).toBe(false)
    expect([2, 3].some((n) => nodes.at(n).status.leading)).toBe(true)
  })
})
