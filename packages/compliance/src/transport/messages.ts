import assert from 'node:assert/strict'
import { type Lane, type NodeId, nodeId } from '@conclave/interface'
import { drawOf, hex, sameBytes } from '../draw.ts'
import { turns } from '../patience.ts'
import { eachSeed, type SuiteTest } from '../suite.ts'
import type { TransportNetwork, TransportSubject } from './subject.ts'
import { acquaint, type Started, Town } from './witness.ts'

export const inTown = (subject: TransportSubject, name: string, body: (town: Town) => Promise<void>): SuiteTest => ({
  name,
  run: async () => {
    await using town = await Town.of(subject)
    await body(town)
  },
})

const lanes: readonly Lane[] = ['urgent', 'bulk']
const text = (of: string): Uint8Array[] => [new TextEncoder().encode(of)]
const heard = ({ witness }: Started): string[] => witness.got.map(({ message }) => Buffer.from(message).toString())
const patterned = (length: number, salt: number): Uint8Array =>
  new Uint8Array(length).map((_, at) => at * 31 + salt + (at >> 8))

const messageBytesOf = (subject: TransportSubject): number => subject.messageBytes ?? 4 * 1024 * 1024 - 4096

/** Messages and their bytes. */
export const messages = (subject: TransportSubject, seeds: readonly number[]): readonly SuiteTest[] => [
  inTown(
    subject,
    'receive: a whole message, its chunks together, from who sent it, in both lanes and both ways',
    async (town) => {
      const [a, b] = await town.pair()
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        for (const lane of lanes)
          from.transport.send(to.id, [...text(lane), new Uint8Array(), ...text(' message')], lane)
        await to.witness.has(2)
        assert.deepEqual(heard(to).sort(), ['bulk message', 'urgent message'])
        assert.deepEqual(new Set(to.witness.got.map((one) => one.from)), new Set([from.id]))
      }
    },
  ),
  inTown(subject, 'send: messages of every size up to the largest arrive unchanged', async (town) => {
    const [a, b] = await town.pair()
    const sizes = [1, 2, 255, 65_535, 65_536, 1_000_000, messageBytesOf(subject)]
    for (const [at, size] of sizes.entries()) {
      const message = patterned(size, at)
      a.transport.send(b.id, [message.subarray(0, 7), message.subarray(7)], 'bulk')
      await b.witness.has(at + 1)
      const got = b.witness.got[at]?.message
      assert.ok(sameBytes(got, message), `of ${size} bytes sent ${got?.length} arrived, or others`)
    }
  }),
  {
    name: 'send: messages of one turn share a frame, and come out of it as they went in, none lost on a good network',
    run: () =>
      eachSeed(seeds, async (seed) => {
        await using town = await Town.of(subject)
        const [a, b] = await town.pair()
        const draw = drawOf(seed)
        const sent: string[] = []
        for (let burst = 0; burst < 5; burst++) {
          for (let at = 0; at < 200; at++) {
            const message = draw.bytes(1 + draw.below(draw.chance(0.05) ? 2000 : 40))
            sent.push(Buffer.from(message).toString('hex'))
            a.transport.send(b.id, [message], draw.chance(0.5) ? 'urgent' : 'bulk')
          }
          await turns(1 + draw.below(3))
        }
        await b.witness.has(sent.length)
        const got = b.witness.got.map(({ message }) => Buffer.from(message).toString('hex'))
        assert.deepEqual(new Set(got), new Set(sent))
      }),
  },
  inTown(
    subject,
    'receive: the handler owns the bytes: writing to them changes no other message, and none of the sender',
    async (town) => {
      const [a, b] = await town.pair()
      const sent = Array.from({ length: 100 }, (_, at) => patterned(50, at))
      const whole: boolean[] = []
      b.witness.onMessage = (message) => {
        whole.push(sent.some((one) => sameBytes(one, message)))
        message.fill(0xee)
      }
      for (const message of sent) a.transport.send(b.id, [message], 'bulk')
      await b.witness.has(100)
      assert.ok(whole.every(Boolean), 'a message was changed by what the handler wrote to another')
      for (const [at, message] of sent.entries())
        assert.ok(sameBytes(message, patterned(50, at)), `the sender’s message ${at} is now ${hex(message)}`)
    },
  ),
  inTown(
    subject,
    'send: never throws and never blocks: not to strangers, to itself, before a link, nor after close',
    async (town) => {
      const [a, b] = [await town.member('a'), await town.member('b')]
      const stranger = nodeId('12D3KooWSomebodyWhomNobodyKnows')
      for (const to of [stranger, a.id, b.id])
        for (const lane of lanes) a.transport.send(to, text('into the void'), lane)
      await acquaint(a, b)
      a.transport.send(stranger, text('into the void'), 'bulk')
      a.transport.send(b.id, text('heard'), 'bulk')
      await b.witness.signal.until('the message', () => heard(b).includes('heard'))
      assert.equal(a.witness.got.length, 0, 'a message to a stranger, or to itself, came back')
      await a.transport.close()
      a.transport.send(b.id, text('late'), 'bulk')
      a.transport.setPeers([b.peer()])
      await turns(10)
      assert.ok(!heard(b).includes('late'), 'a closed transport sent a message')
    },
  ),
  {
    ...inTown(
      subject,
      'peer lost: a drop that the transport knows of is reported, once until the queue has drained',
      async (town) => {
        const [a, b] = await town.pair()
        const size = 64 * 1024
        const burst = (): void => {
          for (let sent = 0; sent < (subject.queueBytes ?? 0) * 4; sent += size)
            a.transport.send(b.id, [new Uint8Array(size)], 'bulk')
        }
        burst()
        await a.witness.saw(b.id, 'lost')
        await b.witness.signal.until('what was kept', () => b.witness.bytes >= (subject.queueBytes ?? 0) / 2)
        await quiet(b)
        assert.equal(a.witness.count(b.id, 'lost'), 1, 'one burst was told as lost more than once')
        const kept = b.witness.got.length
        assert.ok(b.witness.bytes < (subject.queueBytes ?? 0) * 4, 'everything arrived, though some was told as lost')
        // Until the queue was empty in between: a busy machine may take a while to empty it.
        for (let tries = 0; tries < 50 && a.witness.count(b.id, 'lost') < 2; tries++) {
          burst()
          await quiet(b)
        }
        await a.witness.saw(b.id, 'lost', 2)
        await b.witness.has(kept + 1)
        assert.equal(a.witness.count(b.id, 'down'), 0, 'a full queue is no broken link')
      },
    ),
    ...(subject.queueBytes === undefined && { skipped: 'the subject names no bound of its queue (option queueBytes)' }),
  },
]

