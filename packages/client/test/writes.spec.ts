import { seededRandom, silentLogger } from '@conclave/interface'
import { encodeKey, encodePut } from '@conclave/machine-kv'
import { afterEach, expect, test } from 'vitest'
import { Cluster } from '../src/cluster.ts'
import { parseEndpoint } from '../src/dialer.ts'
import { ClientClosed } from '../src/errors.ts'
import { Writes } from '../src/writes.ts'
import { FakeCluster, ManualClock, quiet } from './fake-cluster.ts'

let clusters: Cluster[] = []
afterEach(() => {
  for (const cluster of clusters) cluster.close(new ClientClosed(true))
  clusters = []
})

/** Writes of a client, and what puts keys with them. */
const start = async (blockCommands?: number) => {
  const fake = new FakeCluster()
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
    changed: () => writes.changed(),
    leaderChanged: () => {},
  })
  const writes = new Writes({
    cluster,
    clock,
    random,
    newSessionId: () => 7n,
    wake: () => {},
    ...(blockCommands !== undefined && { blockCommands }),
  })
  clusters.push(cluster)
  cluster.maintain()
  await quiet()
  const done: string[] = []
  const call = (key: string, signal?: AbortSignal): void => {
    const command = encodePut(encodeKey(key), new Uint8Array(0))
    writes.call(
      1,
      command,
      signal && { signal },
      Number.POSITIVE_INFINITY,
      () => done.push(key),
      (error) => done.push(String(error)),
    )
  }
  const put = (...keys: string[]): void => {
    for (const key of keys) call(key)
  }
  put('first')
  await quiet()
  return { fake, clock, call, put, done, writes }
}

test('the writes of one turn share a block', async () => {
  const { fake, put } = await start()
  put('a', 'b', 'c')
  await quiet()
  expect(fake.blockSizes).toEqual([1, 3])
})

test('writes that travel alone hold up none behind them, also when they are sent again', async () => {
  const { fake, clock, put, done } = await start(1)
  fake.node(0).fates = ['swallow', 'apply', 'apply, reply lost']
  put('held', 'behind', 'lost')
  await quiet()
  expect([fake.blockSizes, done]).toEqual([
    [1, 1, 1],
    ['first', 'behind'],
  ])
  fake.node(0).cut()
  await clock.pass(200)
  expect(fake.blockSizes).toEqual([1, 1, 1, 1, 1])
  expect(done).toEqual(['first', 'behind', 'held', 'lost'])
})

test('a write that may have happened, and is then refused for good, ends as one of which nobody knows', async () => {
  const { fake, clock, put, done, writes } = await start(1)
  fake.node(0).fates = ['say unknown', { refuse: 'invalid' }]
  put('a')
  await quiet()
  await clock.pass(1000)
  expect([done, writes.waiting]).toEqual([['first', expect.stringMatching('Unavailable.* unknown')], 0])
})

test('many that wait at the leader, though nobody waits for them any more, do not hold up the next', async () => {
  const { fake, call, done } = await start(1)
  fake.node(0).fates = Array(1000).fill('swallow')
  const giveUp = new AbortController()
  for (let at = 0; at < 1000; at++) call(`w${at}`, giveUp.signal)
  await quiet()
  giveUp.abort()
  call('release')
  await quiet()
  expect(done.at(-1)).toBe('release')
})
