import { seededRandom, silentLogger } from '@conclave/interface'
import { afterEach, describe, expect, test } from 'vitest'
import { Asks } from '../src/asks.ts'
import { Cluster } from '../src/cluster.ts'
import { parseEndpoint } from '../src/dialer.ts'
import { Aborted, ClientClosed, Refused, Unavailable } from '../src/errors.ts'
import { maxAskBytes } from '../src/protocol.ts'
import { type AskedCall, FakeCluster, ManualClock, quiet } from './fake-cluster.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

let clusters: Cluster[] = []
afterEach(() => {
  for (const cluster of clusters) cluster.close(new ClientClosed(true))
  clusters = []
})

/** A client's calls to three nodes with a service. The first one leads. */
const start = async (prepare: (cluster: FakeCluster) => void = () => {}) => {
  const fake = new FakeCluster()
  for (const node of fake.nodes) node.serves = true
  prepare(fake)
  const clock = new ManualClock()
  const random = seededRandom(1)
  const cluster = new Cluster({
    endpoints: fake.nodes.map((node) => parseEndpoint(node.endpoint)),
    local: undefined,
    cluster: '',
    dial: fake.dial,
    clock,
    random,
    logger: silentLogger,
    changed: () => asks.changed(),
    leaderChanged: () => {},
  })
  const asks = new Asks({ cluster, clock, random, wake: () => {} })
  clusters.push(cluster)
  cluster.maintain()
  await quiet()
  return { fake, clock, asks }
}

type World = Awaited<ReturnType<typeof start>>

/** Asks; what comes of it arrives in the list: replies with the time at which the answered attempt was sent, and errors. */
const ask = (
  world: World,
  target: 'leader' | 'any' = 'leader',
  deadline = Number.POSITIVE_INFINITY,
  signal?: AbortSignal,
) => {
  const told: unknown[] = []
  const withdraw = world.asks.call(
    {
      machine: 2,
      request: bytesOf('request'),
      target,
      deadline,
      complete: (reply, sentAt) => told.push(`${new TextDecoder().decode(reply)}, sent at ${sentAt}`),
      reject: (error) => told.push(error),
    },
    signal === undefined ? undefined : { signal },
  )
  return { told, withdraw }
}

/** The calls that a node holds. */
const held = (world: World, node: number): AskedCall[] => world.fake.node(node).asked

