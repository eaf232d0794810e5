import {
  type IncomingTransfer,
  type NodeId,
  nodeId,
  type Peer,
  seededRandom,
  type Transport,
  type TransportHandler,
} from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { type Faults, type MemoryNetworkInit, memoryNetwork, type NetworkTap } from '../src/index.ts'
import { VirtualClock } from './virtual-clock.ts'

const [a, b, c] = ['a', 'b', 'c'].map(nodeId) as [NodeId, NodeId, NodeId]
const peers: Peer[] = [a, b, c].map((id) => ({ id, name: id, addresses: [] }))

/** A member that writes down what it is told. */
class Witness implements TransportHandler {
  readonly got: string[] = []
  readonly links: string[] = []
  offer: (from: NodeId, transfer: IncomingTransfer) => void = (_, transfer) => transfer.reject()
  receive(from: NodeId, message: Uint8Array): void {
    this.got.push(`${from}:${new TextDecoder().decode(message)}`)
  }
  peer(id: NodeId, state: 'up' | 'down' | 'lost'): void {
    this.links.push(`${id} ${state}`)
  }
  offered(from: NodeId, transfer: IncomingTransfer): void {
    this.offer(from, transfer)
  }
}

const text = (of: string): Uint8Array[] => [new TextEncoder().encode(of)]

const world = (init: Partial<MemoryNetworkInit> & { seed?: number } = {}) => {
  const clock = new VirtualClock()
  const network = memoryNetwork({ clock, random: seededRandom(init.seed ?? 1), ...init })
  const join = (id: NodeId): { transport: Transport; witness: Witness } => {
    const witness = new Witness()
    const transport = network.transport(id)
    void transport.start(witness)
    transport.setPeers(peers.filter((peer) => peer.id !== id))
    return { transport, witness }
  }
  const members = { a: join(a), b: join(b), c: join(c) }
  clock.pass(100)
  return { clock, network, join, ...members }
}

describe('links', () => {
  test('come up between all members, and messages of a lane keep their order', () => {
    const { clock, a: from, b: to } = world({ faults: { delay: { least: 1, most: 50 } } })
    expect(from.witness.links.toSorted()).toEqual(['b up', 'c up'])
    for (let i = 0; i < 100; i++) from.transport.send(b, text(`${i}`), 'bulk')
    clock.pass(200)
    expect(to.witness.got).toEqual(Array.from({ length: 100 }, (_, i) => `a:${i}`))
  })

  test('nothing is delivered within send, and the bytes are copied', () => {
    const { clock, a: from, b: to } = world()
    const bytes = new TextEncoder().encode('first')
    from.transport.send(b, [bytes], 'urgent')
    expect(to.witness.got).toEqual([])
    bytes.fill(0)
    clock.pass(10)
    expect(to.witness.got).toEqual(['a:first'])
  })

  test('go down when a member dies, and come up when it returns', () => {
    const { clock, join, a: first, b: dead } = world()
    void dead.transport.close()
    clock.pass(100)
    expect(first.witness.links.at(-1)).toBe('b down')
    const { transport } = join(b)
    clock.pass(100)
    expect(first.witness.links.at(-1)).toBe('b up')
    transport.send(a, text('back'), 'bulk')
    dead.transport.send(a, text('ghost'), 'bulk')
    clock.pass(10)
    expect(first.witness.got).toEqual(['b:back'])
  })

  test('are made again after a reset, and what was in flight is gone', () => {
    const { clock, network, a: from, b: to } = world()
    from.transport.send(b, text('doomed'), 'bulk')
    network.reset(a, b)
    clock.pass(100)
    expect(from.witness.links.slice(-2)).toEqual(['b down', 'b up'])
    expect(to.witness.links.slice(-2)).toEqual(['a down', 'a up'])
    expect(to.witness.got).toEqual([])
  })

  test('are given up when a member is no peer any more', () => {
    const { clock, a: from, b: to } = world()
    from.transport.setPeers([])
    from.transport.send(b, text('unwanted'), 'bulk')
    clock.pass(100)
    expect(to.witness.got).toEqual([])
    to.transport.send(a, text('still heard'), 'bulk')
    clock.pass(100)
    expect(from.witness.got).toEqual(['b:still heard'])
  })
})

describe('partitions', () => {
  test('drop silently, one way if so asked, and heal', () => {
    const { clock, network, a: one, b: other } = world()
    network.cut(a, b)
    one.transport.send(b, text('into the void'), 'bulk')
    other.transport.send(a, text('the other way'), 'bulk')
    clock.pass(1000)
    expect(other.witness.got).toEqual([])
    expect(one.witness.got).toEqual(['b:the other way'])
    expect(one.witness.links).not.toContain('b down')
    network.heal(a, b)
    one.transport.send(b, text('healed'), 'bulk')
    clock.pass(10)
    expect(other.witness.got).toEqual(['a:healed'])
  })

  test('hide the death of a member until they heal', () => {
    const { clock, network, a: alive, b: dead } = world()
    network.partition([[a, c], [b]])
    void dead.transport.close()
    clock.pass(1000)
    expect(alive.witness.links).not.toContain('b down')
    network.heal()
    clock.pass(10)
    expect(alive.witness.links.at(-1)).toBe('b down')
  })
})

