import net from 'node:net'
import { describe, expect, test } from 'vitest'
import { encodeFrame, FrameCutter, queued } from '../src/frame.ts'
import { generateIdentity, type Host, isLoopback, MalformedFrame } from '../src/index.ts'
import { connected, Ear, Signal, text, World } from './world.ts'

const port = (address: string | undefined): number => Number(/\/tcp\/(\d+)/.exec(address ?? '')?.[1])

/** A stream of plain libp2p, without anything of ours, to a host of ours. */
const stockStream = async (world: World, host: Host) => {
  const { noise } = await import('@chainsafe/libp2p-noise')
  const { tcp } = await import('@libp2p/tcp')
  const { yamux } = await import('@libp2p/yamux')
  const { createLibp2p } = await import('libp2p')
  const { multiaddr } = await import('@multiformats/multiaddr')
  const { privateKeyFromProtobuf } = await import('@libp2p/crypto/keys')
  const privateKey = privateKeyFromProtobuf((await world.identity()).privateKey)
  const node = await createLibp2p({
    privateKey,
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  })
  const stream = await node.dialProtocol(multiaddr(host.addresses()[0] ?? ''), '/test/1')
  return { stream, [Symbol.asyncDispose]: async () => void (await node.stop()) }
}

test('a peer with stock libp2p understands every size of frame, and is understood', async () => {
  await using world = new World()
  const host = await world.host()
  await host.handle(
    '/test/1',
    (stream) => {
      stream.start({
        messages: (messages) => messages.forEach((message) => void stream.send([message])),
        closed: () => {},
      })
    },
    () => true,
  )
  await using stock = await stockStream(world, host)
  const signal = new Signal()
  const back: Uint8Array[] = []
  const cutter = new FrameCutter(4 << 20, (messages) => void back.push(...messages))
  stock.stream.addEventListener('message', ({ data }) => {
    cutter.feed(data.subarray())
    signal.check()
  })
  const sizes = [0, 1, 300, 483, 484, 496, 512, 1200, 5000, 65_519, 65_520, 300_000, 3_000_000]
  for (const [i, size] of sizes.entries()) {
    const message = queued([new Uint8Array(size).fill(i + 1)])
    if (!stock.stream.send(encodeFrame([message], 0, 1, message.bytes))) await stock.stream.onDrain()
  }
  await signal.until(() => back.length === sizes.length)
  for (const [i, size] of sizes.entries())
    expect(Buffer.compare(back[i] ?? new Uint8Array(), new Uint8Array(size).fill(i + 1))).toBe(0)
})

