import { seededRandom } from '@conclave/interface'
import { afterEach, describe, expect, test } from 'vitest'
import { type Client, connect, type LocalReads, type ReadTarget } from '../src/index.ts'
import { FakeCluster, FakeNode, ManualClock, quiet } from './fake-cluster.ts'

const clients: Client[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => Promise.race([client.close(), quiet()])))
})

const start = async (localReads: LocalReads) => {
  const cluster = new FakeCluster()
  const clock = new ManualClock()
  const client = await connect({
    endpoints: [cluster.node(0).endpoint],
    localReads,
    world: { dial: cluster.dial, clock, random: seededRandom(1) },
  })
  clients.push(client)
  await client.kv.put('k', 'v')
  await clock.pass(20)
  /** Reads one after the other. @returns how many each node got. */
  const read = async (count: number): Promise<readonly number[]> => {
    const before = cluster.nodes.map(({ reads }) => reads)
    for (let at = 0; at < count; at++) await client.kv.get(`k${at}`, { level: 'local' })
    return cluster.nodes.map(({ reads }, at) => reads - (before[at] ?? 0))
  }
  return { cluster, clock, client, read }
}

describe('local reads', () => {
  test('go to every member in turn, though one endpoint was given', async () => {
    const { read } = await start('round-robin')
    expect(await read(30)).toEqual([10, 10, 10])
  })

  test('of one turn leave together, in one message for each node', async () => {
    const { cluster, client } = await start('round-robin')
    const before = cluster.nodes.map(({ reads }) => reads)
    await Promise.all(Array.from({ length: 99 }, (_, at) => client.kv.get(`k${at}`, { level: 'local' })))
    expect(cluster.nodes.map(({ reads }, at) => reads - (before[at] ?? 0))).toEqual([1, 1, 1])
  })

  test('of one key go to one node by a strategy that hashes', async () => {
    const { cluster, client } = await start('rendezvous')
    const used: number[] = []
    for (let at = 0; at < 20; at++) {
      const before = cluster.nodes.map(({ reads }) => reads)
      await client.kv.get('the same', { level: 'local' })
      used.push(cluster.nodes.findIndex(({ reads }, node) => reads > (before[node] ?? 0)))
    }
    expect(new Set(used).size).toBe(1)
  })

  test('leave out a node that fails again and again, and come back to it', async () => {
    const { cluster, clock, read } = await start('round-robin')
    cluster.node(1).readFates = ['not-ready', 'not-ready', 'not-ready']
    const reading = read(9)
    await clock.pass(1000)
    await reading
    expect((await read(20))[1]).toBe(0)
    await clock.pass(3000)
    expect(await read(30)).toEqual([10, 10, 10])
  })

  test('go on elsewhere when a node hangs, and those that it owes are asked again', async () => {
    const { cluster, clock, client } = await start('round-robin')
    cluster.node(2).state = 'hung'
    const reads = Promise.all(Array.from({ length: 30 }, (_, at) => client.kv.get(`k${at}`, { level: 'local' })))
    await clock.pass(2000)
    expect(await reads).toHaveLength(30)
  })

  test('shun a node that is slow to answer', async () => {
    const { cluster, clock, client, read } = await start('p2c')
    cluster.node(2).state = 'hung'
    const stuck = Array.from({ length: 12 }, () => client.kv.get('k', { level: 'local' }))
    await quiet()
    const [, , slow] = await read(50)
    expect(slow).toBe(0)
    await clock.pass(2000)
    await Promise.all(stuck)
  })

  test('go to a member that was added, and no more to one that was removed', async () => {
    const { cluster, clock, read } = await start('round-robin')
    cluster.nodes.push(new FakeNode(cluster, 'd'))
    for (const node of cluster.nodes) node.welcomeAgain()
    await clock.pass(50)
    expect(await read(40)).toEqual([10, 10, 10, 10])
    const [gone] = cluster.nodes.splice(1, 1)
    for (const node of cluster.nodes) node.welcomeAgain()
    await clock.pass(50)
    const before = gone?.reads
    expect(await read(30)).toEqual([10, 10, 10])
    expect(gone?.reads).toBe(before)
  })

  test('by a balancer of one’s own, which is told how each ended', async () => {
    const told: string[] = []
    const { cluster, clock, client } = await start({
      pick: (_, candidates) => candidates[1],
      settled: ({ id }: ReadTarget, { error }) => told.push(`${id.slice(-1)} ${error ?? 'ok'}`),
    })
    await client.kv.get('k', { level: 'local' })
    cluster.node(1).readFates = ['not-ready']
    const again = client.kv.get('k', { level: 'local' })
    await clock.pass(200)
    await again
    expect(told).toEqual(['b ok', 'b not-ready', 'b ok'])
  })

  test('that picks nobody go to the first node', async () => {
    const { read } = await start({ pick: () => undefined })
    expect(await read(5)).toEqual([5, 0, 0])
  })
})

test('what is bound to the leader goes to the leader', async () => {
  const { cluster, client } = await start('round-robin')
  const before = cluster.nodes.map(({ reads }) => reads)
  for (let at = 0; at < 10; at++) {
    await client.kv.get('k', { level: 'linearizable' })
    await client.kv.get('k', { level: 'lease' })
  }
  expect(cluster.nodes.map(({ reads }, at) => reads - (before[at] ?? 0))).toEqual([20, 0, 0])
})

test('a strategy that there is not', async () => {
  await expect(start('nearest' as LocalReads)).rejects.toThrow(
    'there is no strategy "nearest"; there are random, weighted-random',
  )
})