test('a paused member gets everything later, in order', () => {
  const { clock, network, a: from, b: to } = world()
  network.pause(b)
  for (let i = 0; i < 5; i++) from.transport.send(b, text(`${i}`), 'bulk')
  clock.pass(1000)
  expect(to.witness.got).toEqual([])
  network.resume(b)
  expect(to.witness.got).toEqual(['a:0', 'a:1', 'a:2', 'a:3', 'a:4'])
})

test('what had arrived at a paused member is there, also if the link was cut while it slept', () => {
  const { clock, network, a: from, b: to } = world()
  network.pause(b)
  from.transport.send(b, text('before'), 'bulk')
  clock.pass(1000)
  network.cut(a, b)
  from.transport.send(b, text('after'), 'bulk')
  clock.pass(1000)
  network.resume(b)
  expect(to.witness.got).toEqual(['a:before'])
})

test('a full queue is told as lost, once until it has drained', () => {
  const { clock, network, a: from } = world({ queueBytes: 100 })
  network.pause(b)
  for (let i = 0; i < 50; i++) from.transport.send(b, [new Uint8Array(30)], 'bulk')
  clock.pass(10)
  expect(from.witness.links.filter((line) => line === 'b lost')).toHaveLength(1)
  network.resume(b)
  network.pause(b)
  for (let i = 0; i < 50; i++) from.transport.send(b, [new Uint8Array(30)], 'bulk')
  clock.pass(10)
  expect(from.witness.links.filter((line) => line === 'b lost')).toHaveLength(2)
})

test('drops, doubles and reorders about as often as asked', () => {
  const count = (faults: Partial<Faults>): { got: number; inOrder: boolean } => {
    const { clock, a: from, b: to } = world({ faults })
    for (let i = 0; i < 1000; i++) from.transport.send(b, text(`${i}`.padStart(4, '0')), 'bulk')
    clock.pass(1000)
    return {
      got: to.witness.got.length,
      inOrder: to.witness.got.every((at, i, all) => i === 0 || at > (all[i - 1] ?? '')),
    }
  }
  expect(count({})).toEqual({ got: 1000, inOrder: true })
  expect(count({ drop: 0.5 }).got).toBeGreaterThan(400)
  expect(count({ drop: 0.5 }).got).toBeLessThan(600)
  expect(count({ duplicate: 0.5 }).got).toBeGreaterThan(1400)
  expect(count({ reorder: 0.1 })).toEqual({ got: 1000, inOrder: false })
})

test('a tap is told of every copy, and what became of it', () => {
  const copies = new Map<number, { readonly way: string; arrived?: boolean }>()
  const tap: NetworkTap = {
    sent: (from, to, message) => {
      copies.set(copies.size + 1, { way: `${from}${to}:${new TextDecoder().decode(message)}` })
      return copies.size
    },
    ended: (id, arrived) => {
      const copy = copies.get(id)
      if (copy === undefined || copy.arrived !== undefined) throw new Error(`copy ${id} ends twice`)
      copy.arrived = arrived
    },
  }
  const { clock, network, a: from, b: to } = world({ tap, faults: { drop: 0.2, duplicate: 0.2, reorder: 0.2 } })
  for (let i = 0; i < 200; i++) from.transport.send(b, text(`${i}`), 'bulk')
  clock.pass(1_000)
  network.cut(a, b)
  for (let i = 200; i < 210; i++) from.transport.send(b, text(`${i}`), 'urgent')
  clock.pass(1_000)
  network.heal()
  for (let i = 210; i < 220; i++) from.transport.send(b, text(`${i}`), 'urgent')
  network.reset(a, b)
  clock.pass(1_000)
  const all = [...copies.values()]
  expect(all.every(({ arrived }) => arrived !== undefined)).toBe(true)
  const arrived = all.filter((copy) => copy.arrived).map(({ way }) => way.replace('ab:', 'a:'))
  expect(arrived.toSorted()).toEqual(to.witness.got.toSorted())
  expect(all.length).toBeGreaterThan(230) // doubles are copies of their own
  const cutOff = all.filter(({ way }) => Number(way.slice(3)) >= 200)
  expect(cutOff.length).toBeGreaterThanOrEqual(20)
  expect(cutOff.some((copy) => copy.arrived)).toBe(false)
})

test('links with a source of random numbers each do not change the luck of one another', () => {
  const got = (noise: boolean): string[] => {
    const randomOf = (from: NodeId, to: NodeId) => seededRandom(`${from}${to}`.charCodeAt(0) * 7 + to.charCodeAt(0))
    const sources = new Map<string, ReturnType<typeof seededRandom>>()
    const {
      clock,
      a: from,
      b: to,
      c: other,
    } = world({
      randomOf: (one, two) => {
        const source = sources.get(`${one}${two}`) ?? randomOf(one, two)
        sources.set(`${one}${two}`, source)
        return source
      },
      faults: { drop: 0.3, delay: { least: 1, most: 9 } },
    })
    for (let i = 0; i < 50; i++) {
      if (noise) other.transport.send(a, text('noise'), 'bulk')
      from.transport.send(b, text(`${i}`), 'bulk')
    }
    clock.pass(1_000)
    return to.witness.got
  }
  expect(got(true)).toEqual(got(false))
  expect(got(true).length).toBeLessThan(50)
})

