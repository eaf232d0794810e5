import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { IncomingTransfer } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { encodeHello } from '../src/hello.ts'
import type { FrameStream } from '../src/index.ts'
import { snapshotProtocol } from '../src/transfer-wire.ts'
import { acquaint, Ear, type Member, peerOf, text, World } from './world.ts'

const engine = '/conclave/engine/1'
const home = { cluster: 'test', group: 0, engine: undefined }
const texts = (member: Member): string[] => member.witness.got.map(({ message }) => Buffer.from(message).toString())
const got = (member: Member, count: number): Promise<void> =>
  member.witness.signal.until(() => member.witness.got.length >= count)
const saw = (member: Member, line: string, times = 1): Promise<void> =>
  member.witness.signal.until(() => member.witness.count(line) >= times)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
/** Bytes of arrays that are in use. */
const heldBytes = async (): Promise<number> => {
  // What one collection finds is freed in the background.
  for (let i = 0; i < 3; i++) {
    collect()
    await turn()
  }
  return process.memoryUsage().arrayBuffers
}

describe('links', () => {
  test('carry messages of both lanes both ways, each lane in order', async () => {
    await using world = new World()
    const [a, b] = [await world.member(), await world.member()]
    await acquaint(a, b)
    for (let i = 0; i < 5000; i++) {
      a.transport.send(b.host.id, [Buffer.from([i % 2]), Buffer.from(`${i}`)], i % 2 === 0 ? 'urgent' : 'bulk')
      b.transport.send(a.host.id, [Buffer.from([i % 2]), Buffer.from(`${i}`)], i % 2 === 0 ? 'urgent' : 'bulk')
      if (i % 50 === 0) await turn()
    }
    for (const [member, from] of [
      [a, b],
      [b, a],
    ] as const) {
      await got(member, 5000)
      expect(new Set(member.witness.got.map((one) => one.from))).toEqual(new Set([from.host.id]))
      for (const lane of [0, 1]) {
        const order = member.witness.got
          .filter(({ message }) => message[0] === lane)
          .map(({ message }) => Number(Buffer.from(message.subarray(1)).toString()))
        expect(order).toEqual(Array.from({ length: 2500 }, (_, i) => i * 2 + lane))
      }
    }
  })

  test('go down when the peer closes, and come up when it is back on the same port', async () => {
    await using world = new World()
    const [a, b] = [await world.member(), await world.member()]
    await acquaint(a, b)
    const address = b.host.addresses()[0] ?? ''
    await b.transport.close()
    await b.host.close()
    await saw(a, `${b.host.id} down`)
    const back = await world.member({ identity: b.identity, listen: [address.replace(/\/p2p\/.*/, '')] })
    back.transport.setPeers([peerOf(a)])
    await saw(a, `${b.host.id} up`, 2)
    a.transport.send(b.host.id, text('again'), 'urgent')
    await got(back, 1)
    expect(texts(back)).toEqual(['again'])
    expect(a.witness.links).toEqual([`${b.host.id} up`, `${b.host.id} down`, `${b.host.id} up`])
  })

  test('follow a peer that comes back under another address, when it is told', async () => {
    await using world = new World()
    const [a, b] = [await world.member(), await world.member()]
    await acquaint(a, b)
    await b.transport.close()
    await b.host.close()
    await saw(a, `${b.host.id} down`)
    const back = await world.member({ identity: b.identity })
    a.transport.setPeers([peerOf(back)])
    await saw(a, `${b.host.id} up`, 2)
  })

  test('to a member that is not among the peers are not held, yet it is heard', async () => {
    await using world = new World()
    const [a, b] = [await world.member(), await world.member()]
    a.transport.setPeers([peerOf(b)])
    await saw(a, `${b.host.id} up`)
    a.transport.send(b.host.id, text('hear me'), 'bulk')
    await got(b, 1)
    expect(b.witness.links).toEqual([])
    a.transport.send('12D3KooWnobody' as never, text('void'), 'bulk')
    a.transport.setPeers([])
    a.transport.send(b.host.id, text('void'), 'bulk')
    a.transport.setPeers([peerOf(b)])
    await saw(a, `${b.host.id} up`, 2)
    expect(a.witness.links).not.toContain(`${b.host.id} down`)
    expect(texts(b)).toEqual(['hear me'])
  })

  test('are refused to a node of another cluster, and both sides say why', async () => {
    await using world = new World()
    const [a, b] = [await world.member(), await world.member({ clusterId: 'other' })]
    a.transport.setPeers([peerOf(b)])
    await expect
      .poll(() => a.log)
      .toContain('the peer belongs to another cluster: check the addresses, or the cluster id of both')
    await expect
      .poll(() => b.log)
      .toContain('a node of another cluster is refused: check its addresses, or the cluster id of both')
    expect(a.witness.links).toEqual([])
  })

  test('are refused to strangers', async () => {
    await using world = new World()
    const [a, b] = [await world.member(), await world.member()]
    world.members.delete(a.host.id)
    a.transport.setPeers([peerOf(b)])
    await expect.poll(() => a.log).toContain('no link to a peer yet; it is dialled again')
    expect(a.witness.links).toEqual([])
    world.members.add(a.host.id)
    await saw(a, `${b.host.id} up`)
  })

  test('end when a member is removed: it is told so, and heard no more', async () => {
    await using world = new World()
    const refused: string[] = []
    const [a, b] = [
      await world.member({ refused: (peer, verdict) => void refused.push(`${peer} ${verdict}`) }),
      await world.member(),
    ]
    await acquaint(a, b)
    world.members.delete(a.host.id)
    world.removed.add(a.host.id)
    b.transport.setPeers([])
    await saw(a, `${b.host.id} down`)
    await expect.poll(() => refused).toContain(`${b.host.id} removed`)
    await expect.poll(() => a.log).toContain('the peer refused the link')
    a.transport.send(b.host.id, text('still here'), 'urgent')
    expect([texts(b), a.witness.count(`${b.host.id} up`)]).toEqual([[], 1])
  })

  test('with a peer that stops reading hold a bounded queue, tell it once, and go on when it reads', async () => {
    await using world = new World()
    const [a, slow] = [await world.member({ queueBytes: { bulk: 1 << 20 } }), await world.host()]
    const streams: FrameStream[] = []
    await slow.handle(
      engine,
      (stream) => {
        const ear = new Ear()
        ear.each = (message) => {
          if (ear.count !== 1) return
          stream.send([Buffer.from([1, 0])])
          if (message[1] === 1) stream.pause()
          streams.push(stream)
        }
        ear.hear(stream)
      },
      () => true,
    )
    a.transport.setPeers([peerOf({ host: slow })])
    await saw(a, `${slow.id} up`)
    const before = await heldBytes()
    for (let i = 0; i < 2000; i++) {
      a.transport.send(slow.id, [new Uint8Array(50_000)], 'bulk')
      if (i % 20 === 0) await turn()
    }
    await saw(a, `${slow.id} lost`)
    expect((await heldBytes()) - before).toBeLessThan(32 << 20)
    expect(a.witness.count(`${slow.id} lost`)).toBe(1)
    for (const stream of streams) stream.resume()
    // It was drained if it is told anew.
    await expect
      .poll(async () => {
        a.transport.send(slow.id, [new Uint8Array(50_000)], 'bulk')
        for (let i = 0; i < 50; i++) a.transport.send(slow.id, [new Uint8Array(50_000)], 'bulk')
        return a.witness.count(`${slow.id} lost`)
      })
      .toBeGreaterThan(1)
    expect(a.witness.links).not.toContain(`${slow.id} down`)
  })

  test('deliver what is urgent before bulk that was sent earlier', async () => {
    await using world = new World()
    const [a, b] = [await world.member(), await world.member()]
    await acquaint(a, b)
    for (let i = 0; i < 30; i++) a.transport.send(b.host.id, [Buffer.from('b'), new Uint8Array(500_000)], 'bulk')
    await turn()
    a.transport.send(b.host.id, text('urgent'), 'urgent')
    await got(b, 31)
    const at = b.witness.got.findIndex(({ message }) => message[0] !== 'b'.charCodeAt(0))
    expect(at).toBeLessThan(25)
  })

  test('survive garbage of a member: its streams are closed, the others stay', async () => {
    await using world = new World()
    const [a, b, rude] = [await world.member(), await world.member(), await world.host()]
    await acquaint(a, b)
    const send = async (protocol: string, messages: Uint8Array[]): Promise<Ear> => {
      const stream = await rude.dial(
        { id: b.host.id, addresses: b.host.addresses() },
        protocol,
        AbortSignal.timeout(5000),
      )
      const ear = new Ear().hear(stream)
      for (const message of messages) stream.send([message])
      await ear.until(({ closed }) => closed)
      return ear
    }
    await send(engine, [Buffer.from('no hello')])
    await send(engine, [new Uint8Array()])
    await send(engine, [encodeHello('snapshot', home)])
    await send(engine, [encodeHello('bulk', { ...home, group: 9 })])
    await send(snapshotProtocol, [encodeHello('snapshot', home), Buffer.from([99])])
    await send(snapshotProtocol, [encodeHello('snapshot', home), Buffer.from([4, 1, 2])])
    await send(snapshotProtocol, [encodeHello('snapshot', home), new Uint8Array()])
    a.transport.send(b.host.id, text('still here'), 'bulk')
    await got(b, 1)
    expect(a.witness.links).toEqual([`${b.host.id} up`])
  })

  test('a peer that dials anew while its old link seems alive is dialled anew', async () => {
    await using world = new World()
    const [a, b] = [await world.member(), await world.member()]
    await acquaint(a, b)
    // The identity of b from another host: as if b had moved and the end of its old connections were never seen.
    const moved = await world.host({ identity: b.identity })
    const stream = await moved.dial({ id: a.host.id, addresses: a.host.addresses() }, engine, AbortSignal.timeout(5000))
    new Ear().hear(stream)
    stream.send([encodeHello('bulk', home)])
    await saw(a, `${b.host.id} down`)
    await saw(a, `${b.host.id} up`, 2)
  })

  test('nothing is told after close, and closing twice is closing once', async () => {
    await using world = new World()
    const [a, b] = [await world.member(), await world.member()]
    await acquaint(a, b)
    await Promise.all([a.transport.close(), a.transport.close()])
    const links = [...a.witness.links]
    b.transport.send(a.host.id, text('late'), 'urgent')
    await saw(b, `${a.host.id} down`)
    expect(a.witness.links).toEqual(links)
    expect(a.witness.got).toEqual([])
    await expect(
      a.transport.transfer(b.host.id, new Uint8Array(), [] as never, new AbortController().signal),
    ).rejects.toThrow()
  })
})

