import { describe, expect, test } from 'vitest'
import type { AccessEntry } from '../src/index.ts'
import { ask, backend, httpProxy, Lists, nobody, Turns, tcpBackend, until } from './world.ts'

/** Takes a connection and a request, and closes without a word. */
const silent = () => {
  const requests: string[] = []
  const address = tcpBackend((socket) => {
    socket
      .on('error', () => {})
      .on('data', (chunk) => {
        requests.push(chunk.toString())
        socket.destroy()
      })
  })
  return address.then((at) => ({ address: at, requests }))
}

describe('a request that reached no instance', () => {
  test.each(['GET', 'POST'])('%s is sent to another, with its body', async (method) => {
    const server = await backend(async (req, res) => {
      let body = ''
      for await (const chunk of req) body += chunk
      res.end(`${req.method} ${body}`)
    })
    const entries: AccessEntry[] = []
    const proxy = await httpProxy([await nobody(), server.address], { accessLog: (entry) => entries.push(entry) })
    const { status, text } = await ask(proxy, '/', { method, body: 'x'.repeat(10), headers: { 'content-length': 10 } })
    expect([status, text]).toEqual([200, `${method} xxxxxxxxxx`])
    await until(() => entries.length === 1)
    expect(entries).toMatchObject([{ tries: 2, retried: 'unreached', instance: server.address, status: 200 }])
    expect(entries[0]).not.toHaveProperty('error')
    expect(proxy.metrics.retries).toMatchObject({ unreached: 1, broken: 0 })
  })

  test('is not sent to the same one again if there is another, and not more often than is allowed', async () => {
    const dead = [await nobody(), await nobody(), await nobody(), await nobody()]
    const balancer = new Turns()
    const proxy = await httpProxy(dead, { balancer, retries: { tries: 3 } })
    const { status, text } = await ask(proxy)
    expect([status, text]).toEqual([502, 'the instance failed before it responded\n'])
    expect(new Set(balancer.settlements.map(({ id }) => id)).size).toBe(3)
    expect(balancer.settlements.every(({ error }) => error instanceof Error)).toBe(true)
  })

  test('is sent to the same one again if there is no other', async () => {
    const balancer = new Turns()
    const proxy = await httpProxy([await nobody()], { balancer, retries: { tries: 3 } })
    expect((await ask(proxy)).status).toBe(502)
    expect(balancer.settlements).toHaveLength(3)
  })

  test('makes its instance wait: those that follow go to the others at once', async () => {
    const server = await backend()
    const proxy = await httpProxy([await nobody(), server.address])
    const told: string[] = []
    proxy.on('down', ({ state }, why) => told.push(`${state}: ${why}`))
    for (let at = 0; at < 5; at++) expect((await ask(proxy)).status).toBe(200)
    expect(proxy.metrics.retries.unreached).toBeLessThanOrEqual(2)
    expect(told[0]).toMatch(/^backing-off: connect ECONNREFUSED/)
    expect(proxy.metrics.ejections).toBeGreaterThanOrEqual(1)
  })
})

describe('a request whose connection broke before any response', () => {
  test.each(['GET', 'HEAD', 'OPTIONS', 'DELETE'])('%s is sent to another', async (method) => {
    const { address, requests } = await silent()
    const server = await backend()
    const proxy = await httpProxy([address, server.address])
    expect((await ask(proxy, '/', { method })).status).toBe(200)
    expect([requests.length, server.count]).toEqual([1, 1])
    expect(proxy.metrics.retries.broken).toBe(1)
  })

  test.each(['POST', 'PATCH'])('%s is not: it may have been done', async (method) => {
    const { address, requests } = await silent()
    const server = await backend()
    const proxy = await httpProxy([address, server.address])
    expect((await ask(proxy, '/', { method })).status).toBe(502)
    expect([requests.length, server.count]).toEqual([1, 0])
  })

  test('PUT with a body that was taken already is not', async () => {
    const { address } = await silent()
    const server = await backend()
    const proxy = await httpProxy([address, server.address])
    expect((await ask(proxy, '/', { method: 'PUT', body: 'x' })).status).toBe(502)
    expect(server.count).toBe(0)
  })

  test('is not, once there was any byte of a response', async () => {
    const address = await tcpBackend((socket) => {
      socket.on('error', () => {}).once('data', () => socket.end('HTTP/1.1 200 OK\r\nX-'))
    })
    const server = await backend()
    const proxy = await httpProxy([address, server.address])
    expect((await ask(proxy)).status).toBe(502)
    expect(server.count).toBe(0)
  })
})

test('a response that is an error is a response: nobody else is asked', async () => {
  const balancer = new Turns()
  const failing = await backend((_, res) => res.writeHead(503).end('no'))
  const server = await backend()
  const proxy = await httpProxy([failing.address, server.address], { balancer })
  expect(await ask(proxy)).toMatchObject({ status: 503, text: 'no' })
  expect(server.count).toBe(0)
  expect(balancer.settlements).toMatchObject([{ id: failing.address, error: { name: 'ServerFailure', status: 503 } }])
})

test('a budget bounds all retries together', async () => {
  const server = await backend()
  const dead = await Promise.all(Array.from({ length: 20 }, nobody))
  const proxy = await httpProxy([...dead, server.address], { retries: { tries: 100, ratio: 0, minimum: 0.5 } })
  expect((await ask(proxy)).status).toBe(502)
  expect(proxy.metrics.retries).toMatchObject({ unreached: 5, refused: 1 })
})

test('an instance that listens again gets requests again', async () => {
  const address = await nobody()
  const lists = new Lists(address)
  const proxy = await httpProxy(lists, { retries: { tries: 1 } })
  expect((await ask(proxy)).status).toBe(502)
  expect(proxy.instances[0]?.state).toBe('backing-off')
  const up = new Promise((resolve) => void proxy.on('up', resolve))
  expect(await up).toMatchObject({ address, state: 'serving' })
})