describe('a frame stream', () => {
  test('sends all messages of a turn in one frame, in order', async () => {
    await using world = new World()
    const { near, farEar } = await connected(await world.host(), await world.host())
    for (let i = 0; i < 100; i++) near.send(text(`${i}`))
    await Promise.resolve()
    near.send(text('100'))
    await farEar.until(({ count }) => count === 101)
    expect(farEar.frames).toHaveLength(1)
    expect(farEar.texts).toEqual(Array.from({ length: 101 }, (_, i) => `${i}`))
  })

  test('sends at once what is flushed', async () => {
    await using world = new World()
    const { near, farEar } = await connected(await world.host(), await world.host())
    near.send(text('a'))
    near.send(text('b'))
    near.flush()
    near.send(text('c'))
    await farEar.until(({ count }) => count === 3)
    expect(farEar.frames.map((frame) => frame.length)).toEqual([2, 1])
  })

  test('carries ten thousand messages of all sizes both ways at once', async () => {
    await using world = new World()
    const { near, far, nearEar, farEar } = await connected(await world.host(), await world.host(), {
      queueBytes: 64 << 20,
    })
    const sizes = Array.from({ length: 10_000 }, (_, i) => (i % 1000 === 0 ? 300_000 : i % 997))
    const message = (i: number): Uint8Array => {
      const bytes = new Uint8Array(4 + (sizes[i] ?? 0)).fill(i)
      new DataView(bytes.buffer).setUint32(0, i, true)
      return bytes
    }
    for (let i = 0; i < sizes.length; i++) {
      expect(near.send([message(i)])).toBe(true)
      expect(far.send([message(i)])).toBe(true)
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    for (const ear of [nearEar, farEar]) {
      await ear.until(({ count }) => count === sizes.length)
      for (const [i, got] of ear.frames.flat().entries())
        if (Buffer.compare(got, message(i)) !== 0) expect.fail(`message ${i} differs`)
    }
  })

  test('takes messages up to its bound and no larger', async () => {
    await using world = new World()
    const { near, farEar } = await connected(await world.host(), await world.host(), { frameBytes: 100_000 })
    expect(near.maxMessage).toBe(99_996)
    expect(near.send([new Uint8Array(99_997)])).toBe(false)
    expect(near.send([new Uint8Array(99_996)])).toBe(true)
    expect(near.send(text('next'))).toBe(true)
    await farEar.until(({ count }) => count === 2)
    expect(farEar.frames).toHaveLength(2)
  })

  test('holds a bounded queue for a peer that stops reading, and drains when it reads again', async () => {
    await using world = new World()
    const { near, far, nearEar, farEar } = await connected(await world.host(), await world.host(), {
      queueBytes: 1 << 20,
    })
    far.pause()
    farEar.keep = false
    let sent = 0
    for (let refused = 0; refused < 3; ) {
      if (near.send([new Uint8Array(100_000)])) sent++
      else {
        refused++
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(near.queuedBytes).toBeLessThanOrEqual(1 << 20)
    }
    expect(near.writable).toBe(false)
    far.resume()
    await nearEar.until(({ drained }) => drained > 0)
    expect(near.queuedBytes).toBe(0)
    await farEar.until(({ count }) => count === sent)
  })

  test('delivers what was sent before it is closed, to both sides', async () => {
    await using world = new World()
    const { near, nearEar, farEar } = await connected(await world.host(), await world.host())
    for (let i = 0; i < 50; i++) near.send([new Uint8Array(50_000)])
    await near.close()
    await farEar.until(({ closed }) => closed)
    expect(farEar.bytes).toBe(50 * 50_000)
    expect(farEar.error).toBeUndefined()
    await nearEar.until(({ closed }) => closed)
    expect(near.send(text('late'))).toBe(false)
  })

  test('closes although the other side reads nothing', async () => {
    await using world = new World()
    const { near, far, nearEar, farEar } = await connected(await world.host(), await world.host())
    far.pause()
    while (near.send([new Uint8Array(1 << 20)])) near.flush()
    await near.close(50)
    await nearEar.until(({ closed }) => closed)
    expect(near.queuedBytes).toBe(0)
    await farEar.until(({ closed }) => closed)
    expect(farEar.bytes).toBeLessThan(16 << 20)
  })

  test('lives on when the signal of its dial fires later', async () => {
    await using world = new World()
    const [from, to] = [await world.host(), await world.host()]
    const ear = new Ear()
    await to.handle(
      '/test/1',
      (stream) => void ear.hear(stream),
      () => true,
    )
    const dial = new AbortController()
    const stream = await from.dial({ addresses: to.addresses() }, '/test/1', dial.signal)
    const near = new Ear().hear(stream)
    dial.abort()
    stream.send(text('still here'))
    await ear.until(({ count }) => count === 1)
    expect(near.closed).toBe(false)
  })

  test('tells the other side of an abort', async () => {
    await using world = new World()
    const { near, nearEar, farEar } = await connected(await world.host(), await world.host())
    near.abort(new Error('enough'))
    expect(nearEar.error?.message).toBe('enough')
    await farEar.until(({ closed }) => closed)
    expect(farEar.error).toBeInstanceOf(Error)
  })
})

describe('garbage', () => {
  /** A peer that is let in but does not speak in frames. */
  const rude = async (world: World, bytes: Uint8Array): Promise<Ear> => {
    const host = await world.host()
    const ear = new Ear()
    await host.handle(
      '/test/1',
      (stream) => void ear.hear(stream),
      () => true,
    )
    await using stock = await stockStream(world, host)
    stock.stream.send(bytes)
    await ear.until(({ closed }) => closed)
    // The host goes on.
    const { near, farEar } = await connected(await world.host(), host)
    near.send(text('fine'))
    await farEar.until(({ count }) => count === 1)
    return ear
  }

  test('from an admitted peer closes its stream', async () => {
    await using world = new World()
    expect((await rude(world, new Uint8Array(1000).fill(0xee))).error).toBeInstanceOf(MalformedFrame)
  })
  test('in the shape of a frame closes its stream after the messages before it', async () => {
    await using world = new World()
    const ear = await rude(world, Buffer.from('0600000002000000' + '6f6b' + '0500000009000000' + '61', 'hex'))
    expect(ear.texts).toEqual(['ok'])
    expect(ear.error).toBeInstanceOf(MalformedFrame)
  })

  test('at the socket, and resets at any moment, harm nobody', async () => {
    await using world = new World()
    const host = await world.host()
    const at = port(host.addresses()[0])
    const hello = Buffer.from('\x13/multistream/1.0.0\n\x07/noise\n', 'latin1')
    const attack = (bytes: Uint8Array, reset: boolean): Promise<void> =>
      new Promise((resolve) => {
        const socket = net.connect(at, '127.0.0.1', () => {
          socket.write(bytes)
          if (reset) setImmediate(() => socket.resetAndDestroy())
          else socket.end()
        })
        socket.on('error', () => {})
        socket.on('close', () => resolve())
        socket.resume()
      })
    const random = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7919) % 251)
    for (const bytes of [random(1), random(5000), hello, Buffer.concat([hello, random(3000)]), hello.subarray(0, 10)]) {
      await Promise.all([attack(bytes, true), attack(bytes, false)])
    }
    const { near, farEar } = await connected(await world.host(), host)
    near.send(text('fine'))
    await farEar.until(({ count }) => count === 1)
  })
})

