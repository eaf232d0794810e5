import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import type { ConclaveProxy } from '../src/index.ts'
import { ask, backend, httpProxy, Lists, until } from './world.ts'

const look = (proxy: ConclaveProxy, path: string, method = 'GET') => {
  if (proxy.adminAddress === undefined) throw new Error('there is no admin listener')
  return ask({ address: proxy.adminAddress }, path, { method })
}

test('/metrics is the text of Prometheus', async () => {
  const server = await backend((_, res) => res.end('hello'))
  const proxy = await httpProxy([server.address], { admin: { port: 0 } })
  await ask(proxy)
  await until(() => proxy.metrics.requests.active === 0)
  const { status, headers, text } = await look(proxy, '/metrics')
  expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
  expect(text).toContain('\nconclave_proxy_requests_total{class="2xx"} 1\n')
  expect(text).toContain(`\nconclave_proxy_instance_requests_total{instance="${server.address}",class="2xx"} 1\n`)
  expect(text).toContain('\nconclave_proxy_response_seconds_bucket{le="+Inf"} 1\n')
  expect(text).toContain('\nconclave_proxy_response_seconds_count 1\n')
  expect(text).toContain('\nconclave_proxy_bytes_total{direction="sent"} 5\n')
  // Every sample belongs to a family that is described before it, and every family ends in one.
  let family = ''
  for (const line of text.trimEnd().split('\n')) {
    const [, described] = /^# HELP (\S+) \S.*\.$/.exec(line) ?? []
    if (described !== undefined) family = described
    else if (line.startsWith('#')) expect(line).toMatch(new RegExp(`^# TYPE ${family} (counter|gauge|histogram)$`))
    else expect(line).toMatch(new RegExp(`^${family}(_bucket|_sum|_count)?(\\{[^}]+\\})? [0-9.e+-]+$`))
  }
})

test('buckets of the histogram add up', async () => {
  const { prometheusText } = await import('../src/index.ts')
  const proxy = await httpProxy([])
  const latency = { bounds: [1, 2], counts: [3, 4, 5], sum: 6, count: 12 }
  const text = prometheusText({ ...proxy.metrics, latency })
  expect(text.match(/_bucket.*/g)).toEqual(['_bucket{le="1"} 3', '_bucket{le="2"} 7', '_bucket{le="+Inf"} 12'])
})

test('labels are escaped', async () => {
  const server = await backend()
  const lists = new Lists()
  const proxy = await httpProxy(lists, { admin: { port: 0 } })
  lists.set({ id: 'a "b" \\c\nd', address: server.address })
  await until(() => proxy.instances.length === 1)
  expect((await look(proxy, '/metrics')).text).toContain(
    'conclave_proxy_instance_active{instance="a \\"b\\" \\\\c\\nd"} 0\n',
  )
})

test('/healthz says whether requests can be served, and /instances by whom', async () => {
  const held: ServerResponse[] = []
  const server = await backend((_, res) => void held.push(res))
  const lists = new Lists()
  const proxy = await httpProxy(lists, { admin: { port: 0 } })
  expect(await look(proxy, '/healthz')).toMatchObject({ status: 503, text: 'no instance is there\n' })
  lists.set(server.address)
  await until(() => proxy.instances.length === 1)
  expect(await look(proxy, '/healthz')).toMatchObject({ status: 200, text: 'ok\n' })
  const answer = ask(proxy)
  await until(() => held.length === 1)
  expect(JSON.parse((await look(proxy, '/instances')).text)).toEqual([
    { id: server.address, address: server.address, state: 'serving', active: 1, weight: 1 },
  ])
  const closed = proxy.close({ drain: 10_000 })
  expect(await look(proxy, '/healthz')).toMatchObject({ status: 503, text: 'closing\n' })
  held[0]?.end()
  await answer
  await closed
})

test('there is nothing else', async () => {
  const proxy = await httpProxy([], { admin: { port: 0 } })
  expect((await look(proxy, '/')).status).toBe(404)
  expect((await look(proxy, '/metrics', 'POST')).status).toBe(405)
  expect((await look(proxy, '/metrics?x=1')).status).toBe(200)
})