describe('engines', () => {
  const news = () => {
    const told: (string | undefined)[] = []
    return { told, otherEngine: (_: unknown, other: string | undefined) => void told.push(other) }
  }

  test('that are the same are no matter', async () => {
    await using world = new World()
    const [one, other] = [news(), news()]
    const [a, b] = [await world.member({ engine: 'raft', ...one }), await world.member({ engine: 'raft', ...other })]
    await acquaint(a, b)
    expect([one.told, other.told]).toEqual([[], []])
  })

  test('that differ are told of on both sides, and no message passes', async () => {
    await using world = new World()
    const [one, other] = [news(), news()]
    const [a, b] = [
      await world.member({ engine: 'raft', ...one }),
      await world.member({ engine: '@lab/vsr', ...other }),
    ]
    a.transport.setPeers([peerOf(b)])
    b.transport.setPeers([peerOf(a)])
    await expect.poll(() => [one.told, other.told]).toEqual([['@lab/vsr'], ['raft']])
    a.transport.send(b.host.id, text('vote for me'), 'urgent')
    b.transport.send(a.host.id, text('prepare'), 'urgent')
    await expect(
      a.transport.transfer(b.host.id, new Uint8Array(), [] as never, AbortSignal.timeout(5000)),
    ).rejects.toThrow('wrong-engine')
    expect([a, b].map(({ witness }) => [witness.links, witness.got])).toEqual([
      [[], []],
      [[], []],
    ])
    const said = `${peerOf(b).name} runs engine "@lab/vsr", this node "raft": all members of a cluster must run the same`
    expect(a.log.filter((line) => line.includes('engine'))).toEqual([said])
  })

  test('that differ no more are told of once', async () => {
    await using world = new World()
    const one = news()
    const a = await world.member({ engine: 'raft', ...one })
    const before = await world.member({ engine: 'vsr' })
    const [address = ''] = before.host.addresses()
    a.transport.setPeers([peerOf(before)])
    before.transport.setPeers([peerOf(a)])
    await expect.poll(() => one.told).toEqual(['vsr'])
    await before.transport.close()
    await before.host.close()
    const listen = [address.replace(/\/p2p\/.*/, '')]
    const b = await world.member({ engine: 'raft', identity: before.identity, listen })
    await acquaint(a, b)
    expect(one.told).toEqual(['vsr', undefined])
  })

  test('of a member that leaves are forgotten', async () => {
    await using world = new World()
    const one = news()
    const a = await world.member({ engine: 'raft', ...one })
    const b = await world.member({ engine: 'vsr' })
    a.transport.setPeers([peerOf(b)])
    await expect.poll(() => one.told).toEqual(['vsr'])
    world.members.delete(b.host.id)
    a.transport.setPeers([])
    expect(one.told).toEqual(['vsr', undefined])
  })

  test('are not asked of a member of the first release, nor by it', async () => {
    await using world = new World()
    const a = await world.member({ engine: 'raft' })
    const first = await world.host()
    const hellos: string[] = []
    const answer = (protocol: string) =>
      first.handle(
        protocol,
        (stream) => {
          const ear = new Ear()
          ear.each = (message) => {
            if (ear.count > 1) return
            hellos.push(Buffer.from(message).toString('hex'))
            stream.send([Buffer.from([1, message[0] === 1 ? 0 : 3])])
            if (message[0] !== 1) void stream.close()
          }
          ear.hear(stream)
        },
        () => true,
      )
    await answer(engine)
    await answer(snapshotProtocol)
    a.transport.setPeers([peerOf({ host: first })])
    await saw(a, `${first.id} up`)
    const [urgent, bulk] = ['0100000000000400000074657374', '0101000000000400000074657374'] as const
    expect(hellos.filter((hello) => hello.startsWith('01')).sort()).toEqual([urgent, bulk])
    // A link knows by then how to greet: a transfer says it right at once.
    a.transport.transfer(first.id, new Uint8Array(), [] as never, AbortSignal.timeout(5000)).catch(() => {})
    await expect.poll(() => hellos.at(-1)).toBe('0102000000000400000074657374')
    const stream = await first.dial({ id: a.host.id, addresses: a.host.addresses() }, engine, AbortSignal.timeout(5000))
    const ear = new Ear().hear(stream)
    stream.send([Buffer.from(bulk, 'hex')])
    await ear.until(({ count }) => count === 1)
    expect(ear.frames).toEqual([[Buffer.from([1, 0])]])
    stream.send(text('append'))
    await got(a, 1)
  })
})