/** Waits until nothing more arrives: the queue is empty. */
const quiet = async ({ witness }: Started): Promise<void> => {
  for (let before = -1; before !== witness.got.length; ) {
    before = witness.got.length
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const again = async (town: Town, gone: Started, other: Started): Promise<Started> => {
  const back = await town.member(gone.name)
  assert.equal(back.id, gone.id, 'the network gave the member that came back another id')
  back.transport.setPeers([other.peer()])
  return back
}

/** Links: made, broken, made again. */
export const links = (subject: TransportSubject, network: TransportNetwork): readonly SuiteTest[] => [
  inTown(
    subject,
    'setPeers: holds links to exactly these peers: one that leaves is sent nothing, one that comes back is up again',
    async (town) => {
      const [a, b, c] = [await town.member('a'), await town.member('b'), await town.member('c')]
      a.transport.setPeers([b.peer(), c.peer(), a.peer()])
      await Promise.all([a.witness.saw(b.id, 'up'), a.witness.saw(c.id, 'up')])
      a.transport.setPeers([c.peer()])
      a.transport.send(b.id, text('void'), 'bulk')
      a.transport.send(c.id, text('heard'), 'bulk')
      await c.witness.has(1)
      a.transport.setPeers([c.peer(), b.peer()])
      await a.witness.saw(b.id, 'up', 2)
      a.transport.send(b.id, text('again'), 'bulk')
      await b.witness.has(1)
      assert.deepEqual(heard(b), ['again'])
      assert.equal(a.witness.count(c.id, 'up'), 1, 'a link that stayed wanted was made anew')
      assert.equal(a.witness.count(a.id, 'up'), 0, 'a link to itself was made')
    },
  ),
  inTown(subject, 'receive: also from a member that is not among the own peers', async (town) => {
    const [a, b] = [await town.member('a'), await town.member('b')]
    a.transport.setPeers([b.peer()])
    await a.witness.saw(b.id, 'up')
    a.transport.send(b.id, text('hear me'), 'urgent')
    await b.witness.has(1)
    assert.deepEqual(b.witness.links, [], 'a link that nobody asked for was told')
  }),
  inTown(
    subject,
    'setPeers: a peer that cannot be reached hinders nobody, and is linked once it is there',
    async (town) => {
      const [a, b, c] = [await town.member('a'), await town.member('b'), await town.member('c')]
      const absent = c.peer()
      await c.transport.close()
      a.transport.setPeers([absent, b.peer()])
      await a.witness.saw(b.id, 'up')
      a.transport.send(absent.id, text('void'), 'bulk')
      a.transport.send(b.id, text('heard'), 'bulk')
      await b.witness.has(1)
      await again(town, c, a)
      await a.witness.saw(c.id, 'up')
    },
  ),
  inTown(subject, 'peer down, then up: a peer that closes and comes back is linked again, by itself', async (town) => {
    const [a, b] = await town.pair()
    await b.transport.close()
    await a.witness.saw(b.id, 'down')
    a.transport.send(b.id, text('void'), 'bulk')
    const back = await again(town, b, a)
    await Promise.all([a.witness.saw(b.id, 'up', 2), back.witness.saw(a.id, 'up')])
    a.transport.send(b.id, text('welcome back'), 'bulk')
    back.transport.send(a.id, text('thank you'), 'bulk')
    await Promise.all([back.witness.has(1), a.witness.has(1)])
    assert.deepEqual([heard(back), heard(a)], [['welcome back'], ['thank you']])
    const told = a.witness.links.filter((line) => !line.endsWith('lost'))
    assert.deepEqual(told, [`${b.id} up`, `${b.id} down`, `${b.id} up`])
  }),
  {
    ...inTown(subject, 'peer down, then up: a reset is told to both, and the links are made again', async (town) => {
      const [a, b] = await town.pair()
      await town.network.reset?.(a.id, b.id)
      await Promise.all([a.witness.saw(b.id, 'down'), b.witness.saw(a.id, 'down')])
      await Promise.all([a.witness.saw(b.id, 'up', 2), b.witness.saw(a.id, 'up', 2)])
      a.transport.send(b.id, text('still here'), 'bulk')
      await b.witness.has(1)
    }),
    ...(network.reset === undefined && { skipped: 'the network of this subject offers no `reset`' }),
  },
  inTown(subject, 'close: no handler call follows; safe to call twice', async (town) => {
    const [a, b] = await town.pair()
    for (let at = 0; at < 100; at++) a.transport.send(b.id, text('x'), 'bulk')
    await Promise.all([b.transport.close(), b.transport.close()])
    await b.transport.close()
    const told = [b.witness.got.length, b.witness.links.length]
    for (let at = 0; at < 100; at++) a.transport.send(b.id as NodeId, text('x'), 'bulk')
    await a.witness.saw(b.id, 'down')
    await turns(20)
    assert.deepEqual([b.witness.got.length, b.witness.links.length], told, 'the handler was called after close')
  }),
]
