import { once } from 'node:events'
import { Agent, request, type ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { AccessEntry } from '../src/index.ts'
import { answerOf, ask, backend, bodyOf, httpProxy, rawClient, Turns, tcpBackend, until } from './world.ts'

/** Answers with what it was asked. */
const echo = () =>
  backend(async (req, res) => {
    const body = await bodyOf(req)
    res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, raw: req.rawHeaders, body }))
  })

describe('a request', () => {
  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    '%s goes on with its path, query and body',
    async (method) => {
      const proxy = await httpProxy([(await echo()).address])
      const body = method === 'GET' ? '' : 'some body'
      const { status, text } = await ask(proxy, '/a/b?c=%20d', {
        method,
        body,
        headers: { 'content-length': body.length },
      })
      expect(status).toBe(200)
      expect(JSON.parse(text)).toMatchObject({ method, url: '/a/b?c=%20d', body })
    },
  )

  test('without a length goes on in chunks', async () => {
    const proxy = await httpProxy([(await echo()).address])
    const { text } = await ask(proxy, '/', { method: 'POST', body: 'abc', headers: { 'transfer-encoding': 'chunked' } })
    expect(JSON.parse(text)).toMatchObject({ body: 'abc', headers: { 'transfer-encoding': 'chunked' } })
  })

  test('keeps its Host, tells of the client, and loses what was meant for the first connection only', async () => {
    const proxy = await httpProxy([(await echo()).address])
    const { text } = await ask(proxy, '/', {
      headers: {
        host: 'example.org:81',
        connection: 'keep-alive, x-mine',
        'x-mine': 'here only',
        'x-other': 'goes on',
        'keep-alive': 'timeout=3',
        te: 'trailers',
        proxy: 'http://evil',
        'proxy-authorization': 'secret',
        via: '1.0 fred',
        'x-forwarded-for': '6.6.6.6',
        forwarded: 'for=6.6.6.6',
      },
    })
    const { headers } = JSON.parse(text)
    expect(headers).toEqual({
      host: 'example.org:81',
      connection: 'keep-alive',
      'x-other': 'goes on',
      via: '1.0 fred, 1.1 conclave',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'example.org:81',
      forwarded: 'for=127.0.0.1;host="example.org:81";proto=http',
    })
  })

  test.each([
    ['append', '6.6.6.6, 127.0.0.1'],
    ['off', '6.6.6.6'],
  ] as const)('tells of the client as forwarded: %s says', async (forwarded, expected) => {
    const proxy = await httpProxy([(await echo()).address], { forwarded })
    const { text } = await ask(proxy, '/', { headers: { 'x-forwarded-for': '6.6.6.6' } })
    expect(JSON.parse(text).headers['x-forwarded-for']).toBe(expected)
  })

  test('for a whole URL goes on as a path, and its authority is the Host', async () => {
    const proxy = await httpProxy([(await echo()).address])
    const client = await rawClient(proxy)
    client.write('GET http://example.org/x?y HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n')
    const text = await client.closed()
    expect(JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1))).toMatchObject({
      url: '/x?y',
      headers: { host: 'example.org' },
    })
  })

  test('for * goes on as it is', async () => {
    const proxy = await httpProxy([(await echo()).address])
    expect(JSON.parse((await ask(proxy, '*', { method: 'OPTIONS' })).text)).toMatchObject({
      url: '*',
      method: 'OPTIONS',
    })
  })

  test('carries its trailers', async () => {
    const seen = Promise.withResolvers<unknown>()
    const server = await backend((req, res) => {
      req.resume().on('end', () => {
        seen.resolve(req.trailers)
        res.end()
      })
    })
    const proxy = await httpProxy([server.address])
    const { port } = proxy.address
    const req = request({ host: '127.0.0.1', port, method: 'POST', agent: false, headers: { trailer: 'x-sum' } })
    req.write('abc')
    req.addTrailers({ 'x-sum': '7' })
    req.end()
    await once(req, 'response')
    expect(await seen.promise).toEqual({ 'x-sum': '7' })
  })

  test('waits for 100 from the instance before its body, if it asks to', async () => {
    const order: string[] = []
    const server = await backend()
    server.server.on('checkContinue', async (req, res: ServerResponse) => {
      order.push('instance asks')
      res.writeContinue()
      res.end(`got ${await bodyOf(req)}`)
    })
    const proxy = await httpProxy([server.address])
    const { port } = proxy.address
    const headers = { expect: '100-continue', 'content-length': 4 }
    const req = request({ host: '127.0.0.1', port, method: 'POST', agent: false, headers })
    req.on('continue', () => {
      order.push('client sends')
      req.end('body')
    })
    req.flushHeaders()
    const [res] = await once(req, 'response')
    expect((await answerOf(res)).text).toBe('got body')
    expect(order).toEqual(['instance asks', 'client sends'])
  })

  test('whose expectation an instance refuses never sends its body', async () => {
    const server = await backend()
    server.server.on('checkContinue', (_, res: ServerResponse) => res.writeHead(413).end('too much'))
    const proxy = await httpProxy([server.address])
    const client = await rawClient(proxy)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n')
    const text = await client.closed()
    expect(text).toMatch(/^HTTP\/1\.1 413 /)
    expect(text).toMatch(/connection: close/i)
  })

  test('of HTTP/1.0 for a whole URL has its authority as the Host, even if it has none', async () => {
    const client = await rawClient(await httpProxy([(await echo()).address]))
    client.write('GET http://site.example/a HTTP/1.0\r\n\r\n')
    expect(await client.closed()).toMatch(/"url":"\/a","headers":{"host":"site\.example"/)
  })

  test('of HTTP/1.0 that expects 100 is not told of it', async () => {
    const client = await rawClient(await httpProxy([(await echo()).address]))
    client.write('POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi')
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*"body":"hi"/)
  })

  test('of HTTP/1.0 gets a response that it understands', async () => {
    const server = await backend((_, res) => {
      res.write('a')
      res.end('b')
    })
    const proxy = await httpProxy([server.address])
    const client = await rawClient(proxy)
    client.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n')
    const text = await client.closed()
    expect(text).toMatch(/\r\n\r\nab$/)
    expect(text).not.toMatch(/transfer-encoding/i)
  })
})

