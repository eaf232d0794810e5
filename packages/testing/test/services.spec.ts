import { type Client, InvalidEndpoint, lazyClient, type Session, SessionLost } from '@conclave/client'
import {
  followService,
  type InvalidInstance,
  keepRegistered,
  type ListStore,
  type RegistrationState,
  type ServiceInstance,
  type ServiceList,
  ServiceRegistry,
  type SessionSource,
} from '@conclave/client/recipes'
import { paxos } from '@conclave/engine-paxos'
import { raft } from '@conclave/engine-raft'
import { zab } from '@conclave/engine-zab'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type TestCluster, testCluster } from '../src/index.ts'

const idsOf = (instances: readonly ServiceInstance[] = []): string[] => instances.map(({ id }) => id)

/** However busy the machine is. */
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 20_000, interval: 10 })

const memoryStore = (kept?: string): ListStore & { kept: string | undefined } => {
  const store = {
    kept,
    load: async () => store.kept,
    save: async (text: string) => {
      store.kept = text
    },
  }
  return store
}

/** Begins sessions that are given up after a short time, and remembers them. */
const shortLived = (client: Client): SessionSource & { readonly begun: Session[] } => {
  const begun: Session[] = []
  return {
    begun,
    session: async (options) => {
      const session = await client.session({ ...options, grace: '100ms' })
      begun.push(session)
      return session
    },
  }
}

