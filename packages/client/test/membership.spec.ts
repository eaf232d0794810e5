import { seededRandom } from '@conclave/interface'
import { afterEach, describe, expect, test } from 'vitest'
import { type Client, connect } from '../src/index.ts'
import { FakeCluster, ManualClock, quiet } from './fake-cluster.ts'

const clients: Client[] = []
const started = async (cluster: FakeCluster) => {
  const clock = new ManualClock()
  const world = { dial: cluster.dial, clock, random: seededRandom(1) }
  const client = await connect({ endpoints: cluster.nodes.map((node) => node.endpoint), world })
  clients.push(client)
  await quiet()
  return { client, clock, membership: client.membership }
}

/** All nodes but the first answer a dial a few turns later. */
const slowly =
  (cluster: FakeCluster): FakeCluster['dial'] =>
  async (id, addresses, signal) => {
    if (id !== cluster.node(0).id) await quiet()
    return cluster.dial(id, addresses, signal)
  }

/** What has become of a promise so far. */
const watched = (promise: Promise<unknown>) => {
  const state: { error?: unknown; settled: boolean } = { settled: false }
  promise.then(
    () => Object.assign(state, { settled: true }),
    (error) => Object.assign(state, { error, settled: true }),
  )
  return state
}

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => Promise.race([client.close(), quiet()])))
})

const d = { id: `12D3KooW${'d'.repeat(24)}`, name: 'd', addresses: ['/ip4/127.0.0.1/tcp/7404'] }
const names = (cluster: FakeCluster): string[] => cluster.membership.members.map(({ name }) => name)

describe('the membership', () => {
  test('is asked of the leader, and of any node if that will do', async () => {
    const cluster = new FakeCluster()
    const { membership } = await started(cluster)
    const news = await membership.get()
    expect(news.membership.members.map(({ name, role }) => [name, role])).toEqual([
      ['a', 'voter'],
      ['b', 'voter'],
      ['c', 'voter'],
    ])
    cluster.elect(undefined)
    expect((await membership.get({ level: 'local' })).epoch).toBe(cluster.epoch)
  })

  test('is changed by the leader: add, promote, update, remove', async () => {
    const cluster = new FakeCluster()
    const { membership } = await started(cluster)
    await membership.add({ ...d, addresses: [`${d.addresses[0]}/p2p/${d.id}`] }, { role: 'learner' })
    expect(cluster.membership.members.at(-1)).toEqual({ ...d, role: 'learner' })
    await membership.promote(d.id)
    expect(cluster.membership.members.at(-1)?.role).toBe('voter')
    await membership.update({ ...d, name: 'dd' })
    await membership.remove(cluster.node(1).id)
    expect(names(cluster)).toEqual(['a', 'c', 'dd'])
  })

  test('what the cluster refuses for good is told with its reason, what passes is tried again', async () => {
    const cluster = new FakeCluster()
    const { clock, membership } = await started(cluster)
    await expect(membership.remove(d.id)).rejects.toMatchObject({ code: 'refused', message: 'it is no change' })
    cluster.node(0).changeFates = [{ refuse: 'in-progress' }, { refuse: 'overloaded' }]
    const adding = watched(membership.add(d))
    await clock.pass(200)
    expect(adding).toEqual({ settled: true })
    expect(cluster.node(0).changes).toBe(4)
  })

  test('goes to the next leader when the first is none any more', async () => {
    const cluster = new FakeCluster()
    const { clock, membership } = await started(cluster)
    cluster.leader = cluster.node(1) // without a word to anybody
    const adding = watched(membership.add(d))
    await clock.pass(50)
    expect(adding.settled).toBe(false)
    cluster.elect(cluster.node(1))
    await clock.pass(1200)
    expect([adding.settled, names(cluster)]).toEqual([true, ['a', 'b', 'c', 'd']])
  })

  test.each([
    ['RangeError', { ...d, name: 'two words' }],
    ['RangeError', { ...d, id: '0' }],
    ['RangeError', { ...d, addresses: [] }],
    ['RangeError', { ...d, addresses: ['/ip4/127.0.0.1/tcp/1/p2p/12D3KooWsomebodyElse'] }],
  ])('nothing is sent of a member that is none: %s', async (name, member) => {
    const cluster = new FakeCluster()
    const { membership } = await started(cluster)
    await expect(membership.add(member)).rejects.toMatchObject({ name })
    expect(cluster.node(0).changes).toBe(0)
  })
})

