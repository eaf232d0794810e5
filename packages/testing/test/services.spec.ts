import type { Client } from '@conclave/client'
import { followService, keepRegistered, type ServiceInstance, ServiceRegistry } from '@conclave/client/recipes'
import { paxos } from '@conclave/engine-paxos'
import { raft } from '@conclave/engine-raft'
import { zab } from '@conclave/engine-zab'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestCluster, testCluster } from '../src/index.ts'

const addressesOf = (instances: readonly ServiceInstance[] = []): string[] => instances.map(({ address }) => address)

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

  beforeAll(async () => {
    cluster = await testCluster({ nodes: 3, engine })
    client = await cluster.client()
  })
  afterAll(() => cluster.close())

  test('an instance is found by all, with what it says of itself, until it is deregistered', async () => {
    const web = fresh()
    await using session = await client.session()
    const registry = new ServiceRegistry(session)
    expect(await registry.list(web)).toEqual([])
    const init = { address: '[::1]:8080', weight: 2.5, tags: ['blue', 'v2'], zone: 'a' }
    const registration = await registry.register(web, init)
    expect(await registry.list(web)).toEqual([{ id: '[::1]:8080', health: 'passing', ...init }])
    await registration.update({ health: 'failing' })
    expect(await registry.list(web, { passing: true })).toEqual([])
    expect(await registry.list(web)).toMatchObject([{ health: 'failing', weight: 2.5 }])
    await registration.deregister()
    expect(await registry.list(web)).toEqual([])
    expect(await registry.services()).toContainEqual({ service: web, instances: 0 })
  })

  test('following shows instances that come, change and go', async () => {
    const web = fresh()
    await using follower = followService(client, web)
    await using a = keepRegistered(client, web, { address: '127.0.0.1:1' })
    expect(await a.registered()).toBe(true)
    await expect.poll(() => addressesOf(follower.current?.instances)).toEqual(['127.0.0.1:1'])
    a.update({ health: 'failing' })
    await expect.poll(() => follower.current?.instances).toMatchObject([{ health: 'failing' }])
    await a.close()
    await expect.poll(() => follower.current?.instances).toEqual([])
    expect(follower.current?.stale).toBe(false)
  })
})