describe.each([
  ['raft', raft],
  ['paxos', paxos],
  ['zab', zab],
])('services on %s', (_, engine) => {
  let cluster: TestCluster
  let client: Client
  let names = 0
  /** A service that no other test uses. */
  const fresh = (): string => `service-${++names}`
  const stopCluster = (): void => {
    for (const node of cluster.nodes) node.pause()
  }
  const continueCluster = (): void => {
    for (const node of cluster.nodes) node.resume()
  }

  beforeAll(async () => {
    cluster = await testCluster({ nodes: 3, engine })
    client = await cluster.client()
  })
  afterAll(() => cluster.close())

  describe('a registry', () => {
    test('has an instance, with what it says of itself, until it is deregistered', async () => {
      const web = fresh()
      await using session = await client.session()
      const registry = new ServiceRegistry(session)
      expect(await registry.list(web)).toEqual([])
      const init = { address: '[::1]:8080', weight: 2.5, tags: ['blue', 'v2'], zone: 'a' }
      const registration = await registry.register(web, init)
      await expect(registry.register(web, init)).rejects.toThrow(/already/)
      expect(await registry.list(web)).toEqual([{ id: '[::1]:8080', health: 'passing', ...init }])
      // Two at once: the second one counts, with what the first one said.
      await Promise.all([registration.update({ health: 'failing' }), registration.update({ weight: 3 })])
      expect(await registry.list(web, { passing: true })).toEqual([])
      expect(await registry.list(web)).toMatchObject([{ health: 'failing', weight: 3 }])
      expect(await registry.services()).toContainEqual({ service: web, instances: 1 })
      await registration.deregister()
      expect(await registry.list(web)).toEqual([])
      expect(await registry.services()).toContainEqual({ service: web, instances: 0 })
      expect(await new ServiceRegistry(session, '/ls/local/nowhere').services()).toEqual([])
    })

    test('that is watched reads again only what has changed', async () => {
      const web = fresh()
      await using session = await client.session()
      await using watching = await client.session()
      const registry = new ServiceRegistry(session)
      const registrations = await Promise.all(
        Array.from({ length: 20 }, (_, at) => registry.register(web, { address: `10.0.0.1:${at + 1}` })),
      )
      const lists = new ServiceRegistry(watching).watch(web)
      expect((await lists.next()).value).toHaveLength(20)
      const read = vi.spyOn(watching, 'read')
      const list = vi.spyOn(watching, 'list')
      await registrations[7]?.update({ weight: 9 })
      expect((await lists.next()).value?.filter(({ weight }) => weight === 9)).toMatchObject([{ id: '10.0.0.1:8' }])
      expect([read.mock.calls.length, list.mock.calls.length]).toEqual([1, 0])
      await lists.return()
    })

    test('that is watched by a slow reader tells many changes as one', async () => {
      const web = fresh()
      await using session = await client.session()
      await using watching = await client.session()
      const registry = new ServiceRegistry(session)
      const lists = new ServiceRegistry(watching).watch(web)
      expect((await lists.next()).value).toEqual([])
      const addresses = Array.from({ length: 40 }, (_, at) => `10.0.0.1:${at + 1}`)
      await Promise.all(addresses.map((address) => registry.register(web, { address })))
      // The news has a way to go: it has come when one that was told later has.
      for await (const { length } of new ServiceRegistry(watching).watch(web)) if (length === 40) break
      let [length, changes] = [0, 0]
      while (length < 40) {
        length = (await lists.next()).value?.length ?? 0
        changes += 1
      }
      expect(changes).toBeLessThan(5)
      await lists.return()
    })

    test('leaves out what somebody wrote by hand, says so, and goes on', async () => {
      const web = fresh()
      await using session = await client.session()
      const registry = new ServiceRegistry(session)
      const invalid: InvalidInstance[] = []
      const onInvalid = (each: InvalidInstance): void => void invalid.push(each)
      await using follower = followService(client, web, { onInvalid })
      await using _ = await registry.register(web, { address: '10.0.0.1:1' })
      await session.mkdir(`/ls/local/services/${web}/directory`)
      await session.write(`/ls/local/services/${web}/garbage`, 'not even JSON')
      await session.write(`/ls/local/services/${web}/newer`, '{"version":2}')
      await session.write(`/ls/local/services/${web}/port`, '{"version":1,"address":"10.0.0.1:99999"}')
      await eventually(() => invalid.map(({ id }) => id).sort()).toEqual(['directory', 'garbage', 'newer', 'port'])
      expect(idsOf(await registry.list(web, { onInvalid }))).toEqual(['10.0.0.1:1'])
      expect(invalid).toContainEqual({ service: web, id: 'newer', reason: 'its version is 2, and only 1 is known' })
      await session.write(`/ls/local/services/${web}/garbage`, '{"version":1,"address":"10.0.0.1:2"}')
      await eventually(() => idsOf(follower.current?.instances)).toEqual(['10.0.0.1:1', 'garbage'])
    })

    test('tells each list of changes that go on while the leader is killed, up to the last one', async () => {
      const web = fresh()
      await using session = await client.session()
      await using follower = followService(await cluster.client(), web)
      const registration = await new ServiceRegistry(session).register(web, { address: '10.0.0.1:1' })
      const weights: number[] = []
      follower.onChange(({ instances }) => weights.push(...instances.map(({ weight }) => weight)))
      let killed: Promise<void> | undefined
      const leader = await cluster.waitForLeader()
      for (let weight = 2; weight <= 40; weight++) {
        if (weight === 20) killed = leader.kill()
        await registration.update({ weight })
      }
      await killed
      await eventually(() => weights.at(-1)).toBe(40)
      // Some may be left out, but none comes late.
      expect(weights).toEqual(weights.toSorted((a, b) => a - b))
      expect(follower.current?.stale).toBe(false)
      await leader.restart()
      await registration.deregister()
      await eventually(() => follower.current?.instances).toEqual([])
    })

    test('misses nothing that its followers were not told before the leader died', async () => {
      const web = fresh()
      await using session = await client.session()
      const leader = await cluster.waitForLeader()
      const [home, other] = cluster.nodes.filter((node) => node !== leader)
      if (home === undefined || other === undefined) throw new Error('three nodes')
      const registration = await new ServiceRegistry(session).register(web, { address: '10.0.0.1:1' })
      await using follower = followService(home.client, web)
      await eventually(() => follower.current?.instances).toHaveLength(1)
      cluster.partition([[leader, other], [home]])
      await registration.update({ weight: 2 })
      await leader.kill()
      cluster.heal()
      await eventually(() => follower.current?.instances).toMatchObject([{ weight: 2 }])
      expect(follower.current?.stale).toBe(false)
      await leader.restart()
    })

    test('ends a watch by its signal, and with its session', async () => {
      const web = fresh()
      const session = await client.session()
      const stop = new AbortController()
      const lists = new ServiceRegistry(session).watch(web, { signal: stop.signal })
      expect((await lists.next()).value).toEqual([])
      const next = lists.next()
      stop.abort()
      expect((await next).done).toBe(true)
      const lost = new ServiceRegistry(session).watch(web)
      await lost.next()
      const failing = expect(lost.next()).rejects.toThrow(SessionLost)
      await session.end()
      await failing
    })

    test('is watched anew if the directory is deleted meanwhile', async () => {
      const web = fresh()
      await using session = await client.session()
      await using follower = followService(client, web)
      await eventually(() => follower.current?.instances).toEqual([])
      await session.remove(`/ls/local/services/${web}`)
      await using _ = await new ServiceRegistry(session).register(web, { address: '10.0.0.1:1' })
      await eventually(() => idsOf(follower.current?.instances)).toEqual(['10.0.0.1:1'])
    })
  })

  describe('an instance that is kept registered', () => {
    test('says what is different as it changes, and is gone when it is closed', async () => {
      const web = fresh()
      await using follower = followService(client, web)
      const states: string[] = []
      const onState = ({ type }: RegistrationState): void => void states.push(type)
      const kept = keepRegistered(client, web, { address: '127.0.0.1:1', id: 'a' }, { onState })
      expect(await kept.registered()).toBe(true)
      expect(() => kept.update({ weight: 0 })).toThrow(RangeError)
      kept.update({ health: 'failing' })
      kept.update({ weight: 7 })
      expect(await kept.registered()).toBe(true)
      await eventually(() => follower.current?.instances).toMatchObject([{ health: 'failing', weight: 7 }])
      await kept.close()
      expect(await kept.ended).toBe('closed')
      expect(await kept.registered()).toBe(false)
      await eventually(() => follower.current?.instances).toEqual([])
      expect(states).toEqual(['registered', 'closed'])
    })

    test('is registered again when its session is lost', async () => {
      const web = fresh()
      const source = shortLived(client)
      await using session = await client.session()
      const states: string[] = []
      const onState = ({ type }: RegistrationState): void => void states.push(type)
      await using kept = keepRegistered(source, web, { address: '127.0.0.1:1' }, { onState })
      for (let lost = 0; lost < 3; lost++) {
        await kept.registered()
        await source.begun[lost]?.end()
        await eventually(() => source.begun.length).toBe(lost + 2)
      }
      await kept.registered()
      expect(await new ServiceRegistry(session).list(web)).toHaveLength(1)
      expect(states.filter((type) => type === 'registered')).toHaveLength(4)
    })

    test('takes its own file over while its lost session still has it: it does not go from the list', async () => {
      const web = fresh()
      await using session = await client.session()
      let sessions = 0
      // The first session is lost to the client, but not to the cluster: its end does not arrive.
      const source: SessionSource = {
        session: async (options) => {
          const begun = await client.session(options)
          if (sessions++ > 0) return begun
          vi.spyOn(begun, Symbol.asyncDispose).mockResolvedValue()
          const open = begun.open.bind(begun)
          vi.spyOn(begun, 'open').mockImplementationOnce(async (path, openOptions) => {
            await open(path, openOptions)
            throw new SessionLost('the client has lost it')
          })
          return begun
        },
      }
      const lists: string[][] = []
      await using follower = followService(client, web)
      follower.onChange(({ instances }) => lists.push(idsOf(instances)))
      await using kept = keepRegistered(source, web, { address: '127.0.0.1:1', id: 'a' })
      await kept.registered()
      kept.update({ weight: 2 })
      await eventually(() => follower.current?.instances).toMatchObject([{ weight: 2 }])
      const first = lists.findIndex(({ length }) => length === 1)
      expect(lists.slice(first).every(({ length }) => length === 1)).toBe(true)
      const path = `/ls/local/services/${web}/a`
      expect((await session.stat(path))?.handles).toBe(2)
      // The lost session has the file open still: it is deleted all the same.
      await kept.close()
      expect(await session.stat(path)).toBeUndefined()
    })

    test('is deregistered by somebody else for good', async () => {
      const web = fresh()
      await using session = await client.session()
      await using kept = keepRegistered(client, web, { address: '127.0.0.1:1' })
      await kept.registered()
      await new ServiceRegistry(session).deregister(web, '127.0.0.1:1')
      expect(await kept.ended).toBe('deregistered')
      expect(kept.state).toEqual({ type: 'deregistered' })
      expect(await new ServiceRegistry(session).list(web)).toEqual([])
      await expect(new ServiceRegistry(session).deregister(web, '127.0.0.1:1')).rejects.toThrow(/no such file/)
    })

    test('waits until one that somebody else registered is gone, or replaces it', async () => {
      const web = fresh()
      await using session = await client.session()
      const instance = { address: '127.0.0.1:1' }
      const first = keepRegistered(client, web, instance)
      await first.registered()
      await using second = keepRegistered(client, web, { ...instance, weight: 2 })
      await eventually(() => second.state.type).toBe('waiting')
      await first.close()
      expect(await second.registered()).toBe(true)
      await using third = keepRegistered(client, web, { ...instance, weight: 3 }, { replace: true })
      expect(await third.registered()).toBe(true)
      expect(await second.ended).toBe('deregistered')
      expect(await new ServiceRegistry(session).list(web)).toMatchObject([{ weight: 3 }])
    })

    test('that is stopped is gone when its lease is over, and registered again when it goes on', async () => {
      const web = fresh()
      await using follower = followService(client, web)
      const leader = await cluster.waitForLeader()
      const home = cluster.nodes.find((node) => node !== leader) ?? leader
      await using kept = keepRegistered(home.client, web, { address: '127.0.0.1:1' }, { ttl: '500ms' })
      await eventually(() => follower.current?.instances).toHaveLength(1)
      home.pause()
      await eventually(() => follower.current).toEqual({ service: web, instances: [], stale: false })
      await eventually(() => kept.state.type).toBe('jeopardy')
      home.resume()
      await eventually(() => follower.current?.instances).toHaveLength(1)
      await eventually(() => kept.state).toEqual({ type: 'registered' })
    })

    test('ends by its signal, also while it waits', async () => {
      const web = fresh()
      await using first = keepRegistered(client, web, { address: '127.0.0.1:1' })
      await first.registered()
      const stop = new AbortController()
      const second = keepRegistered(client, web, { address: '127.0.0.1:1' }, { signal: stop.signal })
      await eventually(() => second.state.type).toBe('waiting')
      stop.abort()
      expect(await second.ended).toBe('closed')
      const third = keepRegistered(client, web, { address: '127.0.0.1:1' }, { signal: stop.signal })
      expect(await third.ended).toBe('closed')
    })

    test('refuses what cannot be right before it does anything', () => {
      expect(() => keepRegistered(client, 'a/b', { address: '127.0.0.1:1' })).toThrow(RangeError)
      expect(() => keepRegistered(client, 'a', { address: 'nowhere' })).toThrow(RangeError)
      expect(() => keepRegistered(client, 'a', { address: '127.0.0.1:1' }, { ttl: '2m' })).toThrow(RangeError)
      expect(() => keepRegistered(client, 'a', { address: '127.0.0.1:1' }, { path: 'services' })).toThrow(RangeError)
      expect(() => followService(client, '')).toThrow(RangeError)
      expect(() => followService(client, 'a', { path: '/etc' })).toThrow(RangeError)
      expect(() => followService(client, 'a', { ttl: 1 })).toThrow(RangeError)
      expect(() => followService(client, 'a', { settle: -1 })).toThrow(RangeError)
    })
  })

  describe('a service that is followed while the cluster is away', () => {
    test('stays as it was, and is stale, until the cluster is back', async () => {
      const web = fresh()
      await using follower = followService(client, web, { ttl: '500ms' })
      await using _ = keepRegistered(client, web, { address: '127.0.0.1:1' })
      const lists: ServiceList[] = []
      follower.onChange((list) => lists.push(list))
      await eventually(() => follower.current?.instances).toHaveLength(1)
      stopCluster()
      await eventually(() => follower.current?.stale).toBe(true)
      expect(idsOf(follower.current?.instances)).toEqual(['127.0.0.1:1'])
      continueCluster()
      await eventually(() => follower.current?.stale).toBe(false)
      expect(idsOf(follower.current?.instances)).toEqual(['127.0.0.1:1'])
      const first = lists.findIndex(({ instances }) => instances.length === 1)
      expect(lists.slice(first).every(({ instances }) => instances.length === 1)).toBe(true)
    })

    test('is never empty in between, although all sessions are lost', async () => {
      const web = fresh()
      const [followers, instances] = [shortLived(client), shortLived(client)]
      await using follower = followService(followers, web, { ttl: '500ms' })
      await using kept = keepRegistered(instances, web, { address: '127.0.0.1:1' }, { ttl: '500ms' })
      await eventually(() => follower.current?.instances).toHaveLength(1)
      const lists: ServiceList[] = []
      follower.onChange((list) => lists.push(list))
      stopCluster()
      await eventually(() => followers.begun[0]?.state).toBe('expired')
      await eventually(() => instances.begun[0]?.state).toBe('expired')
      continueCluster()
      await eventually(() => follower.current?.stale).toBe(false)
      expect(await kept.registered()).toBe(true)
      expect(lists.map((list) => idsOf(list.instances))).toEqual(lists.map(() => ['127.0.0.1:1']))
    })

    test('loses an instance that does not come back, a while after the cluster is', async () => {
      const web = fresh()
      const [followers, instances] = [shortLived(client), shortLived(client)]
      await using follower = followService(followers, web, { ttl: '500ms', settle: '100ms' })
      const gone = keepRegistered(instances, web, { address: '127.0.0.1:1' }, { ttl: '500ms' })
      await using _ = keepRegistered(client, web, { address: '127.0.0.1:2' })
      await eventually(() => follower.current?.instances).toHaveLength(2)
      stopCluster()
      await eventually(() => followers.begun[0]?.state).toBe('expired')
      await eventually(() => instances.begun[0]?.state).toBe('expired')
      await gone.close()
      expect(idsOf(follower.current?.instances)).toHaveLength(2)
      continueCluster()
      await eventually(() => follower.current?.stale).toBe(false)
      await eventually(() => idsOf(follower.current?.instances)).toEqual(['127.0.0.1:2'])
    })

    test('is kept for a program that begins while the cluster is away, until that is there', async () => {
      const web = fresh()
      const store = memoryStore()
      const first = followService(client, web, { file: store })
      await using _ = keepRegistered(client, web, { address: '127.0.0.1:1' })
      await eventually(() => first.current?.instances).toHaveLength(1)
      const before = Date.now()
      await first.close()
      const kept = first.current?.instances
      let isThere = false
      const away: SessionSource = {
        session: (options) => (isThere ? client.session(options) : Promise.reject(new Error('nobody answers'))),
      }
      const troubles: unknown[] = []
      await using second = followService(away, web, { file: store, onTrouble: (error) => troubles.push(error) })
      await eventually(() => second.current).toMatchObject({ instances: kept, stale: true, reason: 'nobody answers' })
      expect(second.current?.stale === true && second.current.since).toBeGreaterThanOrEqual(before)
      expect(troubles).not.toEqual([])
      isThere = true
      await eventually(() => second.current).toEqual({ service: web, instances: kept, stale: false })
    })

    test('says of a kept list that is damaged that it cannot be used, and does without', async () => {
      const web = fresh()
      for (const text of ['', '{"version":1', '{"version":1,"path":"/ls/local/services","service":"other"}']) {
        const troubles: unknown[] = []
        const onTrouble = (error: unknown): void => void troubles.push(error)
        await using follower = followService(client, web, { file: memoryStore(text), onTrouble })
        await eventually(() => follower.current).toEqual({ service: web, instances: [], stale: false })
        expect(troubles).toHaveLength(1)
      }
    })
  })

  describe('following', () => {
    test('gives every loop the present list, and ends them all when it is closed', async () => {
      const web = fresh()
      const follower = followService(client, web)
      await using _ = keepRegistered(client, web, { address: '127.0.0.1:1' })
      await eventually(() => follower.current?.instances).toHaveLength(1)
      const read = async (): Promise<number> => {
        let lists = 0
        for await (const { instances } of follower) lists += instances.length
        return lists
      }
      const loops = [read(), read()]
      await follower.close()
      await follower.close()
      expect(await Promise.all(loops)).toEqual([1, 1])
      expect(follower.current?.instances).toHaveLength(1)
    })

    test('ends with its client, and by its signal', async () => {
      const [other, stop] = [await cluster.client(), new AbortController()]
      const ended = async (lists: AsyncIterable<unknown>): Promise<boolean> => {
        for await (const _ of lists);
        return true
      }
      const byClient = ended(followService(other, fresh()))
      const bySignal = ended(followService(client, fresh(), { signal: stop.signal }))
      await other.close()
      expect(await byClient).toBe(true)
      stop.abort()
      expect(await bySignal).toBe(true)
      expect(await ended(followService(client, fresh(), { signal: stop.signal }))).toBe(true)
    })
  })
})

