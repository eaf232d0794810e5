import { seededRandom } from '@conclave/interface'
import { afterEach, describe, expect, test } from 'vitest'
import { type Client, type ClientInit, Compacted, connect, type KvEvent, textOf } from '../src/index.ts'
import { FakeCluster, ManualClock, quiet } from './fake-cluster.ts'

const clients: Client[] = []
const started = async (cluster: FakeCluster, init: Partial<ClientInit> = {}) => {
  const clock = new ManualClock()
  const world = { dial: cluster.dial, clock, random: seededRandom(1) }
  const client = await connect({ endpoints: cluster.nodes.map((node) => node.endpoint), world, ...init })
  clients.push(client)
  await quiet()
  return { client, clock, kv: client.kv }
}

/** What has become of a promise so far. */
const watchPromise = <T>(promise: Promise<T>) => {
  const state: { value?: T; error?: unknown; settled: boolean } = { settled: false }
  promise.then(
    (value) => Object.assign(state, { value, settled: true }),
    (error) => Object.assign(state, { error, settled: true }),
  )
  return state
}

afterEach(async () => {
  // Nodes answer again, so that each client can say goodbye.
  await Promise.all(clients.splice(0).map((client) => Promise.race([client.close(), quiet()])))
})

describe('when all is well', () => {
  test('what was put is read back, deleted, and listed in order', async () => {
    const { kv } = await started(new FakeCluster())
    expect(await kv.put('b', 'two')).toEqual({ done: true, revision: 1n, previous: 0n })
    await kv.put('a', Uint8Array.of(1))
    await kv.put('b', 'deux')
    const entry = await kv.get('b')
    expect(entry && textOf(entry.value)).toBe('deux')
    expect(entry).toMatchObject({ createRevision: 1n, modRevision: 3n, version: 2 })
    expect(await kv.get('nothing')).toBeUndefined()
    const page = await kv.list({ prefix: '' })
    expect(page.entries.map(({ key }) => key)).toEqual(['a', 'b'])
    expect(await kv.delete('a')).toEqual({ done: true, revision: 4n, previous: 2n })
    expect(await kv.delete('a')).toEqual({ done: true, revision: 4n, previous: 0n })
    expect(await kv.count()).toEqual({ revision: 4n, count: 1 })
  })

  test('a write that requires another revision is refused by a value', async () => {
    const { kv } = await started(new FakeCluster())
    const { revision } = await kv.put('k', 'v')
    expect(await kv.put('k', 'w', { ifRevision: 0n })).toEqual({ done: false, refused: 'revision-mismatch', revision })
    expect(await kv.put('k', 'w', { ifRevision: revision })).toMatchObject({ done: true })
    expect(await kv.delete('k', { ifRevision: revision })).toMatchObject({ done: false })
  })

  test('the calls of one turn travel in one block, and reads in one message', async () => {
    const cluster = new FakeCluster()
    const { kv } = await started(cluster)
    await kv.put('first', '')
    await Promise.all(Array.from({ length: 100 }, (_, i) => kv.put(`k${i}`, 'v')))
    expect(cluster.blockSizes).toEqual([1, 100])
    const before = cluster.node(0).reads
    await Promise.all(Array.from({ length: 100 }, (_, i) => kv.get(`k${i}`)))
    expect(cluster.node(0).reads).toBe(before + 1)
  })

  test('reads with long keys are spread over messages, and over time', async () => {
    const cluster = new FakeCluster()
    const { kv } = await started(cluster)
    const keys = Array.from({ length: 10_000 }, (_, i) => `${i}-`.padEnd(1024, 'x'))
    await Promise.all(keys.map((key) => kv.put(key, '')))
    const entries = await Promise.all(keys.map((key) => kv.get(key)))
    expect(entries.map((entry) => entry?.key)).toEqual(keys)
  })

  test('pages follow each other until there are no more', async () => {
    const { kv } = await started(new FakeCluster())
    await Promise.all(Array.from({ length: 25 }, (_, i) => kv.put(`k${String(i).padStart(2, '0')}`, 'v')))
    const keys: string[] = []
    for await (const { key } of kv.entries({ from: 'k05', to: 'k20', limit: 4, keysOnly: true })) keys.push(key)
    expect(keys).toEqual(Array.from({ length: 15 }, (_, i) => `k${String(i + 5).padStart(2, '0')}`))
  })

  test('local reads go to the one endpoint that was given', async () => {
    const cluster = new FakeCluster()
    const { kv } = await started(cluster, { endpoints: [cluster.node(2).endpoint] })
    await kv.put('k', 'v')
    await kv.get('k', { level: 'local' })
    expect(cluster.node(2).reads).toBe(1)
    await kv.get('k')
    expect(cluster.node(0).reads).toBe(1)
  })

  test('leader, members and status are known', async () => {
    const cluster = new FakeCluster()
    const { client, clock } = await started(cluster, { endpoints: [cluster.node(1).endpoint] })
    expect(client.leader().id).toBe(cluster.node(0).id)
    expect(client.members().map(({ name }) => name)).toEqual(['a', 'b', 'c'])
    cluster.node(2).die()
    const status = watchPromise(client.status())
    await clock.pass(2100)
    expect(status.value).toMatchObject([
      { name: 'a', reachable: true, status: { leading: true } },
      { name: 'b', reachable: true, status: { leading: false } },
      { name: 'c', reachable: false },
    ])
  })

  test('a client in the same process needs no endpoint', async () => {
    const cluster = new FakeCluster()
    const { kv } = await started(cluster, {
      endpoints: [],
      local: cluster.node(0) && { node: cluster.node(0).id, open: () => cluster.node(0).open() },
    })
    expect(await kv.put('k', 'v')).toMatchObject({ revision: 1n })
  })
})

