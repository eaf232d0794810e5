import type { Session } from '@conclave/client'
import {
  Barrier,
  Counter,
  Election,
  Group,
  Queue,
  ReadWriteLock,
  Semaphore,
  ServiceRegistry,
} from '@conclave/client/recipes'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestCluster, testCluster } from '../src/index.ts'

let cluster: TestCluster
let sessions: readonly Session[] = []
let names = 0
const fresh = (): string => `/ls/local/recipes/${++names}`
const session = (at: number): Session => {
  const found = sessions[at]
  if (found === undefined) throw new RangeError(`there are ${sessions.length} sessions`)
  return found
}

beforeAll(async () => {
  cluster = await testCluster({ nodes: 3 })
  const client = await cluster.client()
  sessions = await Promise.all([0, 1, 2].map(() => client.session()))
})
afterAll(() => cluster.close())

test('an election has one leader at a time, which is seen by observers with a rising token', async () => {
  const path = fresh()
  const observed: string[] = []
  const observing = (async () => {
    for await (const { value } of new Election(session(2), path).observe()) {
      observed.push(value)
      if (value === 'b') return
    }
  })()
  const a = await new Election(session(0), path).campaign('a')
  const standing = new Election(session(1), path).campaign('b')
  expect(await new Election(session(2), path).leader()).toMatchObject({ value: 'a', token: a.token })
  await expect.poll(() => observed).toContain('a')
  const { token } = a
  await a.resign()
  const b = await standing
  expect(b.token).toBeGreaterThan(token)
  await observing
  await b.proclaim('b at another address')
  expect(await new Election(session(2), path).leader()).toMatchObject({ value: 'b at another address' })
  await b.resign()
  expect(await new Election(session(2), path).leader()).toBeUndefined()
})

test('a semaphore lets no more in than it has permits', async () => {
  const path = fresh()
  const [one, two] = [new Semaphore(session(0), path, 2), new Semaphore(session(1), path, 2)]
  const [a, b] = [await one.acquire(), await two.acquire()]
  expect(await two.tryAcquire()).toBeUndefined()
  await a.release()
  const c = await two.tryAcquire()
  expect(c?.held).toBe(true)
  await Promise.all([b.release(), c?.release()])
  expect(() => new Semaphore(session(0), path, 0)).toThrow(RangeError)
})

test('readers share, a writer is alone', async () => {
  const path = fresh()
  const [a, b] = [new ReadWriteLock(session(0), path), new ReadWriteLock(session(1), path)]
  const readers = await Promise.all([a.read(), b.read()])
  await expect(b.write({ wait: 0 })).rejects.toThrow(/held by another/)
  await Promise.all(readers.map((lock) => lock.release()))
  await using writer = await b.write({ wait: '5s' })
  expect(writer.mode).toBe('exclusive')
})

test('a counter counts every one of concurrent additions', async () => {
  const path = fresh()
  await Promise.all(
    sessions.flatMap((each) => {
      const counter = new Counter(each, path)
      return [counter.add(), counter.add(2), counter.add(-1n)]
    }),
  )
  expect(await new Counter(session(0), path).value()).toBe(6n)
})

test('a queue gives each item to one consumer, oldest first, and to another if that one lets it go', async () => {
  const path = fresh()
  const [producer, consumer, other] = [0, 1, 2].map((at) => new Queue(session(at), path))
  for (const text of ['one', 'two', 'three']) await producer?.push(text)
  const one = await consumer?.take()
  const two = await other?.take()
  expect([one?.text, two?.text]).toEqual(['one', 'two'])
  await one?.release()
  const again = await other?.take()
  expect(again?.text).toBe('one')
  await Promise.all([again?.done(), two?.done()])
  const three = await consumer?.tryTake()
  expect(three?.text).toBe('three')
  await three?.done()
  expect(await consumer?.tryTake()).toBeUndefined()
  const waiting = consumer?.take()
  await producer?.push('four')
  await (await waiting)?.done()
})

test('a group shows who is there, and that somebody has left', async () => {
  const path = fresh()
  const [a, b] = [new Group(session(0), path), new Group(session(1), path)]
  expect(await a.members()).toEqual([])
  const seen: string[] = []
  const watching = (async () => {
    for await (const members of a.watch()) {
      seen.push(members.map(({ name }) => name).join(' '))
      if (seen.includes('x y') && seen.at(-1) === 'y') return
    }
  })()
  const x = await a.join('x', 'first')
  const y = await b.join('y')
  await expect(b.join('x')).rejects.toThrow(/already/)
  expect(await b.members()).toEqual([
    { name: 'x', value: 'first' },
    { name: 'y', value: '' },
  ])
  await expect.poll(() => seen.at(-1)).toBe('x y')
  await x.close()
  await watching
  await y.close()
})

test('a barrier opens once all are there, and closes once all have left', async () => {
  const path = fresh()
  const passed: string[] = []
  const parties = ['a', 'b', 'c'].map(async (name, at) => {
    const { leave } = await new Barrier(session(at), path, 3).enter(name)
    passed.push(name)
    await leave()
    expect(passed).toHaveLength(3)
  })
  await Promise.all(parties)
})

test('a service is found as long as its session lives', async () => {
  const path = fresh()
  const [a, b] = [new ServiceRegistry(session(0), path), new ServiceRegistry(session(1), path)]
  expect(await a.list('web')).toEqual([])
  const registration = await a.register('web', { address: '127.0.0.1:80', tags: ['x'] })
  await expect(b.register('web', { address: '127.0.0.1:80' })).rejects.toThrow(/already/)
  await expect(b.register('web', { address: 'nowhere' })).rejects.toThrow(RangeError)
  await registration.update({ address: '127.0.0.1:80', health: 'failing' })
  expect(await b.list('web')).toMatchObject([{ health: 'failing' }])
  expect(await b.list('web', { passing: true })).toEqual([])
  const changes: number[] = []
  const watching = (async () => {
    for await (const instances of b.watch('web')) {
      changes.push(instances.length)
      if (instances.length === 0) return
    }
  })()
  await expect.poll(() => changes).toEqual([1])
  await registration.deregister()
  await watching
})