describe('a change whose outcome is unknown', () => {
  test('that happened is told as done, and not sent again', async () => {
    const cluster = new FakeCluster()
    const { clock, membership } = await started(cluster)
    cluster.node(0).changeFates = ['apply, say unknown']
    const adding = watched(membership.add(d))
    await clock.pass(200)
    expect(adding).toEqual({ settled: true })
    expect(cluster.node(0).changes).toBe(1)
  })

  test('is not sent again under the reign that may still do it, and is unknown when the time is up', async () => {
    const cluster = new FakeCluster()
    const { clock, membership } = await started(cluster)
    cluster.node(0).changeFates = ['say unknown']
    const adding = watched(membership.add(d, { timeout: 3000 }))
    await clock.pass(2900)
    expect([adding.settled, cluster.node(0).changes]).toEqual([false, 1])
    await clock.pass(200)
    expect(adding.error).toMatchObject({ code: 'unavailable', definite: false })
  })

  test('is sent again under a later reign that does not show it', async () => {
    const cluster = new FakeCluster()
    const { clock, membership } = await started(cluster)
    cluster.node(0).changeFates = ['swallow']
    const adding = watched(membership.add(d))
    await clock.pass(100)
    cluster.elect(cluster.node(1))
    await clock.pass(300)
    expect(adding).toEqual({ settled: true })
    expect([cluster.node(0).changes, cluster.node(1).changes]).toEqual([1, 1])
  })

  test('is done if a hung leader had done it', async () => {
    const cluster = new FakeCluster()
    const { clock, membership } = await started(cluster)
    cluster.node(0).changeFates = ['apply, reply lost']
    const removing = watched(membership.remove(cluster.node(2).id))
    await clock.pass(100)
    cluster.node(0).state = 'hung'
    cluster.elect(cluster.node(1))
    await clock.pass(2000)
    expect(removing).toEqual({ settled: true })
    expect([cluster.node(1).changes, names(cluster)]).toEqual([0, ['a', 'b']])
  })

  test('that is aborted says that it may have happened', async () => {
    const cluster = new FakeCluster()
    const { clock, membership } = await started(cluster)
    cluster.node(0).changeFates = ['swallow']
    const abort = new AbortController()
    const adding = watched(membership.add(d, { signal: abort.signal }))
    await clock.pass(100)
    abort.abort(new Error('enough'))
    await quiet()
    expect(adding.error).toMatchObject({ code: 'aborted', definite: false })
  })
})

describe('leadership', () => {
  test('is moved, also if it takes asking twice', async () => {
    const cluster = new FakeCluster()
    const { client, clock, membership } = await started(cluster)
    cluster.node(0).ignoredTransfers = 1
    const moving = watched(membership.moveLeader(cluster.node(2).id))
    await clock.pass(300)
    expect([moving.settled, cluster.node(0).transfers]).toEqual([false, 1])
    await clock.pass(1000)
    expect([moving.settled, cluster.node(0).transfers, client.leader().id]).toEqual([true, 2, cluster.node(2).id])
  })

  test('that is there already needs no asking', async () => {
    const cluster = new FakeCluster()
    const { membership } = await started(cluster)
    await membership.moveLeader(cluster.node(0).id)
    expect(cluster.node(0).transfers).toBe(0)
  })
})

test('a node of an older version is never sent what it does not know', async () => {
  const cluster = new FakeCluster()
  for (const node of cluster.nodes) node.old = true
  const { client, membership } = await started(cluster)
  await expect(membership.add(d)).rejects.toMatchObject({ code: 'refused', reason: 'unsupported' })
  await client.kv.put('still', 'there')
  expect(cluster.node(0).changes).toBe(0)
})

test('the status of every member is asked right after connecting too, when some are still being dialled', async () => {
  const cluster = new FakeCluster()
  const client = await connect({
    endpoints: cluster.nodes.map((node) => node.endpoint),
    world: { dial: slowly(cluster), random: seededRandom(1) },
  })
  clients.push(client)
  expect((await client.status()).map(({ reachable }) => reachable)).toEqual([true, true, true])
})

test('local reads do not stay with an endpoint that is no member any more', async () => {
  const cluster = new FakeCluster()
  const { client, clock } = await started(cluster)
  await client.kv.put('k', 'v')
  const [gone] = cluster.nodes.splice(0, 1)
  if (gone === undefined) throw new Error('there are three')
  gone.readFates = Array(1000).fill('not-ready')
  cluster.elect(cluster.node(0))
  cluster.node(0).welcomeAgain()
  const reading = watched(client.kv.get('k', { level: 'local' }))
  await clock.pass(100)
  expect(reading).toEqual({ settled: true })
})

test('the members are those that the leader told of, also if it did so before it led, and others that lag behind spoke after it', async () => {
  const cluster = new FakeCluster()
  const { client } = await started(cluster)
  cluster.elect(undefined)
  await quiet()
  const [gone] = cluster.nodes.splice(0, 1)
  if (gone === undefined) throw new Error('there are three')
  cluster.node(0).welcomeAgain()
  await quiet()
  expect(client.members().map(({ name }) => name)).toEqual(['b', 'c'])
  cluster.nodes.unshift(gone)
  cluster.node(2).welcomeAgain()
  await quiet()
  cluster.elect(cluster.node(1))
  await quiet()
  expect(client.leader().id).toBe(cluster.node(1).id)
  expect(client.members().map(({ name }) => name)).toEqual(['b', 'c'])
})

test('an unknown read level is refused before anything is sent', async () => {
  const { client } = await started(new FakeCluster())
  const level = 'strong' as never
  await expect(client.kv.get('k', { level })).rejects.toThrow('linearizable, lease, local; got "strong"')
  await expect(async () => client.membership.get({ level })).rejects.toThrow('got "strong"')
})