describe('mishaps', () => {
  test.each(['apply, reply lost', 'apply, say unknown', 'say unknown', 'swallow', 'double'] as const)(
    'a block whose fate is "%s" is applied once',
    async (fate) => {
      const cluster = new FakeCluster()
      const { kv, clock } = await started(cluster)
      await kv.put('warm', 'up')
      cluster.node(0).fates = [fate]
      const put = watchPromise(kv.put('k', 'v'))
      await quiet()
      // The connection breaks, so that what was lost is known to be lost.
      if (fate === 'apply, reply lost' || fate === 'swallow') cluster.node(0).cut()
      await clock.pass(500)
      expect(put.value).toMatchObject({ done: true, revision: 2n })
      expect(await kv.put('next', 'v')).toMatchObject({ revision: 3n })
    },
  )

  test('the leader dies with writes under way: they go on at the next one, each applied once', async () => {
    const cluster = new FakeCluster()
    const { kv, clock } = await started(cluster)
    await kv.put('warm', 'up')
    cluster.node(0).fates = ['apply, reply lost', 'swallow']
    const first = watchPromise(Promise.all(Array.from({ length: 10 }, (_, i) => kv.put(`a${i}`, 'v'))))
    await quiet()
    const second = watchPromise(Promise.all(Array.from({ length: 10 }, (_, i) => kv.put(`b${i}`, 'v'))))
    await quiet()
    cluster.node(0).die()
    await clock.pass(300)
    expect(first.settled || second.settled).toBe(false)
    cluster.elect(cluster.node(1))
    await clock.pass(100)
    expect(first.value?.map(({ revision }) => revision)).toEqual(Array.from({ length: 10 }, (_, i) => BigInt(i + 2)))
    expect(second.value?.map(({ revision }) => revision)).toEqual(Array.from({ length: 10 }, (_, i) => BigInt(i + 12)))
  })

  test('a hung leader does not hang the client: the other connection tells of the next one', async () => {
    const cluster = new FakeCluster()
    const { kv, clock } = await started(cluster)
    await kv.put('warm', 'up')
    cluster.node(0).state = 'hung'
    const put = watchPromise(kv.put('k', 'v'))
    const get = watchPromise(kv.get('warm'))
    await clock.pass(400)
    expect(put.settled).toBe(false)
    cluster.elect(cluster.node(2))
    await quiet()
    expect(put.value).toMatchObject({ revision: 2n })
    expect(get.value).toMatchObject({ key: 'warm' })
  })

  test('a leader that does not answer pings is given up, and asked again', async () => {
    const cluster = new FakeCluster(['a'])
    const { kv, clock } = await started(cluster)
    await kv.put('warm', 'up')
    cluster.node(0).state = 'hung'
    const put = watchPromise(kv.put('k', 'v'))
    await clock.pass(900)
    cluster.node(0).state = 'up'
    await clock.pass(5000)
    expect(put.value).toMatchObject({ revision: 2n })
  })

  test('refusals that pass are waited out', async () => {
    const cluster = new FakeCluster()
    const { kv, clock } = await started(cluster)
    await kv.put('warm', 'up')
    cluster.node(0).fates = [{ refuse: 'overloaded' }, { refuse: 'not-ready' }, { refuse: 'not-leader' }]
    cluster.node(0).readFates = ['not-leader', 'not-ready']
    const put = watchPromise(kv.put('k', 'v'))
    const get = watchPromise(kv.get('warm'))
    await clock.pass(1000)
    expect(put.value).toMatchObject({ revision: 2n })
    expect(get.value).toMatchObject({ key: 'warm' })
  })

  test('a client that connects before there is a leader waits for one', async () => {
    const cluster = new FakeCluster()
    cluster.leader = undefined
    const { kv, clock } = await started(cluster)
    const put = watchPromise(kv.put('k', 'v'))
    await clock.pass(2000)
    expect(put.settled).toBe(false)
    cluster.elect(cluster.node(1))
    await quiet()
    expect(put.value).toMatchObject({ revision: 1n })
  })

  test('old leader news change nothing', async () => {
    const cluster = new FakeCluster()
    const { client, kv } = await started(cluster)
    cluster.elect(cluster.node(1))
    await quiet()
    cluster.epoch = 1n
    cluster.node(2).cut()
    cluster.node(2).tellLeader()
    await quiet()
    expect(client.leader()).toMatchObject({ id: cluster.node(1).id, epoch: 2n })
    expect(await kv.put('k', 'v')).toMatchObject({ done: true })
  })
})

