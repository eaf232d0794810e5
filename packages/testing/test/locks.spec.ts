import { FileProblem, LockHeld, LockLost, SessionLost } from '@conclave/client'
import { paxos } from '@conclave/engine-paxos'
import { raft } from '@conclave/engine-raft'
import { zab } from '@conclave/engine-zab'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestCluster, testCluster } from '../src/index.ts'

const short = { ttl: '500ms', grace: '500ms' } as const

describe.each([
  ['raft', raft],
  ['paxos', paxos],
  ['zab', zab],
])('the lock service on %s', (_, engine) => {
  let cluster: TestCluster
  let names = 0
  /** One that no other test uses. */
  const fresh = (): string => `/ls/local/test/${++names}`

  beforeAll(async () => {
    cluster = await testCluster({ nodes: 3, engine })
  })
  afterAll(() => cluster.close())

  test('a lock has a token, above that of whoever held it before', async () => {
    const client = await cluster.client()
    await using session = await client.session()
    const path = fresh()
    const tokens: bigint[] = []
    for (let round = 0; round < 3; round++) {
      await using lock = await session.lock(path)
      expect(lock.held).toBe(true)
      tokens.push(lock.token)
    }
    expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)))
    expect(new Set(tokens).size).toBe(3)
  })

  test('whoever comes second waits, and gets it when it is given back', async () => {
    const client = await cluster.client()
    await using a = await client.session()
    await using b = await client.session()
    const path = fresh()
    const first = await a.lock(path)
    const second = b.lock(path)
    expect(await b.tryLock(path)).toBeUndefined()
    await expect(b.lock(path, { wait: 50 })).rejects.toThrow(LockHeld)
    await first.release()
    const lock = await second
    expect(lock.held).toBe(true)
    expect(() => first.token).toThrow(LockLost)
    await lock.release()
  })

  test('shared holders share a token, and keep a writer out', async () => {
    const client = await cluster.client()
    await using session = await client.session()
    const path = fresh()
    await using a = await session.lock(path, { mode: 'shared' })
    await using b = await session.lock(path, { mode: 'shared' })
    expect(a.token).toBe(b.token)
    expect(await session.tryLock(path)).toBeUndefined()
  })

  test('files are written whole, with compare-and-swap', async () => {
    const client = await cluster.client()
    await using session = await client.session()
    const path = fresh()
    expect(await session.read(path)).toBeUndefined()
    expect(await session.write(path, 'one', { ifGeneration: 0n })).toBe(1n)
    expect((await session.read(path))?.text).toBe('one')
    expect(await session.write(path, 'two', { ifGeneration: 1n })).toBe(2n)
    expect((await session.read(path))?.text).toBe('two')
    await expect(session.write(path, 'three', { ifGeneration: 1n })).rejects.toThrow(FileProblem)
    expect((await session.stat(path))?.contentGeneration).toBe(2n)
  })

  test('a cached read is told of a write before that is acknowledged', async () => {
    const client = await cluster.client()
    await using reader = await client.session()
    await using writer = await client.session()
    const path = fresh()
    await writer.write(path, '0')
    for (let round = 1; round < 20; round++) {
      expect((await reader.read(path))?.text).toBe(String(round - 1))
      await writer.write(path, String(round))
    }
    expect((await reader.read(path))?.text).toBe('19')
  })

  test('the lock of a session that is gone passes on, with its ephemeral files', async () => {
    const client = await cluster.client()
    const doomed = await (await cluster.client()).session(short)
    const path = fresh()
    const held = await doomed.lock(path)
    await doomed.open(`${path}-e`, { create: 'new', ephemeral: true })
    await using session = await client.session()
    const waiting = session.lock(path)
    // Its client is gone without a word.
    await cluster.node('n1').kill()
    await cluster.node('n1').restart()
    const before = held.token
    await doomed.end()
    const lock = await waiting
    expect(lock.token).toBeGreaterThan(before)
    expect(await session.stat(`${path}-e`)).toBeUndefined()
    expect(() => held.token).toThrow(LockLost)
    await expect(doomed.write(path, 'x')).rejects.toThrow(SessionLost)
    await lock.release()
  })

  test('locks and lines outlive a leader', async () => {
    const client = await cluster.client()
    const sessions = await Promise.all([1, 2, 3].map(() => client.session({ ttl: '2s' })))
    const path = fresh()
    const [first, second, third] = sessions
    if (first === undefined || second === undefined || third === undefined) throw new Error('three sessions')
    const lock = await first.lock(path)
    const order: number[] = []
    const two = second.lock(path).then((got) => {
      order.push(2)
      return got
    })
    while ((await first.stat(path))?.lock.waiters !== 1) await new Promise(setImmediate)
    const three = third.lock(path).then((got) => {
      order.push(3)
      return got
    })
    while ((await first.stat(path))?.lock.waiters !== 2) await new Promise(setImmediate)
    const leader = await cluster.waitForLeader()
    await leader.kill()
    await cluster.waitForLeader()
    expect(lock.held).toBe(true)
    await lock.release()
    await (await two).release()
    await (await three).release()
    expect(order).toEqual([2, 3])
    await leader.restart()
    await Promise.all(sessions.map((session) => session.end()))
  })
})
