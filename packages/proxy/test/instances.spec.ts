import type { ServerResponse } from 'node:http'
import { outlierEjection, roundRobin } from '@conclave/balance'
import { describe, expect, test } from 'vitest'
import { Instance, type ProxyBalancer } from '../src/instance.ts'
import { instanceMetrics } from '../src/metrics.ts'
import { parseAddress } from '../src/source.ts'
import { ask, backend, httpProxy, Lists, tcpBackend, until } from './world.ts'

const named = (name: string) => backend((_, res) => res.end(name))

describe('the list', () => {
  test('is followed: who joins gets requests, who left gets none', async () => {
    const [a, b] = [await named('a'), await named('b')]
    const lists = new Lists(a.address)
    const proxy = await httpProxy(lists)
    const told: string[] = []
    proxy.on('joined', ({ address }) => told.push(`joined ${address}`))
    proxy.on('left', ({ address }) => told.push(`left ${address}`))
    expect((await ask(proxy)).text).toBe('a')
    lists.set(a.address, b.address)
    await until(() => told.length === 1)
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(proxy)))
    expect(answers.filter(({ text }) => text === 'b')).toHaveLength(5)
    lists.set(b.address)
    await until(() => told.length === 2)
    for (let at = 0; at < 5; at++) expect((await ask(proxy)).text).toBe('b')
    expect(told).toEqual([`joined ${b.address}`, `left ${a.address}`])
  })

  test('lets what is under way at one that left come to its end', async () => {
    const held: ServerResponse[] = []
    const a = await backend((_, res) => void held.push(res))
    const lists = new Lists(a.address)
    const proxy = await httpProxy(lists)
    const answer = ask(proxy)
    await until(() => held.length === 1)
    lists.set()
    await until(() => proxy.instances.length === 0)
    held[0]?.end('to its end')
    expect((await answer).text).toBe('to its end')
    await until(() => a.server.connections === 0 || proxy.metrics.requests.active === 0)
  })

  test('cuts what is under way at one that left when its time is over', async () => {
    const a = await backend(() => {})
    const lists = new Lists(a.address)
    const proxy = await httpProxy(lists, { timeouts: { leave: 50 } })
    const answer = ask(proxy, '/', { method: 'POST' })
    await until(() => a.count === 1)
    lists.set()
    expect((await answer).status).toBe(502)
  })

  test('may give an instance another weight, and another address under the same id', async () => {
    const [a, b] = [await named('a'), await named('b')]
    const lists = new Lists()
    const proxy = await httpProxy(lists)
    lists.set({ id: 'one', address: a.address, weight: 2, locality: 'here', priority: 1 })
    await until(() => proxy.instances.length === 1)
    expect((await ask(proxy)).text).toBe('a')
    lists.set({ id: 'one', address: a.address, weight: 5 })
    await until(() => proxy.instances[0]?.weight === 5)
    expect(proxy.metrics.instances.one?.requests['2xx']).toBe(1)
    lists.set({ id: 'one', address: b.address })
    await until(() => proxy.instances[0]?.address === b.address)
    expect((await ask(proxy)).text).toBe('b')
    expect(proxy.metrics.instances.one?.requests['2xx']).toBe(1)
  })

  test('that holds what cannot be: the rest stands', async () => {
    const a = await named('a')
    const lists = new Lists()
    const proxy = await httpProxy(lists)
    const trouble: string[] = []
    proxy.on('trouble', ({ message }) => trouble.push(message))
    lists.set('nowhere', a.address, a.address, { address: '10.0.0.1:1', weight: -1 })
    await until(() => trouble.length === 3)
    expect(proxy.instances).toMatchObject([{ address: a.address }])
    expect(trouble).toEqual([
      `an instance's address is HOST:PORT, such as 10.0.0.7:8080, got "nowhere"`,
      `two instances have the id "${a.address}"`,
      'a weight is a finite number from 0 up, got -1 for the instance 10.0.0.1:1',
    ])
  })

  test.each(['10.0.0.256:80', '[::1::]:80', '1.2.3.4.5:80'])(
    'goes on behind %s, which is no address',
    async (address) => {
      const a = await named('a')
      const lists = new Lists(address)
      const proxy = await httpProxy(lists)
      const trouble: string[] = []
      proxy.on('trouble', ({ message }) => trouble.push(message))
      lists.set(address, a.address)
      await until(() => trouble.length > 0)
      lists.set(a.address)
      await until(() => proxy.instances.length === 1)
      expect((await ask(proxy)).text).toBe('a')
      expect(() => parseAddress(address)).toThrow(RangeError)
    },
  )

  test('takes back a priority and a locality', async () => {
    const a = await named('a')
    const lists = new Lists()
    const seen: unknown[] = []
    const balancer: ProxyBalancer = {
      pick: (_, [only]) => {
        seen.push([only?.locality, only?.priority])
        return only
      },
    }
    const proxy = await httpProxy(lists, { balancer })
    lists.set({ address: a.address, weight: 1, locality: 'here', priority: 1 })
    await until(() => proxy.instances.length === 1)
    await ask(proxy)
    lists.set({ address: a.address, weight: 2 })
    await until(() => proxy.instances[0]?.weight === 2)
    await ask(proxy)
    expect(seen).toEqual([
      ['here', 1],
      [undefined, undefined],
    ])
  })

  test('whose source fails stands', async () => {
    const a = await named('a')
    const lists = new Lists(a.address)
    const proxy = await httpProxy(lists)
    const trouble = new Promise((resolve) => void proxy.on('trouble', resolve))
    lists.fail(new Error('the cluster is away'))
    expect(await trouble).toMatchObject({ message: 'the cluster is away' })
    expect((await ask(proxy)).text).toBe('a')
  })

  test('wakes those who wait when one joins', async () => {
    const held: ServerResponse[] = []
    const a = await backend((_, res) => void held.push(res))
    const b = await named('b')
    const lists = new Lists(a.address)
    const proxy = await httpProxy(lists, { limits: { perInstance: 1 } })
    const first = ask(proxy)
    await until(() => held.length === 1)
    const second = ask(proxy)
    await until(() => proxy.metrics.requests.waiting === 1)
    lists.set(a.address, b.address)
    expect((await second).text).toBe('b')
    held[0]?.end()
    await first
  })
})