describe('errors say what is known', () => {
  const timedOut = async (prepare: (cluster: FakeCluster) => void) => {
    const cluster = new FakeCluster()
    const { kv, clock } = await started(cluster)
    await kv.put('warm', 'up')
    prepare(cluster)
    await quiet()
    const put = watchPromise(kv.put('k', 'v', { timeout: 3000 }))
    await clock.pass(3100)
    return put.error
  }

  test('never sent: it did not happen', async () => {
    expect(await timedOut((cluster) => cluster.elect(undefined))).toMatchObject({ name: 'Unavailable', definite: true })
  })
  test('sent and not answered: unknown', async () => {
    const error = await timedOut((cluster) => {
      cluster.node(0).state = 'hung'
    })
    expect(error).toMatchObject({ name: 'Unavailable', code: 'unavailable', definite: false })
  })
  test('refused until the end: overloaded, it did not happen', async () => {
    const error = await timedOut((cluster) => {
      cluster.node(0).fates = Array.from({ length: 100 }, () => ({ refuse: 'overloaded' }) as const)
    })
    expect(error).toMatchObject({ name: 'Overloaded', definite: true })
  })
  test('one unknown attempt among refusals: unknown', async () => {
    const error = await timedOut((cluster) => {
      cluster.node(0).fates = ['say unknown', ...Array.from({ length: 100 }, () => ({ refuse: 'overloaded' }) as const)]
    })
    expect(error).toMatchObject({ name: 'Unavailable', definite: false })
  })
  test('refused for good', async () => {
    const error = await timedOut((cluster) => {
      cluster.node(0).fates = [{ refuse: 'invalid' }]
    })
    expect(error).toMatchObject({ name: 'Refused', reason: 'invalid', definite: true })
  })

  test('a watch whose signal has fired before it began ends with that', async () => {
    const { kv } = await started(new FakeCluster())
    const watch = kv.watch({ prefix: '', signal: AbortSignal.abort() })
    await expect(watch.next()).rejects.toMatchObject({ code: 'aborted' })
    expect(await watch.next()).toMatchObject({ done: true })
  })

  test('a value that is neither text nor bytes is refused, not cut to bytes', async () => {
    const { kv } = await started(new FakeCluster())
    for (const value of [5, undefined, null, new Uint16Array(2), [1]]) {
      await expect(kv.put('k', value as unknown as string)).rejects.toThrow('a value is a string or a Uint8Array')
    }
    await kv.put('k', 'v')
  })

  test('an aborted call rejects at once, and says whether it was sent', async () => {
    const cluster = new FakeCluster()
    const { kv } = await started(cluster)
    await kv.put('warm', 'up')
    const early = new AbortController()
    const unsent = watchPromise(kv.put('k', 'v', { signal: early.signal }))
    early.abort()
    await quiet()
    expect(unsent.error).toMatchObject({ name: 'Aborted', definite: true })
    expect(await kv.get('k')).toBeUndefined()
    cluster.node(0).fates = ['swallow']
    const late = new AbortController()
    const sent = watchPromise(kv.put('k', 'v', { signal: late.signal }))
    await quiet()
    late.abort()
    await quiet()
    expect(sent.error).toMatchObject({ name: 'Aborted', definite: false })
    await expect(kv.get('k', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'Aborted',
      definite: true,
    })
  })

  test('a session that expired while idle is replaced quietly', async () => {
    const cluster = new FakeCluster()
    const { kv } = await started(cluster)
    await kv.put('warm', 'up')
    cluster.sessions.clear()
    expect(await kv.put('k', 'v')).toMatchObject({ done: true, revision: 2n })
    expect(cluster.sessions.size).toBe(1)
  })

  test('a session that expired under an undecided call leaves it unknown for ever', async () => {
    const cluster = new FakeCluster()
    const { kv, clock } = await started(cluster)
    await kv.put('warm', 'up')
    cluster.node(0).fates = ['apply, reply lost']
    const put = watchPromise(kv.put('k', 'v'))
    await quiet()
    cluster.sessions.clear()
    cluster.node(0).cut()
    await clock.pass(500)
    expect(put.error).toMatchObject({ name: 'SessionExpired', definite: false })
    expect(await kv.put('k2', 'v')).toMatchObject({ done: true, revision: 3n })
  })

  test('bounds are errors of the caller', async () => {
    const { kv } = await started(new FakeCluster())
    await expect(kv.put('', 'v')).rejects.toThrow(RangeError)
    await expect(kv.put('k', new Uint8Array(1024 * 1024 + 1))).rejects.toThrow(RangeError)
    await expect(kv.list({ limit: 0 })).rejects.toThrow(RangeError)
    await expect(kv.get('k', { timeout: Number.NaN })).rejects.toThrow(RangeError)
  })

  test('an endpoint without a peer id is refused, with what to do', async () => {
    await expect(connect({ endpoints: ['/ip4/127.0.0.1/tcp/1'] })).rejects.toThrow(/append \/p2p\/ID/)
    await expect(connect({ endpoints: ['localhost:1/p2p/12D3KooWaaaaaaaaaaaaaaaaaaaa'] })).rejects.toMatchObject({
      name: 'InvalidEndpoint',
    })
    await expect(connect({})).rejects.toMatchObject({ code: 'invalid-endpoint' })
  })

  test('nobody there: connect says who was asked and what they said', async () => {
    const cluster = new FakeCluster()
    for (const node of cluster.nodes) node.state = 'dead'
    const clock = new ManualClock()
    const world = { dial: cluster.dial, clock, random: seededRandom(1) }
    const attempt = watchPromise(connect({ endpoints: [cluster.node(0).endpoint], timeout: 1000, world }))
    await clock.pass(1100)
    expect(attempt.error).toMatchObject({
      name: 'Unavailable',
      definite: true,
      message: expect.stringContaining('connection refused'),
    })
    expect(clock.timers).toBe(0)
  })
})

