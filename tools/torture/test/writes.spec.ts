/** The durability rule of `Effects.send`, as both worlds keep it. */
import { type Effects, nodeId, type Send, type Slot, type WriteId } from '@conclave/interface'
import { describe, expect, it } from 'vitest'
import { Disk, Violation } from '../src/index.ts'
import { Writes } from '../src/writes.ts'

const to = nodeId('n2')
const send = (text: string, early?: true): Send => ({
  to,
  message: [new TextEncoder().encode(text)],
  lane: 'urgent',
  ...(early && { early }),
})
const turn = (id: number | undefined, ...sends: Send[]): Effects => ({
  ...(id !== undefined && {
    write: { id: id as WriteId, ops: [{ type: 'put', slot: id as Slot, bytes: [new Uint8Array([id])] }] },
  }),
  send: sends,
  decide: [],
  settle: [],
})

const start = (leaky = false) => {
  const disk = new Disk()
  const left: string[] = []
  const writes = new Writes(
    disk,
    ({ message }) => left.push(message.map((m) => new TextDecoder().decode(m)).join('')),
    leaky,
  )
  return { disk, left, writes }
}

describe('writes', () => {
  it('let a message go when every write before it is on disk', () => {
    const { disk, left, writes } = start()
    writes.take(turn(undefined, send('a')))
    writes.take(turn(1, send('b')))
    writes.take(turn(2))
    writes.take(turn(undefined, send('c')))
    expect(left).toEqual(['a'])
    expect(writes.sync(1)).toBe(1)
    expect(left).toEqual(['a', 'b'])
    expect([...disk.slots.keys()]).toEqual([1])
    expect(writes.sync()).toBe(2)
    expect(left).toEqual(['a', 'b', 'c'])
    expect(writes.sync()).toBeUndefined()
  })

  it('hold no early message back', () => {
    const { left, writes } = start()
    writes.take(turn(1, send('a', true), send('b')))
    expect(left).toEqual(['a'])
  })

  it('hold none back where a storm cheats', () => {
    const { left, writes } = start(true)
    writes.take(turn(1, send('a')))
    expect(left).toEqual(['a'])
  })

  it('rise by one', () => {
    const { writes } = start()
    writes.take(turn(1))
    expect(() => writes.take(turn(3))).toThrow(Violation)
  })
})
