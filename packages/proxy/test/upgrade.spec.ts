import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { AccessEntry } from '../src/index.ts'
import { after, backend, httpProxy, Lists, nobody, rawClient, tcpBackend, until } from './world.ts'

const chat = async () => {
  const server = await backend((_, res) => res.end('no upgrade'))
  const sockets = new WebSocketServer({ server: server.server })
  after(() => sockets.close())
  sockets.on('connection', (socket, req) => {
    socket.on('error', () => {}).on('message', (data, binary) => socket.send(data, { binary }))
    if (req.url === '/hello') socket.send('hello at once')
  })
  return server
}

const dial = (port: number, path = '/'): WebSocket => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`)
  after(() => socket.terminate())
  return socket
}

test('a WebSocket goes through, text and bytes, small and large', async () => {
  const entries: AccessEntry[] = []
  const proxy = await httpProxy([(await chat()).address], { accessLog: (entry) => entries.push(entry) })
  const socket = dial(proxy.address.port)
  await once(socket, 'open')
  for (const message of ['hello', 'x'.repeat(1_000_000)]) {
    socket.send(message)
    const [echoed] = await once(socket, 'message')
    expect(echoed.toString()).toBe(message)
  }
  expect(proxy.instances[0]?.active).toBe(1)
  socket.close(1000)
  expect((await once(socket, 'close'))[0]).toBe(1000)
  await until(() => entries.length === 1)
  expect(entries).toMatchObject([{ status: 101, upgraded: true, tries: 1 }])
  expect(entries[0]?.received).toBeGreaterThan(1_000_000)
  expect(entries[0]?.sent).toBeGreaterThan(1_000_000)
  expect(proxy.instances[0]?.active).toBe(0)
})

test('what an instance says together with its consent is not lost', async () => {
  const proxy = await httpProxy([(await chat()).address])
  const socket = dial(proxy.address.port, '/hello')
  const [message] = await once(socket, 'message')
  expect(message.toString()).toBe('hello at once')
})

test('what a client says together with its request is not lost', async () => {
  const server = await backend()
  server.server.on('upgrade', (_: IncomingMessage, socket: Socket, first: Buffer) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    socket.write(first)
    socket.pipe(socket)
  })
  const client = await rawClient(await httpProxy([server.address]))
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly')
  await client.until('early')
  client.write(' and late')
  const text = await client.until('early and late')
  expect(text).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/)
  expect(text).toMatch(/connection: upgrade\r\nupgrade: echo\r\n/i)
  client.socket.end()
  await client.closed()
})

test('a refusal of the upgrade is passed on, with its body', async () => {
  const server = await backend()
  server.server.on('upgrade', (_: IncomingMessage, socket: Socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
  })
  const client = await rawClient(await httpProxy([server.address]))
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  expect(await client.closed()).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*\r\n\r\nno$/)
})

test.each([
  ['400 No\x01', /^HTTP\/1\.1 400 \r\n/],
  ['000 No', /^HTTP\/1\.1 502 /],
])('a refusal with the odd status line %j does not end the proxy', async (status, expected) => {
  const server = await backend()
  server.server.on('upgrade', (_: IncomingMessage, socket: Socket) => {
    socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 2\r\n\r\nno`)
  })
  const client = await rawClient(await httpProxy([server.address]))
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  expect(await client.closed()).toMatch(expected)
})

test('an upgrade that nobody asked for is a 502', async () => {
  const address = await tcpBackend((socket) =>
    socket.once('data', () => socket.write('HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')),
  )
  const proxy = await httpProxy([address])
  const client = await rawClient(proxy)
  client.write('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n')
  expect(await client.until('\r\n\r\n')).toMatch(/^HTTP\/1\.1 502 /)
  await until(() => proxy.metrics.requests.active === 0)
})

test('an instance that cannot be reached is passed over', async () => {
  const proxy = await httpProxy([await nobody(), (await chat()).address])
  const socket = dial(proxy.address.port)
  await once(socket, 'open')
  expect(proxy.metrics.retries.unreached).toBe(1)
})

test('without an instance: 503', async () => {
  const client = await rawClient(await httpProxy([]))
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  expect(await client.closed()).toMatch(/^HTTP\/1\.1 503 /)
})

test('a client that goes away ends it at the instance, and the reverse', async () => {
  const server = await chat()
  const proxy = await httpProxy([server.address])
  const first = dial(proxy.address.port)
  await once(first, 'open')
  first.terminate()
  await until(() => proxy.metrics.requests.active === 0)
  const second = dial(proxy.address.port)
  await once(second, 'open')
  server.server.closeAllConnections()
  second.on('error', () => {})
  const closed = once(second, 'close')
  await proxy.close({ drain: 0 })
  await closed
})

test('one through which nothing comes is closed after a while', async () => {
  const proxy = await httpProxy([(await chat()).address], { timeouts: { tunnel: 100 } })
  const socket = dial(proxy.address.port)
  socket.on('error', () => {})
  await once(socket, 'close')
  await until(() => proxy.metrics.requests.active === 0)
})

test('one at an instance that left is cut when its time is over', async () => {
  const lists = new Lists((await chat()).address)
  const proxy = await httpProxy(lists, { timeouts: { leave: 50 } })
  const socket = dial(proxy.address.port)
  socket.on('error', () => {})
  await once(socket, 'open')
  lists.set()
  await once(socket, 'close')
})