describe('watches', () => {
  /** Collects in the background. */
  const collect = (watch: AsyncIterable<KvEvent>) => {
    const seen = { revisions: [] as bigint[], error: undefined as unknown, done: false }
    void (async () => {
      try {
        for await (const { revision } of watch) seen.revisions.push(revision)
        seen.done = true
      } catch (error) {
        seen.error = error
      }
    })()
    return seen
  }

  test('every write once and in order, through every mishap', async () => {
    const cluster = new FakeCluster()
    const { kv, clock } = await started(cluster)
    await kv.put('before', '')
    const seen = collect(kv.watch({ prefix: 'k' }))
    await quiet()
    for (let round = 0; round < 12; round++) {
      const puts = Array.from({ length: 20 }, (_, i) => kv.put(`k${i}`, `${round}`))
      const leader = cluster.leader
      if (round % 4 === 1) leader?.cut()
      if (round % 4 === 2) cluster.elect(cluster.node((round + 1) % 3))
      if (round % 4 === 3 && leader !== undefined) {
        leader.state = 'hung'
        await quiet()
        cluster.elect(cluster.nodes.find((node) => node !== leader && node.state === 'up'))
        await clock.pass(1000)
        leader.state = 'up'
      }
      await clock.pass(300)
      await Promise.all(puts)
    }
    await clock.pass(1000)
    expect(seen.revisions).toEqual(Array.from({ length: 240 }, (_, i) => BigInt(i + 2)))
  })

  test('from a revision of the past', async () => {
    const { kv } = await started(new FakeCluster())
    for (let i = 0; i < 5; i++) await kv.put('k', `${i}`)
    const values: string[] = []
    for await (const event of kv.watch({ key: 'k', fromRevision: 3n })) {
      values.push(event.type === 'put' ? textOf(event.value) : 'deleted')
      if (values.length === 3) break
    }
    expect(values).toEqual(['2', '3', '4'])
  })

  test('history that is gone ends the watch with a clear error', async () => {
    const cluster = new FakeCluster()
    const { kvMachine } = await import('@conclave/machine-kv')
    cluster.machine = kvMachine({ history: { events: 3, bytes: 10_000 } })
    const { kv } = await started(cluster)
    for (let i = 0; i < 5; i++) await kv.put('k', `${i}`)
    const seen = collect(kv.watch({ fromRevision: 1n }))
    await quiet()
    expect(seen.error).toBeInstanceOf(Compacted)
    expect(seen.error).toMatchObject({ oldest: 3n })
  })

  test('a slow reader pauses the feed and misses nothing', async () => {
    const { kv } = await started(new FakeCluster())
    const watch = kv.watch({ fromRevision: 1n })
    const value = new Uint8Array(512 * 1024)
    for (let i = 0; i < 30; i++) await kv.put('k', value)
    await quiet()
    for (let i = 1n; i <= 30n; i++) expect((await watch.next()).value?.revision).toBe(i)
    await watch.return?.()
  })

  test('a signal, or the end of the client, ends it', async () => {
    const { kv, client } = await started(new FakeCluster())
    const stop = new AbortController()
    const first = collect(kv.watch({ signal: stop.signal }))
    const second = collect(kv.watch())
    await quiet()
    stop.abort()
    await quiet()
    expect(first.error).toMatchObject({ name: 'Aborted' })
    await client.close()
    await quiet()
    expect(second).toMatchObject({ done: true, error: undefined })
  })
})

test('close fails what waits, ends the session, and leaves no timer', async () => {
  const cluster = new FakeCluster()
  const { client, kv, clock } = await started(cluster)
  await kv.put('warm', 'up')
  cluster.node(0).fates = ['swallow']
  const put = watchPromise(kv.put('k', 'v'))
  await quiet()
  await client.close()
  await quiet()
  expect(put.error).toMatchObject({ name: 'ClientClosed', definite: false })
  await expect(kv.put('k', 'v')).rejects.toMatchObject({ name: 'ClientClosed', definite: true })
  expect(cluster.sessions.size).toBe(0)
  expect(clock.timers).toBe(0)
})
