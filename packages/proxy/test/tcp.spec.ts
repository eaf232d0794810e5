import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import type { AccessEntry, ProxyBalancer } from '../src/index.ts'
import { after, Lists, nobody, rawClient, Turns, takenBy, tcpBackend, tcpProxy, until } from './world.ts'

const echo = () => tcpBackend((socket) => void socket.on('error', () => {}).pipe(socket))

test('bytes go both ways, and the end of each way by itself', async () => {
  const address = await tcpBackend((socket) => {
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    // Answers only once the client has said all.
    socket.on('end', () => socket.end(`you said ${text}`))
  })
  const entries: AccessEntry[] = []
  const proxy = await tcpProxy([address], { accessLog: (entry) => entries.push(entry) })
  const client = await rawClient(proxy)
  client.write('all of it').socket.end()
  expect(await client.closed()).toBe('you said all of it')
  await until(() => entries.length === 1)
  expect(entries).toMatchObject([
    { mode: 'tcp', client: '127.0.0.1', received: 9, sent: 18, instance: address, tries: 1 },
  ])
  expect(proxy.metrics).toMatchObject({
    bytes: { received: 9, sent: 18 },
    requests: { active: 0, byClass: { '2xx': 1 } },
  })
})

test('an instance that ends first is still heard, and still listens', async () => {
  const heard = Promise.withResolvers<string>()
  const address = await tcpBackend((socket) => {
    socket.end('bye')
    socket.once('data', (chunk) => heard.resolve(chunk.toString()))
  })
  const client = await rawClient(await tcpProxy([address]))
  expect(await client.closed()).toBe('bye')
  client.write('wait').socket.end()
  expect(await heard.promise).toBe('wait')
})

test('a connection goes on to another instance if it cannot be made', async () => {
  const balancer = new Turns()
  const proxy = await tcpProxy([await nobody(), await echo()], { balancer })
  const client = await rawClient(proxy)
  client.write('hello')
  await client.until('hello')
  expect(proxy.metrics.retries.unreached).toBe(1)
  expect(balancer.settlements).toHaveLength(1)
})

test('a connection is closed if none can be made, or none has room in time', async () => {
  const proxy = await tcpProxy([await nobody()], { retries: { tries: 2 } })
  const client = await rawClient(proxy)
  client.socket.on('error', () => {})
  expect(await client.closed()).toBe('')
  expect(proxy.metrics.refused['instance-failed']).toBe(1)
  const none = await rawClient(await tcpProxy([]))
  expect(await none.closed()).toBe('')
  const narrow = await tcpProxy([await echo()], { limits: { perInstance: 1, waiting: 1 }, timeouts: { waiting: 50 } })
  const first = await rawClient(narrow)
  first.write('x')
  await first.until('x')
  const second = await rawClient(narrow)
  expect(await second.closed()).toBe('')
  expect(narrow.metrics.refused['waiting-timeout']).toBe(1)
})

test('who waits in line goes on when there is room', async () => {
  const proxy = await tcpProxy([await echo()], { limits: { perInstance: 1 } })
  const first = await rawClient(proxy)
  first.write('x')
  await first.until('x')
  const second = await rawClient(proxy)
  second.write('y')
  await until(() => proxy.metrics.requests.waiting === 1)
  first.socket.destroy()
  await second.until('y')
})

test('more connections than the limit are closed', async () => {
  const proxy = await tcpProxy([await echo()], { limits: { connections: 1 } })
  const first = await rawClient(proxy)
  first.write('x')
  await first.until('x')
  const second = await rawClient(proxy)
  second.socket.on('error', () => {})
  expect(await second.closed()).toBe('')
  expect(proxy.metrics.refused.connections).toBe(1)
})

test('one through which nothing comes is closed after a while', async () => {
  const proxy = await tcpProxy([await echo()], { timeouts: { tunnel: 100 } })
  const client = await rawClient(proxy)
  client.write('x')
  await client.until('x')
  await client.closed()
})

test('a reset of the client reaches the instance', async () => {
  const gone = Promise.withResolvers<unknown>()
  const proxy = await tcpProxy([await tcpBackend((socket) => void socket.resume().on('error', gone.resolve))])
  const client = await rawClient(proxy)
  client.write('x')
  await until(() => proxy.metrics.requests.active === 1 && proxy.metrics.latency.count === 1)
  client.socket.resetAndDestroy()
  expect(await gone.promise).toMatchObject({ code: 'ECONNRESET' })
})

test('a slow reader slows the writer down, either way', async () => {
  const address = await tcpBackend((socket) => socket.pause().on('error', () => {}))
  const proxy = await tcpProxy([address])
  const client = connect({ host: '127.0.0.1', port: proxy.address.port })
  after(() => client.destroy())
  client.on('error', () => {})
  expect(await takenBy(client, 200_000_000)).toBeLessThan(50_000_000)
})

test('a connection at an instance that left is let be, and cut when its time is over', async () => {
  const lists = new Lists(await echo())
  const proxy = await tcpProxy(lists, { timeouts: { leave: 100 } })
  const client = await rawClient(proxy)
  client.write('x')
  await client.until('x')
  lists.set()
  await until(() => proxy.instances.length === 0)
  client.write('y')
  await client.until('xy')
  await client.closed()
})

test('a connection that is being made to an instance as it leaves is cut as well when its time is over', async () => {
  const lists = new Lists(await echo())
  const balancer: ProxyBalancer = {
    pick: (_, [only]) => {
      // While it is chosen it leaves.
      lists.set()
      return only
    },
  }
  const proxy = await tcpProxy(lists, { balancer, timeouts: { leave: 100 } })
  const client = await rawClient(proxy)
  client.write('x')
  await client.until('x')
  expect(proxy.instances).toHaveLength(0)
  await client.closed()
})

test('a proxy that is closed takes no more, and lets what is under way end', async () => {
  const proxy = await tcpProxy([await echo()])
  const client = await rawClient(proxy)
  client.write('x')
  await client.until('x')
  const closed = proxy.close({ drain: 10_000 })
  const late = connect({ host: '127.0.0.1', port: proxy.address.port })
  expect((await once(late, 'error'))[0].code).toBe('ECONNREFUSED')
  client.write('y')
  await client.until('xy')
  client.socket.end()
  await closed
})

test('a proxy that is closed cuts what takes too long', async () => {
  const proxy = await tcpProxy([await echo()])
  const client = await rawClient(proxy)
  client.write('x')
  await client.until('x')
  await proxy.close({ drain: 20 })
  await client.closed()
})
