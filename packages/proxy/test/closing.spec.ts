import { once } from 'node:events'
import { Agent, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { ask, backend, httpProxy, rawClient, until } from './world.ts'

test('a proxy that is closed lets responses end, says that connections close, and takes no new ones', async () => {
  const held: ServerResponse[] = []
  const server = await backend((_, res) => void held.push(res))
  const proxy = await httpProxy([server.address])
  const agent = new Agent({ keepAlive: true })
  const begun = ask(proxy, '/', { agent })
  await until(() => held.length === 1)
  const idle = await rawClient(proxy)
  idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => held.length === 2)
  held[1]?.end('before')
  await idle.until('before')
  const closed = proxy.close({ drain: 10_000 })
  // A connection without a request is closed at once.
  await idle.closed()
  const late = connect({ host: '127.0.0.1', port: proxy.address.port })
  expect((await once(late, 'error'))[0].code).toBe('ECONNREFUSED')
  held[0]?.end('in the end')
  const { text, headers } = await begun
  expect([text, headers.connection]).toEqual(['in the end', 'close'])
  await closed
  expect(proxy.metrics.connections.active).toBe(0)
  agent.destroy()
})

test('a connection whose response had begun before is closed after it', async () => {
  let respond: ServerResponse | undefined
  const server = await backend((_, res) => {
    respond = res
    res.write('begun')
  })
  const proxy = await httpProxy([server.address])
  const client = await rawClient(proxy)
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.until('begun')
  const closed = proxy.close({ drain: 10_000 })
  respond?.end(' and ended')
  await closed
  expect(await client.closed()).toMatch(/ and ended/)
})

test('what takes too long is cut, and closing once more with less time hurries', async () => {
  const server = await backend((_, res) => void res.write('for ever'))
  const proxy = await httpProxy([server.address])
  const client = await rawClient(proxy)
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.until('for ever')
  const closed = proxy.close({ drain: 1_000_000 })
  await proxy.close({ drain: 20 })
  await closed
  // Nothing is left that a longer time would be for.
  await proxy.close({ drain: 1_000_000 })
  await client.closed()
  expect(proxy.metrics.requests.active).toBe(0)
})

test('a proxy that is closed at once leaves nothing', async () => {
  const server = await backend(() => {})
  const proxy = await httpProxy([server.address], { health: { check: 'tcp' }, admin: { port: 0 } })
  const client = await rawClient(proxy)
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => server.count === 1)
  await proxy.close({ drain: 0 })
  await client.closed()
  await proxy.close()
})

test('drain is a time', async () => {
  const proxy = await httpProxy([])
  expect(() => proxy.close({ drain: -1 })).toThrow(RangeError)
  expect(() => proxy.close({ drain: Number.NaN })).toThrow(RangeError)
})

test('a proxy that is closed at once ends those that wait in line as well', async () => {
  const server = await backend(() => {})
  const proxy = await httpProxy([server.address], { limits: { perInstance: 1 } })
  const clients = await Promise.all(Array.from({ length: 4 }, () => rawClient(proxy)))
  for (const client of clients) client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => proxy.metrics.requests.waiting === 3)
  await proxy.close({ drain: 0 })
  for (const client of clients) await client.closed()
  expect(server.count).toBe(1)
  expect(proxy.metrics.requests).toMatchObject({ active: 0, waiting: 0 })
})