describe('a response', () => {
  test('keeps its status, reason, fields and trailers, and loses what was meant for the connection', async () => {
    const server = await backend((_, res) => {
      res.writeHead(203, 'Quite So', [
        ...['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Mine', 'no', 'X-Other', 'yes'],
        ...['Connection', 'keep-alive, X-Mine', 'Trailer', 'X-Sum', 'Via', '1.0 fred', 'Proxy-Authenticate', 'Basic'],
      ])
      res.write('abc')
      res.addTrailers({ 'x-sum': '7' })
      res.end()
    })
    const proxy = await httpProxy([server.address])
    const { port } = proxy.address
    const [res] = await once(request({ host: '127.0.0.1', port, agent: false }).end(), 'response')
    expect([res.statusCode, res.statusMessage]).toEqual([203, 'Quite So'])
    const { headers, trailers, text } = await answerOf(res)
    expect(headers).toMatchObject({ 'set-cookie': ['a=1', 'b=2'], 'x-other': 'yes', via: '1.0 fred, 1.1 conclave' })
    expect(headers).not.toHaveProperty('x-mine')
    expect(headers).not.toHaveProperty('proxy-authenticate')
    expect(trailers).toEqual({ 'x-sum': '7' })
    expect(text).toBe('abc')
  })

  test('to HEAD has its length and no body', async () => {
    const server = await backend((_, res) => res.writeHead(200, { 'content-length': 1234 }).end())
    const proxy = await httpProxy([server.address])
    const { headers, text } = await ask(proxy, '/', { method: 'HEAD' })
    expect([headers['content-length'], text]).toEqual(['1234', ''])
  })

  test.each([204, 304])('of %i has no body', async (status) => {
    const server = await backend((_, res) => res.writeHead(status, { etag: '"x"' }).end())
    const answer = await ask(await httpProxy([server.address]))
    expect([answer.status, answer.text, answer.headers.etag]).toEqual([status, '', '"x"'])
  })

  test('comes after what was said before it', async () => {
    const server = await backend((_, res) => {
      res.writeProcessing()
      res.writeEarlyHints({ link: '</a.css>; rel=preload' })
      res.end('done')
    })
    const proxy = await httpProxy([server.address])
    const client = await rawClient(proxy)
    client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    const text = await client.closed()
    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['102', '103', '200'])
    expect(text).toMatch(/link: <\/a\.css>; rel=preload/i)
  })

  test('is passed on as it comes', async () => {
    let respond: ServerResponse | undefined
    const server = await backend((_, res) => {
      respond = res
      res.write('first')
    })
    const proxy = await httpProxy([server.address])
    const client = await rawClient(proxy)
    client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await client.until('first')
    respond?.end('last')
    expect(await client.closed()).toMatch(/last/)
  })

  test('whose header section comes long before its body is passed on at once', async () => {
    let respond: ServerResponse | undefined
    const server = await backend((_, res) => {
      respond = res
      res.writeHead(200, { 'x-early': '1' }).flushHeaders()
    })
    const client = await rawClient(await httpProxy([server.address]))
    client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await client.until('x-early')
    respond?.end()
    await client.closed()
  })

  test('with a known length whose header section comes long before its body is passed on at once', async () => {
    let respond: ServerResponse | undefined
    const server = await backend((_, res) => {
      respond = res
      res.writeHead(200, { 'x-early': '1', 'content-length': 4 }).flushHeaders()
    })
    const client = await rawClient(await httpProxy([server.address]))
    client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await client.until('x-early')
    respond?.end('body')
    await client.closed()
  })

  test.each([
    ['is no HTTP', 'SSH-2.0-OpenSSH\r\n'],
    ['has two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'has a length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
    ],
    ['is in an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n'],
    ['has too large a header section', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
  ])('that %s becomes 502', async (_, response) => {
    const address = await tcpBackend(
      (socket) => void socket.on('error', () => {}).once('data', () => socket.end(response)),
    )
    const answer = await ask(await httpProxy([address]))
    expect(answer).toMatchObject({ status: 502, text: 'the instance failed before it responded\n' })
  })

  test.each([
    ['in UTF-8', '200 \xe2\x82\xac', /^HTTP\/1\.1 200 \r\n/],
    ['with a control character', '200 O\x01K', /^HTTP\/1\.1 200 \r\n/],
    ['of a 103 that would become a line end', '103 \xc4\x8d\xc4\x8aX: y', /^HTTP\/1\.1 103 \r\nvia/i],
  ])('whose reason phrase is %s is passed on without it', async (_, status, expected) => {
    const address = await tcpBackend((socket) =>
      socket.once('data', () =>
        socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n`, 'latin1'),
      ),
    )
    const client = await rawClient(await httpProxy([address]))
    expect(await client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n').until('\r\n\r\n')).toMatch(expected)
  })

  test('may say Connection more than once', async () => {
    const fields = 'Connection: keep-alive\r\nConnection: X-B\r\nX-A: 1\r\nX-B: 2\r\nContent-Length: 2'
    const address = await tcpBackend((socket) =>
      socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\nok`)),
    )
    const { status, headers, text } = await ask(await httpProxy([address]))
    expect({ status, text }).toEqual({ status: 200, text: 'ok' })
    expect(headers).toHaveProperty('x-a')
    expect(headers).not.toHaveProperty('x-b')
  })

  test.each(['000', '099'])('of the status %s, which is none, is a 502', async (status) => {
    const address = await tcpBackend((socket) =>
      socket.on('data', () => socket.end(`HTTP/1.1 ${status} OK\r\nContent-Length: 2\r\n\r\nok`)),
    )
    expect((await ask(await httpProxy([address]))).status).toBe(502)
  })

  test('that breaks off is seen to be broken off', async () => {
    const server = await backend((_, res) => {
      res.writeHead(200, { 'content-length': 100 })
      res.write('half', () => res.destroy())
    })
    const proxy = await httpProxy([server.address])
    await expect(ask(proxy)).rejects.toThrow('aborted')
    const chunked = await backend((_, res) => void res.write('half', () => res.destroy()))
    await expect(ask(await httpProxy([chunked.address]))).rejects.toThrow('aborted')
  })

  test('that comes before the request has ended is not lost, and its connection is closed', async () => {
    const server = await backend((_, res) => res.writeHead(413).end('too much'))
    const proxy = await httpProxy([server.address])
    const client = await rawClient(proxy)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome')
    const text = await client.closed()
    expect(text).toMatch(/^HTTP\/1\.1 413 /)
    expect(text).toMatch(/too much/)
  })
})