describe('checks', () => {
  test('by HTTP take out who answers ill or not at all, and let it in again', async () => {
    let status = 200
    const a = await backend((req, res) => res.writeHead(req.url === '/health' ? status : 200).end('a'))
    const proxy = await httpProxy([a.address], {
      health: { check: 'http', path: '/health', interval: 10, timeout: 200, rise: 2, fall: 2 },
    })
    const down = new Promise<string>((resolve) => void proxy.on('down', (_, why) => resolve(why)))
    const up = new Promise<void>((resolve) => void proxy.on('up', () => resolve()))
    expect((await ask(proxy)).status).toBe(200)
    status = 500
    expect(await down).toBe('/health answered with 500')
    expect((await ask(proxy)).status).toBe(503)
    expect(proxy.instances).toMatchObject([{ state: 'failing' }])
    expect(proxy.metrics.ejections).toBe(1)
    status = 204
    await up
    expect((await ask(proxy)).status).toBe(200)
  })

  test('by HTTP have a time limit', async () => {
    const a = await backend(() => {})
    const proxy = await httpProxy([a.address], {
      health: { check: 'http', path: '/', interval: 10, timeout: 20, fall: 1 },
    })
    expect(await new Promise((resolve) => void proxy.on('down', (_, why) => resolve(why)))).toBe(
      'no answer to a check within 20 ms',
    )
  })

  test('by TCP take out who takes no connection', async () => {
    const server = await backend()
    const proxy = await httpProxy([server.address], { health: { check: 'tcp', interval: 10, fall: 1, rise: 1 } })
    await until(() => proxy.instances[0]?.state === 'serving')
    server.server.close()
    server.server.closeAllConnections()
    await until(() => proxy.instances[0]?.state === 'failing')
  })

  test('go on only for who is in the list', async () => {
    let checks = 0
    const address = await tcpBackend((socket) => {
      checks++
      socket.destroy()
    })
    const lists = new Lists(address)
    const proxy = await httpProxy(lists, { health: { check: 'tcp', interval: 5 } })
    await until(() => checks > 2)
    lists.set()
    await until(() => proxy.instances.length === 0)
    await proxy.close({ drain: 0 })
  })
})

test('whom the balancer leaves out is told, and counted', async () => {
  const [fails, works] = [await backend((_, res) => res.writeHead(500).end()), await named('works')]
  let now = 0
  const balancer = outlierEjection(roundRobin(), { now: () => now, consecutiveErrors: 2, maxEjected: 0.5 })
  const proxy = await httpProxy([fails.address, works.address], { balancer })
  const down = new Promise((resolve) => void proxy.on('down', (instance, why) => resolve({ ...instance, why })))
  const up = new Promise((resolve) => void proxy.on('up', resolve))
  for (let at = 0; at < 4; at++) await ask(proxy)
  expect(await down).toMatchObject({ address: fails.address, state: 'ejected', why: 'the balancer leaves it out' })
  for (let at = 0; at < 4; at++) expect((await ask(proxy)).text).toBe('works')
  expect(proxy.metrics.ejections).toBe(1)
  expect(proxy.metrics.instances[fails.address]?.serving).toBe(false)
  now = 60_000
  expect(await up).toMatchObject({ address: fails.address, state: 'serving' })
})

test('the wait of an instance that cannot be reached doubles, within bounds, until it answers', () => {
  const instance = new Instance('a', { address: 'a:1', host: 'a', port: 1 }, instanceMetrics())
  const waits: number[] = []
  let now = 0
  for (let at = 0; at < 9; at++) {
    instance.backOff(now)
    waits.push(instance.retryAt - now)
    // One that fails while it waits anyway does not wait longer.
    instance.backOff(now)
    now = instance.retryAt
  }
  expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
  instance.answered()
  instance.backOff(now)
  expect(instance.retryAt - now).toBe(100)
})

test.each([
  ['10.0.0.7:80', { host: '10.0.0.7', port: 80 }],
  ['example.org:65535', { host: 'example.org', port: 65_535 }],
  ['[::1]:8080', { host: '::1', port: 8080 }],
])('%s is an address', (text, parsed) => {
  expect(parseAddress(text)).toEqual(parsed)
})

test.each(['', 'host', 'host:', 'host:0', 'host:65536', ':80', '::1:80', 'a b:80', 'http://a:80'])(
  '%j is none',
  (text) => {
    expect(() => parseAddress(text)).toThrow(RangeError)
  },
)
