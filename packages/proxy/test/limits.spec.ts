import { once } from 'node:events'
import { request, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { after, answerOf, ask, backend, httpProxy, rawClient, takenBy, tcpBackend, until } from './world.ts'

describe('what is too much', () => {
  test('a header section that is too large: 431', async () => {
    const proxy = await httpProxy([(await backend()).address], { limits: { headerBytes: 2_000 } })
    expect((await ask(proxy, '/', { headers: { x: 'x'.repeat(1_500) } })).status).toBe(200)
    const { status, text } = await ask(proxy, '/', { headers: { x: 'x'.repeat(3_000) } })
    expect([status, text]).toEqual([431, 'the header section is too large\n'])
    expect(proxy.metrics.refused['header-size']).toBe(1)
  })

  test('too many fields: 431, and none of them is dropped', async () => {
    const server = await backend((req, res) =>
      res.end(String(req.rawHeaders.filter((name) => /^x-\d/.test(name)).length)),
    )
    const proxy = await httpProxy([server.address], { limits: { headers: 102 } })
    const fields = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-${at}`, 'a']))
    expect((await ask(proxy, '/', { headers: fields(100) })).text).toBe('100')
    const { status, text } = await ask(proxy, '/', { headers: fields(101) })
    expect([status, text]).toEqual([431, 'the header section has more than 102 fields\n'])
    expect(proxy.metrics.refused['header-count']).toBe(1)
  })

  test('too many connections: 503, and later again', async () => {
    const proxy = await httpProxy([(await backend()).address], { limits: { connections: 2 } })
    const [first, second] = [await rawClient(proxy), await rawClient(proxy)]
    await until(() => proxy.metrics.connections.active === 2)
    const { status, text, headers } = await ask(proxy)
    expect([status, text, headers['retry-after']]).toEqual([503, 'too many connections\n', '1'])
    expect(proxy.metrics.refused.connections).toBe(1)
    first.socket.destroy()
    second.socket.destroy()
    await until(() => proxy.metrics.connections.active === 0)
    expect((await ask(proxy)).status).toBe(200)
  })

  test('far too many connections are closed without a word', async () => {
    const proxy = await httpProxy([(await backend()).address], { limits: { connections: 1 } })
    const sockets = Array.from({ length: 200 }, () => {
      const socket = connect({ host: '127.0.0.1', port: proxy.address.port })
      socket.on('error', () => {})
      after(() => socket.destroy())
      return socket
    })
    await until(() => proxy.metrics.refused.connections > 0)
    expect(proxy.metrics.connections.active).toBeLessThanOrEqual(129)
    for (const socket of sockets) socket.destroy()
  })

  test('more requests than an instance takes wait in line, in turn; more than may wait get 503', async () => {
    const held: ServerResponse[] = []
    const server = await backend((_, res) => void held.push(res))
    const proxy = await httpProxy([server.address], { limits: { perInstance: 1, waiting: 2 } })
    const first = ask(proxy, '/1')
    await until(() => held.length === 1)
    const second = ask(proxy, '/2')
    await until(() => proxy.metrics.requests.waiting === 1)
    const third = ask(proxy, '/3')
    await until(() => proxy.metrics.requests.waiting === 2)
    expect(await ask(proxy, '/4')).toMatchObject({ status: 503, text: 'too many requests are waiting\n' })
    for (const [at, one] of [first, second, third].entries()) {
      await until(() => held.length > at)
      expect(held[at]?.req.url).toBe(`/${at + 1}`)
      held[at]?.end('done')
      expect((await one).text).toBe('done')
    }
    expect(proxy.metrics.refused['waiting-full']).toBe(1)
    expect(proxy.metrics.requests.waiting).toBe(0)
  })

  test('who leaves the line makes room in it', async () => {
    const held: ServerResponse[] = []
    const server = await backend((_, res) => void held.push(res))
    const proxy = await httpProxy([server.address], { limits: { perInstance: 1, waiting: 1 } })
    const first = ask(proxy)
    await until(() => held.length === 1)
    const client = await rawClient(proxy)
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(() => proxy.metrics.requests.waiting === 1)
    client.socket.destroy()
    await until(() => proxy.metrics.requests.waiting === 0)
    const third = ask(proxy)
    await until(() => proxy.metrics.requests.waiting === 1)
    held[0]?.end('a')
    await first
    await until(() => held.length === 2)
    held[1]?.end('b')
    expect((await third).text).toBe('b')
  })
})

describe('what takes too long', () => {
  test('a header section that comes byte by byte: 408', async () => {
    const server = await backend()
    const proxy = await httpProxy([server.address], { timeouts: { requestHeaders: 100 } })
    const client = await rawClient(proxy)
    client.write('GET / HTTP/1.1\r\nHost: a\r\n')
    const drip = setInterval(() => client.socket.writable && client.write('X-A: b\r\n'), 10)
    after(() => clearInterval(drip))
    client.socket.on('error', () => {})
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 408 [\s\S]*did not come in time\n$/)
    expect([proxy.metrics.refused['header-timeout'], server.count]).toEqual([1, 0])
  })

  test('a connection on which nothing comes is closed', async () => {
    const proxy = await httpProxy([(await backend()).address], { timeouts: { requestHeaders: 100 } })
    const client = await rawClient(proxy)
    expect(await client.closed()).toMatch(/^(HTTP\/1\.1 408 [\s\S]*)?$/)
  })

  test('a body that stands still: 408', async () => {
    const server = await backend((req) => void req.resume())
    const proxy = await httpProxy([server.address], { timeouts: { idle: 100 } })
    const client = await rawClient(proxy)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome')
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 408 /)
    expect(proxy.metrics.refused['body-timeout']).toBe(1)
  })

  test('an instance that does not respond: 504', async () => {
    const server = await backend(() => {})
    const proxy = await httpProxy([server.address], { timeouts: { response: 100 } })
    const { status, text } = await ask(proxy)
    expect([status, text]).toEqual([504, 'the instance did not respond in time\n'])
    // It may be at work on it: nobody else is asked.
    expect([server.count, proxy.metrics.refused['response-timeout']]).toEqual([1, 1])
  })

  test('a response that stands still is broken off', async () => {
    const server = await backend((_, res) => void res.write('some'))
    const proxy = await httpProxy([server.address], { timeouts: { idle: 100 } })
    await expect(ask(proxy)).rejects.toThrow('aborted')
  })

  test('to wait in line: 503', async () => {
    const server = await backend(() => {})
    const proxy = await httpProxy([server.address], { limits: { perInstance: 1 }, timeouts: { waiting: 100 } })
    const { port } = proxy.address
    const first = request({ host: '127.0.0.1', port, agent: false }).end()
    first.on('error', () => {})
    after(() => first.destroy())
    await until(() => server.count === 1)
    const { status, text, headers } = await ask(proxy)
    expect([status, text, headers['retry-after']]).toEqual([503, 'no instance had room in time\n', '1'])
  })

  test('a client without a request is sent away', async () => {
    const proxy = await httpProxy([(await backend()).address], { timeouts: { keepAlive: 50 } })
    const client = await rawClient(proxy)
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await client.closed()).toMatch(/hello/)
  })
})

test('without an instance: 503', async () => {
  const proxy = await httpProxy([])
  const { status, text, headers } = await ask(proxy)
  expect([status, text, headers['retry-after']]).toEqual([503, 'no instance is there to serve this\n', '1'])
  expect(proxy.metrics.refused['no-instance']).toBe(1)
})

test('a slow client slows the instance down', async () => {
  let [written, stopped] = [0, false]
  const server = await backend((_, res) => {
    const more = (): void => {
      while (written < 200_000_000) {
        written += 65_536
        if (!res.write(Buffer.alloc(65_536))) return
      }
      stopped = true
    }
    res.on('drain', more)
    more()
  })
  const proxy = await httpProxy([server.address])
  const { port } = proxy.address
  const req = request({ host: '127.0.0.1', port, agent: false }).end()
  const [res] = await once(req, 'response')
  res.pause()
  // Until nothing moves any more.
  let before = -1
  while (before !== written) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  expect(stopped).toBe(false)
  expect(written).toBeLessThan(50_000_000)
  req.destroy()
})

test('what an instance says before its response is not kept for a client that does not read', async () => {
  const size = 40_000_000
  const hint = `HTTP/1.1 103 Early Hints\r\nLink: ${'x'.repeat(8_000)}\r\n\r\n`
  const hints = hint.repeat(100)
  let written = 0
  const address = await tcpBackend((socket) => {
    const write = (): void => {
      while (written < size) {
        written += hints.length
        if (!socket.write(hints)) return void socket.once('drain', write)
      }
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nover')
    }
    socket.once('data', write)
  })
  const proxy = await httpProxy([address])
  const client = await rawClient(proxy)
  client.socket.pause()
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => proxy.metrics.latency.count === 1)
  client.socket.resume()
  await client.until(/over$/)
  expect(client.received.length).toBeLessThan(size / 2)
})

test('a slow instance slows the client down', async () => {
  const server = await backend((req) => req.pause())
  const proxy = await httpProxy([server.address])
  const { port } = proxy.address
  const req = request({ host: '127.0.0.1', port, agent: false, method: 'POST' })
  req.on('error', () => {})
  expect(await takenBy(req, 200_000_000)).toBeLessThan(50_000_000)
  req.destroy()
})

test('200 MB pass both ways, and little of it is ever between', async () => {
  const total = 200_000_000
  const server = await backend((req, res) => void req.pipe(res))
  const proxy = await httpProxy([server.address])
  const { port } = proxy.address
  const req = request({ host: '127.0.0.1', port, agent: false, method: 'POST', headers: { 'content-length': total } })
  const chunk = Buffer.alloc(65_536)
  let [sent, received, between] = [0, 0, 0]
  const more = (): void => {
    while (sent < total) {
      const piece = chunk.subarray(0, Math.min(chunk.length, total - sent))
      sent += piece.length
      between = Math.max(between, sent - received)
      if (!req.write(piece)) return
    }
    req.end()
  }
  req.on('drain', more)
  more()
  const [res] = await once(req, 'response')
  for await (const piece of res) received += piece.length
  expect(received).toBe(total)
  // Most of it is in the buffers of the system, of which there are eight.
  expect(between).toBeLessThan(50_000_000)
}, 60_000)

test('what the proxy itself answers to HEAD has no body', async () => {
  const answer = await ask(await httpProxy([]), '/', { method: 'HEAD' })
  expect([answer.status, answer.text]).toEqual([503, ''])
})

test('a response is read to its end on a connection that is kept', async () => {
  const proxy = await httpProxy([])
  const { port } = proxy.address
  const [res] = await once(request({ host: '127.0.0.1', port, agent: false }).end(), 'response')
  expect((await answerOf(res)).status).toBe(503)
})
