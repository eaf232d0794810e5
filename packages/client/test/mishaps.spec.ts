import { type Random, seededRandom } from '@conclave/interface'
import { describe, expect, test } from 'vitest'
import { connect } from '../src/index.ts'
import { FakeCluster, type Fate, ManualClock, quiet } from './fake-cluster.ts'

const fates: readonly Fate[] = [
  'apply',
  'apply, reply lost',
  'apply, say unknown',
  'say unknown',
  'swallow',
  'double',
  { refuse: 'overloaded' },
  { refuse: 'not-leader' },
]

const start = async (cluster: FakeCluster, seed: number) => {
  const clock = new ManualClock()
  const world = { dial: cluster.dial, clock, random: seededRandom(seed) }
  const client = await connect({ endpoints: cluster.nodes.map((node) => node.endpoint), world, timeout: 600_000 })
  return { client, clock }
}

/** One thing goes wrong, or right again. */
const mishap = (cluster: FakeCluster, random: Random): void => {
  const one = <T>(values: readonly T[]): T => values[Math.floor(random.next() * values.length)] as T
  const node = one(cluster.nodes)
  const dice = random.next()
  if (dice < 0.4) node.fates.push(one(fates), one(fates))
  else if (dice < 0.55) node.cut()
  else if (dice < 0.65) node.state = 'hung'
  else if (dice < 0.7) node.die()
  else if (dice < 0.85) node.state = 'up'
  else cluster.elect(random.next() < 0.2 ? undefined : one(cluster.nodes.filter(({ state }) => state === 'up')))
}

describe('whatever goes wrong, every write is applied once and told once', () => {
  test.each(Array.from({ length: 60 }, (_, seed) => seed))('seed %i', async (seed) => {
    const random = seededRandom(seed)
    const cluster = new FakeCluster()
    const { client, clock } = await start(cluster, seed)
    const watched: bigint[] = []
    const watch = client.kv.watch({ fromRevision: 1n })
    const watching = (async () => {
      for await (const { revision } of watch) watched.push(revision)
    })()
    const puts: Promise<bigint>[] = []
    for (let step = 0; step < 40; step++) {
      const count = Math.floor(random.next() * 4)
      for (let i = 0; i < count; i++) puts.push(client.kv.put(`k${puts.length}`, 'v').then(({ revision }) => revision))
      if (random.next() < 0.5) mishap(cluster, random)
      await clock.pass(Math.floor(random.next() * 200))
    }
    for (const node of cluster.nodes) {
      node.state = 'up'
      node.fates = []
      // Whatever was swallowed on a connection that still stands is known to be lost only now.
      node.cut()
    }
    cluster.elect(cluster.node(0))
    await clock.pass(8_000)
    const revisions = (await Promise.all(puts)).sort((a, b) => Number(a - b))
    const all = Array.from({ length: puts.length }, (_, i) => BigInt(i + 1))
    expect(revisions).toEqual(all)
    expect(watched).toEqual(all)
    await watch.return?.()
    await watching
    await client.close()
  })
})

test('more calls than a session may have open wait their turn, and none is lost', async () => {
  const cluster = new FakeCluster()
  const { client } = await start(cluster, 1)
  cluster.elect(undefined)
  await quiet()
  const puts = Array.from({ length: 70_000 }, (_, i) => client.kv.put(`k${i % 100}`, ''))
  await quiet()
  cluster.elect(cluster.node(1))
  const revisions = new Set((await Promise.all(puts)).map(({ revision }) => revision))
  expect(revisions.size).toBe(70_000)
  expect(Math.max(...cluster.blockSizes)).toBeLessThanOrEqual(16_384)
  await client.close()
})

test('beyond what may wait at all, calls are refused at once and definitely', async () => {
  const cluster = new FakeCluster()
  const { client, clock } = await start(cluster, 1)
  cluster.elect(undefined)
  await quiet()
  const megabyte = new Uint8Array(1024 * 1024)
  const waiting = Array.from({ length: 63 }, (_, i) => client.kv.put(`k${i}`, megabyte, { timeout: 1000 }))
  await expect(client.kv.put('k', megabyte)).rejects.toMatchObject({ name: 'Overloaded', definite: true })
  const ended = Promise.allSettled(waiting)
  await clock.pass(1100)
  expect((await ended).every(({ status }) => status === 'rejected')).toBe(true)
  await client.close()
})

test('an idle session is used every ten minutes, a busy one is not', async () => {
  const cluster = new FakeCluster()
  const { client, clock } = await start(cluster, 1)
  await client.kv.put('k', 'v')
  const blocks = () => cluster.node(0).blocks
  const before = blocks()
  await clock.jump(10 * 60 * 1000)
  expect(blocks()).toBe(before)
  await clock.jump(10 * 60 * 1000)
  expect(blocks()).toBe(before + 1)
  await client.close()
})