test.each([
  ['with a length', { 'content-length': 8 }],
  ['in chunks', {}],
])('a client that sends its request to the end after a response %s keeps its connection', async (_, fields) => {
  const server = await backend((req, res) => {
    if (req.url === '/next') return void res.end('next')
    req.once('data', () => res.writeHead(413, fields).end('too much'))
  })
  const client = await rawClient(await httpProxy([server.address]))
  const length = 4_000_000
  client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length / 2)}`)
  await client.until('too much')
  client.write(`${'x'.repeat(length / 2)}GET /next HTTP/1.1\r\nHost: a\r\n\r\n`)
  expect((await client.until(/next/)).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200'])
})

describe('connections', () => {
  test('of clients are kept alive, and take requests one after the other without waiting', async () => {
    const server = await backend((req, res) => res.end(req.url))
    const proxy = await httpProxy([server.address])
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (const path of ['/1', '/2', '/3']) expect((await ask(proxy, path, { agent })).text).toBe(path)
    expect(proxy.metrics.connections.total).toBe(1)
    agent.destroy()
    const client = await rawClient(proxy)
    client.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(await client.closed()).toMatch(/\/a[\s\S]*\/b/)
  })

  test('to instances are used again', async () => {
    const server = await backend()
    let connections = 0
    server.server.on('connection', () => connections++)
    const proxy = await httpProxy([server.address])
    for (let at = 0; at < 5; at++) await ask(proxy)
    expect([server.count, connections]).toEqual([5, 1])
  })
})

describe('who goes away', () => {
  test('a client: the instance sees it', async () => {
    const gone = Promise.withResolvers<void>()
    const server = await backend((_, res) => {
      res.write('begun')
      res.on('close', gone.resolve)
    })
    const balancer = new Turns()
    const proxy = await httpProxy([server.address], { balancer })
    const client = await rawClient(proxy)
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until('begun')
    client.socket.destroy()
    await gone.promise
    await until(() => proxy.metrics.requests.active === 0)
    expect(balancer.settlements).toMatchObject([{ id: server.address }])
    expect(balancer.settlements[0]).not.toHaveProperty('error')
  })

  test('a client in the middle of its body: the instance sees it', async () => {
    const gone = Promise.withResolvers<string>()
    const begun = Promise.withResolvers<void>()
    const server = await backend((req) => {
      req.once('data', () => begun.resolve()).on('error', ({ message }) => gone.resolve(message))
    })
    const proxy = await httpProxy([server.address])
    const client = await rawClient(proxy)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf')
    await begun.promise
    client.socket.destroy()
    expect(await gone.promise).toBe('aborted')
    await until(() => proxy.metrics.requests.active === 0)
  })

  test('an instance in the middle of a request: 502', async () => {
    const server = await backend((req) => void req.once('data', () => req.destroy()))
    const entries: AccessEntry[] = []
    const proxy = await httpProxy([server.address], { accessLog: (entry) => entries.push(entry) })
    expect((await ask(proxy, '/', { method: 'POST', body: 'x' })).status).toBe(502)
    await until(() => entries.length === 1)
    expect(entries).toMatchObject([{ mode: 'http', method: 'POST', status: 502, tries: 1, instance: server.address }])
  })
})

test('what ended is told', async () => {
  const server = await backend(async (req, res) => res.writeHead(404).end(`no ${await bodyOf(req)}`))
  const entries: AccessEntry[] = []
  const proxy = await httpProxy([server.address], { accessLog: (entry) => entries.push(entry) })
  await ask(proxy, '/x?y=1', { method: 'PUT', body: 'four', headers: { 'user-agent': 'me', host: 'h' } })
  await until(() => entries.length === 1)
  expect(entries).toEqual([
    {
      mode: 'http',
      time: expect.any(Number),
      client: '127.0.0.1',
      method: 'PUT',
      target: '/x?y=1',
      host: 'h',
      userAgent: 'me',
      status: 404,
      duration: expect.any(Number),
      latency: expect.any(Number),
      received: 4,
      sent: 7,
      instance: server.address,
      tries: 1,
      upgraded: false,
    },
  ])
  expect(proxy.metrics).toMatchObject({
    requests: { active: 0, waiting: 0, byClass: { '2xx': 0, '4xx': 1 } },
    bytes: { received: 4, sent: 7 },
    latency: { count: 1 },
    instances: {
      [server.address]: { requests: { '4xx': 1 }, bytesSent: 4, bytesReceived: 7, active: 0, serving: true },
    },
  })
})