describe('a call to the service of the leader', () => {
  test('is answered once, with the time at which it was sent', async () => {
    const world = await start()
    await world.clock.pass(50)
    const { told } = ask(world)
    await quiet()
    await world.clock.pass(5000)
    expect(told).toEqual([])
    held(world, 0)[0]?.reply(bytesOf('here'))
    held(world, 0)[0]?.reply(bytesOf('again'))
    await quiet()
    expect(told).toEqual(['here, sent at 50'])
    expect(world.asks.waiting).toBe(0)
    expect([held(world, 0), held(world, 1), held(world, 2)].map(({ length }) => length)).toEqual([1, 0, 0])
  })

  test('goes to the next leader at once, and only its answer counts', async () => {
    const world = await start()
    const { told } = ask(world)
    await quiet()
    await world.clock.pass(100)
    world.fake.elect(world.fake.node(1))
    await quiet()
    expect([held(world, 0)[0]?.withdrawn, held(world, 1).length]).toEqual([true, 1])
    held(world, 0)[0]?.reply(bytesOf('old'))
    await quiet()
    expect(told).toEqual([])
    held(world, 1)[0]?.reply(bytesOf('new'))
    await quiet()
    expect(told).toEqual(['new, sent at 100'])
  })

  test('is sent again at once when the connection is there again', async () => {
    const world = await start()
    const { told } = ask(world)
    await quiet()
    world.fake.node(0).cut()
    await world.clock.pass(200)
    expect(held(world, 0)).toHaveLength(2)
    held(world, 0)[1]?.reply(bytesOf('here'))
    await quiet()
    expect(told).toHaveLength(1)
  })

  test('waits while nobody leads', async () => {
    const world = await start((fake) => {
      fake.leader = undefined
    })
    const { told } = ask(world)
    await world.clock.pass(1000)
    expect(world.fake.nodes.flatMap(({ asked }) => asked)).toEqual([])
    world.fake.elect(world.fake.node(2))
    await quiet()
    held(world, 2)[0]?.reply(bytesOf('here'))
    await quiet()
    expect(told).toEqual(['here, sent at 1000'])
  })

  test('is tried again a little later when it is refused for now, and failed when it is refused for good', async () => {
    const world = await start()
    const { told } = ask(world)
    await quiet()
    held(world, 0)[0]?.refuse('not-leader')
    await quiet()
    expect(held(world, 0)).toHaveLength(1)
    await world.clock.pass(100)
    expect(held(world, 0)).toHaveLength(2)
    held(world, 0)[1]?.refuse('invalid')
    await quiet()
    expect(told).toEqual([expect.any(Refused)])
    expect(world.asks.waiting).toBe(0)
  })

  test('that was refused goes to the next leader without a pause', async () => {
    const world = await start()
    ask(world)
    await quiet()
    held(world, 0)[0]?.refuse('not-leader')
    await quiet()
    world.fake.elect(world.fake.node(1))
    await quiet()
    expect(held(world, 1)).toHaveLength(1)
  })

  test('is withdrawn at the node when it is given up, aborted, too late, or the client closes', async () => {
    const world = await start()
    const abort = new AbortController()
    const never = new AbortController()
    never.abort(new Error('never mind'))
    const [given, aborted, late, open, refused] = [
      ask(world),
      ask(world, 'leader', Number.POSITIVE_INFINITY, abort.signal),
      ask(world, 'leader', 1000),
      ask(world),
      ask(world, 'leader', Number.POSITIVE_INFINITY, never.signal),
    ]
    await quiet()
    expect(held(world, 0).map(({ withdrawn }) => withdrawn)).toEqual([false, false, false, false])
    given.withdraw()
    abort.abort(new Error('enough'))
    world.asks.sweep(999)
    expect(late.told).toEqual([])
    world.asks.sweep(1000)
    await quiet()
    expect(held(world, 0).map(({ withdrawn }) => withdrawn)).toEqual([true, true, true, false])
    world.asks.close()
    await quiet()
    expect(held(world, 0)[3]?.withdrawn).toBe(true)
    for (const call of held(world, 0)) call.reply(bytesOf('late'))
    await quiet()
    const one = (kind: unknown): unknown[] => [expect.any(kind)]
    expect([given.told, aborted.told, late.told, open.told, refused.told]).toEqual([
      [],
      one(Aborted),
      one(Unavailable),
      one(ClientClosed),
      one(Aborted),
    ])
    expect(ask(world).told).toEqual(one(ClientClosed))
  })

  test('of a version without services is refused, and nothing is sent that it would not understand', async () => {
    const world = await start((fake) => {
      fake.node(0).old = true
    })
    const { told } = ask(world)
    await quiet()
    expect(told).toEqual([expect.any(Refused)])
    expect(held(world, 0)).toEqual([])
  })
})

test('a call to any node stays where it is while that lives, and moves on when it does not', async () => {
  const world = await start((fake) => fake.elect(fake.node(1)))
  const { told } = ask(world, 'any')
  await quiet()
  const first = world.fake.nodes.findIndex(({ asked }) => asked.length === 1)
  world.fake.elect(world.fake.node(2))
  await quiet()
  expect(world.fake.nodes.flatMap(({ asked }) => asked)).toHaveLength(1)
  world.fake.node(first).die()
  await world.clock.pass(100)
  const [call, ...more] = world.fake.nodes.filter((_, at) => at !== first).flatMap(({ asked }) => asked)
  expect(more).toEqual([])
  call?.reply(bytesOf('here'))
  await quiet()
  expect(told).toHaveLength(1)
})

test('the longest request fits a message', async () => {
  const world = await start()
  world.asks.call({
    machine: 2,
    request: new Uint8Array(maxAskBytes),
    target: 'leader',
    deadline: Number.POSITIVE_INFINITY,
    complete: () => {},
    reject: () => {},
  })
  await quiet()
  expect(held(world, 0)[0]?.request).toHaveLength(maxAskBytes)
})
