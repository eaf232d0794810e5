import { describe, expect, test } from 'vitest'
import { ask, backend, httpProxy, rawClient, tcpBackend, until } from './world.ts'

/** Whatever of `/smuggled` would reach the instance. */
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
const post = 'POST / HTTP/1.1\r\nHost: a\r\n'

describe('a request that two parsers could read in two ways is refused, and its connection closed', () => {
  test.each([
    [
      'a length and a transfer coding',
      `${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    ],
    [
      'a transfer coding and a length',
      `${post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${smuggled}`,
    ],
    ['two lengths', `${post}Content-Length: 0\r\nContent-Length: 37\r\n\r\n${smuggled}`],
    ['the same length twice', `${post}Content-Length: 0\r\nContent-Length: 0\r\n\r\n${smuggled}`],
    ['a list of lengths', `${post}Content-Length: 0, 37\r\n\r\n${smuggled}`],
    ['a length with a sign', `${post}Content-Length: +0\r\n\r\n${smuggled}`],
    ['a negative length', `${post}Content-Length: -1\r\n\r\n${smuggled}`],
    ['a length in hexadecimal', `${post}Content-Length: 0x0\r\n\r\n${smuggled}`],
    ['an empty length', `${post}Content-Length: \r\n\r\n${smuggled}`],
    ['a length beyond all numbers', `${post}Content-Length: 99999999999999999999999\r\n\r\n${smuggled}`],
    ['a space before the colon', `${post}Content-Length : 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a space before the colon of the coding', `${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a coding that is not chunked', `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a coding before chunked', `${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['chunked before a coding', `${post}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n${smuggled}`],
    ['chunked twice', `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a coding in quotes', `${post}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a coding behind a vertical tab', `${post}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a folded line', `${post}X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a folded coding', `${post}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a bare LF', `${post}X-A: b\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a bare CR', `${post}X-A: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a NUL in a value', `${post}X-A: \0\r\n\r\n${smuggled}`],
    ['a field without a name', `${post}: x\r\n\r\n${smuggled}`],
    ['a chunk size that is none', `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n${smuggled}`],
    ['a chunk size beyond all numbers', `${post}Transfer-Encoding: chunked\r\n\r\n10000000000000000f\r\n${smuggled}`],
    [
      'a chunk that is longer than it says',
      `${post}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n${smuggled}`,
    ],
    ['chunks that end in a bare LF', `${post}Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n${smuggled}`],
    ['chunks in HTTP/1.0', `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['no host', `GET / HTTP/1.1\r\n\r\n${smuggled}`],
    ['two hosts', `GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n${smuggled}`],
    ['a version that is none', `GET / HTTP/1.9\r\nHost: a\r\n\r\n${smuggled}`],
    ['a space in the target', `GET /a b HTTP/1.1\r\nHost: a\r\n\r\n${smuggled}`],
    ['a target that is no path', `GET a HTTP/1.1\r\nHost: a\r\n\r\n${smuggled}`],
    ['the beginning of HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${smuggled}`],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%s', async (_, bytes) => {
    const reached: (string | undefined)[] = []
    const server = await backend((req, res) => {
      reached.push(req.url)
      req.resume()
      res.end()
    })
    const proxy = await httpProxy([server.address])
    const client = await rawClient(proxy)
    const text = await client.write(bytes).closed()
    // At most one response, and none that says that all is well.
    expect(text).toMatch(/^(HTTP\/1\.1 (4\d\d|5\d\d) [\s\S]*)?$/)
    expect(text.match(/HTTP\/1\.1 \d/g)?.length ?? 0).toBeLessThanOrEqual(1)
    expect(reached).not.toContain('/smuggled')
    expect(proxy.metrics.refused['bad-request']).toBeGreaterThan(0)
  })
})

test('what follows a request that was refused is not looked at', async () => {
  const server = await backend()
  const client = await rawClient(await httpProxy([server.address], { limits: { headers: 2 } }))
  const text = await client.write(`GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\nX-B: c\r\n\r\n${smuggled}`).closed()
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 431'])
  expect(server.count).toBe(0)
})

test('CONNECT opens no tunnel', async () => {
  const server = await backend()
  const proxy = await httpProxy([server.address])
  const client = await rawClient(proxy)
  const text = await client.write(`CONNECT ${server.address} HTTP/1.1\r\nHost: a\r\n\r\n`).closed()
  expect(text).toMatch(/^HTTP\/1\.1 405 /)
})

test.each([
  ['an upgrade', 'GET /next HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ['CONNECT', 'CONNECT b:1 HTTP/1.1\r\nHost: a\r\n\r\n'],
])('%s behind a request without a response yet ends the connection, and nothing else', async (_, next) => {
  const server = await backend((req, res) => {
    if (req.url === '/well') res.end('well')
  })
  const proxy = await httpProxy([server.address])
  const client = await rawClient(proxy)
  expect(await client.write(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${next}`).closed()).toBe('')
  expect(await ask(proxy, '/well')).toMatchObject({ status: 200, text: 'well' })
  await until(() => proxy.metrics.requests.active === 0)
})

test.each(['h2c', 'H2C', 'websocket, h2c'])(
  'an instance cannot be spoken to in HTTP/2 past the proxy: %s',
  async (protocol) => {
    const server = await backend((req, res) => res.end(JSON.stringify(req.headers)))
    const client = await rawClient(await httpProxy([server.address]))
    const upgrade = `Connection: upgrade, http2-settings, close\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA`
    const text = await client.write(`GET / HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n\r\n`).closed()
    expect(text).toMatch(/^HTTP\/1\.1 200 /)
    expect(text).not.toMatch(/h2c|http2-settings/i)
  },
)

test('a field that is named by Connection cannot take away what the proxy says', async () => {
  const server = await backend((req, res) => res.end(JSON.stringify(req.headers)))
  const client = await rawClient(await httpProxy([server.address]))
  const nominated = 'Connection: close, Host, Via, X-Forwarded-For, Content-Length'
  const text = await client.write(`POST / HTTP/1.1\r\nHost: a\r\n${nominated}\r\nContent-Length: 1\r\n\r\nx`).closed()
  expect(text).toMatch(/"host":"a"/)
  expect(text).toMatch(/"x-forwarded-for":"127.0.0.1"/)
  expect(text).toMatch(/"content-length":"1"/)
})

test('what frames or routes a message does not go on as a trailer, either way', async () => {
  const trailers = 'Connection: close\r\nHost: b\r\nX-Forwarded-For: 10.0.0.1\r\nX-Sum: 1'
  let asked = ''
  const address = await tcpBackend((socket) =>
    socket.on('data', (chunk: Buffer) => {
      asked += chunk.toString('latin1')
      if (asked.endsWith('x-sum: 1\r\n\r\n') || asked.endsWith('X-Sum: 1\r\n\r\n'))
        socket.end(
          `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nTransfer-Encoding: chunked\r\n${trailers}\r\n\r\n`,
        )
    }),
  )
  const client = await rawClient(await httpProxy([address]))
  client.write(
    `POST / HTTP/1.1\r\nHost: a\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${trailers}\r\n\r\n`,
  )
  const answered = await client.until(/\r\n0\r\n[\s\S]*\r\n\r\n$/)
  expect(answered.split('\r\n0\r\n')[1]).toMatch(/^x-sum: 1\r\n\r\n$/i)
  expect(asked.slice(asked.indexOf('\r\n\r\n') + 4)).toMatch(/^0\r\nx-sum: 1\r\n\r\n$/i)
})