describe('the gate', () => {
  test('refuses strangers, wherever they come from, and asks only about proved keys', async () => {
    await using world = new World()
    const asked: string[] = []
    const host = await world.host({ gate: { isMember: () => false, admitClient: (peer) => !asked.push(peer) } })
    let opened = 0
    await host.handle(
      '/test/1',
      () => opened++,
      () => true,
    )
    const stranger = await generateIdentity()
    const dialer = await world.host({ identity: stranger })
    // A dial may resolve before the refusal arrives: then the stream is reset.
    const outcome = await dialer
      .dial({ addresses: host.addresses() }, '/test/1', AbortSignal.timeout(5000))
      .catch((error: unknown) => error)
    if (!(outcome instanceof Error)) await new Ear().hear(outcome as never).until(({ closed }) => closed)
    expect(asked).toEqual([stranger.id])
    expect(opened).toBe(0)
  })

  test('serves clients beyond loopback only if told to', async () => {
    await using world = new World()
    const client = await world.host({ identity: await generateIdentity(), listen: [] })
    const reach = async (init: { listen: string[]; insecureClients?: boolean }): Promise<boolean> => {
      const host = await world.host(init)
      const ear = new Ear()
      await host.handle(
        '/test/1',
        (stream) => void ear.hear(stream).each,
        () => true,
      )
      const at = `/ip4/127.0.0.1/tcp/${port(host.addresses()[0])}`
      try {
        const stream = await client.dial({ addresses: [at] }, '/test/1', AbortSignal.timeout(5000))
        const near = new Ear().hear(stream)
        stream.send(text('hello'))
        await Promise.race([near.until(({ closed }) => closed), ear.until(({ count }) => count > 0)])
        return ear.count > 0
      } catch {
        return false
      }
    }
    expect(await reach({ listen: ['/ip4/127.0.0.1/tcp/0'] })).toBe(true)
    expect(await reach({ listen: ['/ip4/0.0.0.0/tcp/0'] })).toBe(false)
    expect(await reach({ listen: ['/ip4/0.0.0.0/tcp/0'], insecureClients: true })).toBe(true)
  })

  test('bounds the clients, not the members', async () => {
    await using world = new World()
    const host = await world.host({ maxClients: 1 })
    const ears: Ear[] = []
    await host.handle(
      '/test/1',
      (stream) => void ears.push(new Ear().hear(stream)),
      () => true,
    )
    const knock = async (identity = generateIdentity()): Promise<Ear> => {
      const dialer = await world.host({ identity: await identity, listen: [] })
      const ear = new Ear()
      const stream = await dialer
        .dial({ addresses: host.addresses() }, '/test/1', AbortSignal.timeout(5000))
        .catch(() => undefined)
      if (stream === undefined) ear.closed = true
      else ear.hear(stream)
      return ear
    }
    const first = await knock()
    const second = await knock()
    await second.until(({ closed }) => closed)
    await knock(world.identity())
    expect(first.closed).toBe(false)
    expect(ears).toHaveLength(2)
  })

  test('knows loopback when it sees it', () => {
    for (const near of [
      '/ip4/127.0.0.1/tcp/1',
      '/ip4/127.9.9.9/tcp/1',
      '/ip6/::1/tcp/1',
      '/ip6/::ffff:127.0.0.1/tcp/1',
    ]) {
      expect(isLoopback(near)).toBe(true)
    }
    for (const far of [
      '/ip4/0.0.0.0/tcp/1',
      '/ip4/10.0.0.1/tcp/1',
      '/ip6/::/tcp/1',
      '/dns4/localhost/tcp/1',
      '/ip4/nonsense/tcp/1',
      '',
    ]) {
      expect(isLoopback(far)).toBe(false)
    }
  })
})

test('a dial asks for the key it was told, tries all addresses, and ends with its signal', async () => {
  await using world = new World()
  const [dialer, host, other] = [await world.host(), await world.host(), await world.host()]
  await host.handle(
    '/test/1',
    (stream) => void new Ear().hear(stream),
    () => true,
  )
  const bare = host.addresses().map((address) => address.replace(/\/p2p\/.*/, ''))
  const signal = AbortSignal.timeout(5000)
  expect((await dialer.dial({ addresses: bare }, '/test/1', signal)).peer).toBe(host.id)
  expect(
    (await dialer.dial({ id: host.id, addresses: ['/ip4/127.0.0.1/tcp/1', ...bare] }, '/test/1', signal)).peer,
  ).toBe(host.id)
  await expect(dialer.dial({ id: other.id, addresses: bare }, '/test/1', signal)).rejects.toMatchObject({
    code: 'dial-failed',
  })
  await expect(dialer.dial({ id: host.id, addresses: [] }, '/test/1', signal)).rejects.toThrow('no address')
  await expect(dialer.dial({ id: host.id, addresses: ['rubbish'] }, '/test/1', signal)).rejects.toMatchObject({
    code: 'dial-failed',
  })
  const reason = new Error('changed my mind')
  await expect(dialer.dial({ addresses: bare }, '/test/1', AbortSignal.abort(reason))).rejects.toBe(reason)
})