describe('a transfer', () => {
  const never = new AbortController().signal
  const pattern = (i: number, length: number): Uint8Array => new Uint8Array(length).fill(i)
  const pair = async (world: World, init: { transferMillis?: number } = {}): Promise<[Member, Member]> => {
    const [a, b] = [await world.member(init), await world.member(init)]
    await acquaint(a, b)
    return [a, b]
  }

  test('of 64 MiB to a slow reader holds little memory, and messages pass meanwhile', async () => {
    await using world = new World()
    const [a, b] = await pair(world)
    const [sent, taken] = [createHash('sha256'), createHash('sha256')]
    let made = 0
    let most = 0
    let bytes = 0
    const body = async function* (): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 256; i++) {
        const chunk = pattern(i, 256 * 1024)
        sent.update(chunk)
        made += chunk.length
        yield chunk
      }
    }
    b.witness.offer = async (from, incoming) => {
      expect(from).toBe(a.host.id)
      expect(Buffer.from(incoming.header).toString()).toBe('the header')
      for await (const chunk of incoming.accept()) {
        taken.update(chunk)
        bytes += chunk.length
        // What was made and not yet taken is all that is held anywhere between the two.
        most = Math.max(most, made - bytes)
        await turn()
      }
      incoming.confirm()
    }
    const done = a.transport.transfer(b.host.id, Buffer.from('the header'), body(), never)
    a.transport.send(b.host.id, text('meanwhile'), 'bulk')
    expect(await done).toBe('accepted')
    expect(bytes).toBe(64 << 20)
    expect(taken.digest('hex')).toBe(sent.digest('hex'))
    expect(most).toBeLessThan(24 << 20)
    expect(texts(b)).toEqual(['meanwhile'])
  })

  test('can be rejected when the body could not be staged', async () => {
    await using world = new World()
    const [a, b] = await pair(world)
    b.witness.offer = async (_, incoming) => {
      for await (const _chunk of incoming.accept());
      incoming.reject()
    }
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10)
    }
    expect(await a.transport.transfer(b.host.id, new Uint8Array(), body(), never)).toBe('rejected')
  })

  test('can be rejected, and several run at once', async () => {
    await using world = new World()
    const [a, b] = await pair(world)
    b.witness.offer = async (_, incoming) => {
      if (incoming.header[0] === 0) return incoming.reject()
      let bytes = 0
      for await (const chunk of incoming.accept()) bytes += chunk.length
      expect(bytes).toBe(incoming.header[0] === 1 ? 0 : 3)
      incoming.confirm()
    }
    const body = async function* (chunks: number[]): AsyncGenerator<Uint8Array> {
      for (const length of chunks) yield new Uint8Array(length)
    }
    const transfer = (kind: number, chunks: number[]): Promise<string> =>
      a.transport.transfer(b.host.id, Uint8Array.of(kind), body(chunks), never)
    expect(await Promise.all([transfer(0, [1]), transfer(1, []), transfer(2, [1, 0, 2]), transfer(2, [3])])).toEqual([
      'rejected',
      'accepted',
      'accepted',
      'accepted',
    ])
  })

  test('fails on both sides when the peer dies in its midst, and lets go of the body', async () => {
    await using world = new World()
    const [a, b] = await pair(world)
    let closed = false
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(100_000)
      } finally {
        closed = true
      }
    }
    const { promise: failed, resolve: fail } = Promise.withResolvers<unknown>()
    b.witness.offer = (_, incoming) => {
      const take = async (): Promise<void> => {
        let chunks = 0
        for await (const _chunk of incoming.accept()) if (++chunks === 20) void b.host.close()
      }
      take().catch(fail)
    }
    await expect(a.transport.transfer(b.host.id, new Uint8Array(), endless(), never)).rejects.toMatchObject({
      code: 'link-failed',
    })
    expect(await failed).toMatchObject({ code: 'link-failed' })
    expect(closed).toBe(true)
  })

  test('ends when the sender aborts, when the body throws, and when the reader leaves', async () => {
    await using world = new World()
    const [a, b] = await pair(world)
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10)
      throw new Error('disk gone')
    }
    const outcomes: Promise<unknown>[] = []
    const abort = new AbortController()
    b.witness.offer = (_, incoming) => {
      const take = async (): Promise<void> => {
        for await (const _chunk of incoming.accept()) {
          if (incoming.header[0] === 1) abort.abort(new Error('enough'))
          if (incoming.header[0] === 2) break
        }
        incoming.confirm()
      }
      outcomes.push(take().catch((error: unknown) => error))
    }
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) yield new Uint8Array(1000)
    }
    await expect(a.transport.transfer(b.host.id, Uint8Array.of(0), slow(), never)).rejects.toThrow('disk gone')
    await expect(a.transport.transfer(b.host.id, Uint8Array.of(1), endless(), abort.signal)).rejects.toThrow('enough')
    await expect(a.transport.transfer(b.host.id, Uint8Array.of(2), endless(), never)).rejects.toMatchObject({
      code: 'link-failed',
    })
    const [thrown, aborted, left] = await Promise.all(outcomes)
    expect([thrown, aborted].every((error) => error instanceof Error)).toBe(true)
    expect(left).toBeUndefined()
  })

  test('counts as rejected when nobody answers, and fails when the reader or the sender stands still', async () => {
    await using world = new World()
    const [a, b] = await pair(world, { transferMillis: 200 })
    const held: IncomingTransfer[] = []
    b.witness.offer = (_, incoming) => void held.push(incoming)
    const standing = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10)
      await new Promise(() => {})
    }
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) yield new Uint8Array(100_000)
    }
    const patient = await world.member()
    b.transport.setPeers([peerOf(a), peerOf(patient)])
    patient.transport.setPeers([peerOf(b)])
    await saw(patient, `${b.host.id} up`)
    expect(await patient.transport.transfer(b.host.id, Uint8Array.of(0), endless(), never)).toBe('rejected')
    expect(() => held[0]?.accept()).toThrow()
    b.witness.offer = (_, incoming) => void incoming.accept()
    await expect(a.transport.transfer(b.host.id, Uint8Array.of(1), endless(), never)).rejects.toThrow('no progress')
    const { promise, resolve } = Promise.withResolvers<unknown>()
    b.witness.offer = (_, incoming) => {
      const take = async (): Promise<void> => {
        for await (const _chunk of incoming.accept());
      }
      take().catch(resolve)
    }
    const stood = a.transport.transfer(b.host.id, Uint8Array.of(2), standing(), never)
    stood.catch(() => {})
    expect(await promise).toBeInstanceOf(Error)
  })
})