test('the same seed gives the same run, another seed another', () => {
  const run = (seed: number): string => {
    const { clock, network, ...members } = world({ seed, faults: { drop: 0.1, duplicate: 0.1, reorder: 0.1 } })
    for (let i = 0; i < 200; i++) {
      members.a.transport.send(i % 2 === 0 ? b : c, text(`${i}`), i % 3 === 0 ? 'urgent' : 'bulk')
      if (i === 100) network.reset(a, c)
      clock.pass(1)
    }
    return JSON.stringify([members.b.witness.got, members.c.witness.got, members.a.witness.links])
  }
  expect(run(7)).toBe(run(7))
  expect(run(7)).not.toBe(run(8))
})

describe('a transfer', () => {
  const body = async function* (chunks: number): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < chunks; i++) yield new Uint8Array(1000).fill(i)
  }
  const take = async (incoming: IncomingTransfer): Promise<number> => {
    let bytes = 0
    for await (const chunk of incoming.accept()) bytes += chunk.length
    return bytes
  }

  test('streams its body and is confirmed', async () => {
    const { clock, a: from, b: to } = world()
    let taken = 0
    to.witness.offer = async (_, incoming) => {
      expect(new TextDecoder().decode(incoming.header)).toBe('header')
      taken = await take(incoming)
      incoming.confirm()
    }
    const done = from.transport.transfer(b, new TextEncoder().encode('header'), body(50), new AbortController().signal)
    expect(await clock.until(done)).toBe('accepted')
    expect(taken).toBe(50_000)
  })

  test('can be rejected; an offer without an answer counts as rejected', async () => {
    const { clock, a: from, b: to } = world()
    expect(await clock.until(from.transport.transfer(b, new Uint8Array(), body(1), new AbortController().signal))).toBe(
      'rejected',
    )
    to.witness.offer = () => {}
    expect(await clock.until(from.transport.transfer(b, new Uint8Array(), body(1), new AbortController().signal))).toBe(
      'rejected',
    )
  })

  test('an offer that counts as rejected cannot be accepted any more', async () => {
    const { clock, a: from, b: to } = world()
    let late: IncomingTransfer | undefined
    to.witness.offer = (_, incoming) => {
      late = incoming
    }
    await clock.until(from.transport.transfer(b, new Uint8Array(), body(1), new AbortController().signal))
    if (late === undefined) throw new Error('nothing was offered')
    const first = late.accept()[Symbol.asyncIterator]().next()
    await expect(clock.until(first)).rejects.toThrow('answered before')
  })

  test('fails on both sides by a reset in its midst, and lets go of the body', async () => {
    const { clock, network, a: from, b: to } = world()
    let closed = false
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(10)
      } finally {
        closed = true
      }
    }
    let failed: unknown
    to.witness.offer = async (_, incoming) => {
      let chunks = 0
      try {
        for await (const _chunk of incoming.accept()) if (++chunks === 10) network.reset(a, b)
      } catch (error) {
        failed = error
      }
    }
    await expect(
      clock.until(from.transport.transfer(b, new Uint8Array(), endless(), new AbortController().signal)),
    ).rejects.toThrow('reset')
    await new Promise((resolve) => setImmediate(resolve))
    expect(failed).toBeInstanceOf(Error)
    expect(closed).toBe(true)
  })

  test('fails when the receiver took it all and never says that it is staged', async () => {
    const { clock, a: from, b: to } = world()
    to.witness.offer = async (_, incoming) => {
      await take(incoming)
    }
    await expect(
      clock.until(from.transport.transfer(b, new Uint8Array(), body(3), new AbortController().signal)),
    ).rejects.toThrow('not staged within the time-out')
  })

  test('fails when the sender aborts, when the receiver leaves, and when a partition outlasts the time-out', async () => {
    const { clock, network, a: from, b: to } = world()
    const abort = new AbortController()
    to.witness.offer = async (_, incoming) => {
      const taken = take(incoming).catch((error: unknown) => error)
      abort.abort()
      expect(await taken).toBeInstanceOf(Error)
    }
    await expect(clock.until(from.transport.transfer(b, new Uint8Array(), body(9), abort.signal))).rejects.toThrow(
      'gave up',
    )
    to.witness.offer = async (_, incoming) => {
      for await (const _chunk of incoming.accept()) break
    }
    await expect(
      clock.until(from.transport.transfer(b, new Uint8Array(), body(9), new AbortController().signal)),
    ).rejects.toThrow('the receiver gave up')
    network.cut(a, b)
    await expect(
      clock.until(from.transport.transfer(b, new Uint8Array(), body(9), new AbortController().signal)),
    ).rejects.toThrow('no progress')
  })
})