test('the list of a cluster of one is fresh again when that goes on', async () => {
  await using cluster = await testCluster({ nodes: 1 })
  const client = await cluster.client()
  await using follower = followService(client, 'web', { ttl: '500ms' })
  await using _ = keepRegistered(client, 'web', { address: '127.0.0.1:1' })
  await eventually(() => follower.current?.instances).toHaveLength(1)
  cluster.node('n1').pause()
  await eventually(() => follower.current?.stale).toBe(true)
  cluster.node('n1').resume()
  await eventually(() => follower.current?.stale).toBe(false)
  expect(follower.current?.instances).toHaveLength(1)
})

test('a client that connects when it can fails each call until then, and every one after it is closed', async () => {
  expect(() => lazyClient({ endpoints: ['127.0.0.1:1'] })).toThrow(InvalidEndpoint)
  expect(() => lazyClient({})).toThrow(InvalidEndpoint)
  await using client = lazyClient({
    endpoints: ['/ip4/127.0.0.1/tcp/1/p2p/MemoryNodeNumber1'],
    timeout: 50,
    world: { dial: () => Promise.reject(new Error('nobody is there')) },
  })
  await expect(client.session()).rejects.toThrow(/nobody is there/)
  await expect(client.session()).rejects.toThrow(/nobody is there/)
  await client.close()
  await expect(client.session()).rejects.toThrow(/closed/)
})

test('following and registering over a client that is still connecting end at once', async () => {
  await using client = lazyClient({
    endpoints: ['/ip4/127.0.0.1/tcp/1/p2p/MemoryNodeNumber1'],
    timeout: 3_600_000,
    world: { dial: () => new Promise(() => {}) },
  })
  const follower = followService(client, 'web')
  const kept = keepRegistered(client, 'web', { address: '127.0.0.1:1' })
  await Promise.all([follower.close(), kept.close()])
  expect(follower.current).toBeUndefined()
  expect(kept.state).toEqual({ type: 'closed' })
})
